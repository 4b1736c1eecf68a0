"""A real MLflow server, spoken to by REST as its users' programs do; for tests that change things there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import urllib3

from lineage.localservices.service import LocalService
from tests import forks

_HTTP = urllib3.PoolManager(retries=False, timeout=60)


@dataclass
class Rest:
    """One server. Every call fails the test where the answer is not 200."""

    url: str

    def call(self, method: str, api: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
        answer = _HTTP.request(
            method,
            f"{self.url}/api/2.0/{api}",
            body=None if body is None else json.dumps(body).encode(),
            fields=query or None,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status == 200, (method, api, answer.status, answer.data[:500])
        found: dict[str, Any] = json.loads(answer.data or b"{}")
        return found

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self.call("POST", f"mlflow/{path}", body)

    def experiment(self, name: str) -> str:
        return str(self.post("experiments/create", name=name)["experiment_id"])

    def run(self, experiment: str = "0", name: str = "train", *, start: int = 1_790_000_000_000) -> str:
        made = self.post("runs/create", experiment_id=experiment, run_name=name, start_time=start)
        return str(made["run"]["info"]["run_id"])

    def finish(self, run: str, status: str = "FINISHED", end: int = 1_790_000_060_000) -> None:
        self.post("runs/update", run_id=run, status=status, end_time=end)

    def tag(self, run: str, key: str, value: str) -> None:
        self.post("runs/set-tag", run_id=run, key=key, value=value)

    def param(self, run: str, key: str, value: str) -> None:
        self.post("runs/log-parameter", run_id=run, key=key, value=value)

    def metric(self, run: str, key: str, value: float, timestamp: int = 1_790_000_030_000) -> None:
        self.post("runs/log-metric", run_id=run, key=key, value=value, timestamp=timestamp, step=0)

    def dataset(self, run: str, name: str, digest: str = "abc12345", source: str = "s3://b/x.csv") -> None:
        told = {"name": name, "digest": digest, "source_type": "http", "source": json.dumps({"url": source})}
        tags = [{"key": "mlflow.data.context", "value": "training"}]
        self.post("runs/log-inputs", run_id=run, datasets=[{"dataset": told, "tags": tags}])

    def uses_model(self, run: str, model: str) -> None:
        self.post("runs/log-inputs", run_id=run, models=[{"model_id": model}])

    def file(self, run: str, path: str, content: bytes, experiment: str = "0") -> None:
        """An artifact of a run."""
        self._put(f"{experiment}/{run}/artifacts/{path}", content)

    def model(self, run: str, files: dict[str, bytes], experiment: str = "0", name: str = "m") -> str:
        """A logged model that is ready, an output of the run."""
        made = self.post("logged-models", experiment_id=experiment, name=name, source_run_id=run)
        model = str(made["model"]["info"]["model_id"])
        for path, content in files.items():
            self.model_file(model, path, content, experiment)
        self.call(
            "PATCH", f"mlflow/logged-models/{model}", {"model_id": model, "status": "LOGGED_MODEL_READY"}
        )
        self.post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 0}])
        return model

    def empty_model(self, experiment: str) -> str:
        """A logged model of no run, which nobody has said is ready."""
        made = self.post("logged-models", experiment_id=experiment, name="m")
        return str(made["model"]["info"]["model_id"])

    def model_file(self, model: str, path: str, content: bytes, experiment: str = "0") -> None:
        self._put(f"{experiment}/models/{model}/artifacts/{path}", content)

    def version(self, name: str, model: str, run: str) -> str:
        made = self.post(
            "model-versions/create", name=name, source=f"models:/{model}", run_id=run, model_id=model
        )
        return str(made["model_version"]["version"])

    def alias(self, name: str, alias: str, version: str) -> None:
        self.post("registered-models/alias", name=name, alias=alias, version=version)

    def _put(self, path: str, content: bytes) -> None:
        address = f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{quote(path)}"
        answer = _HTTP.request("PUT", address, body=content)
        assert answer.status == 200, (path, answer.status, answer.data[:300])


def gc(service: LocalService, runs: Sequence[str]) -> None:
    """`mlflow gc`: take deleted runs, and what belongs to them, away for good."""
    command = [
        *("-m", "mlflow", "gc", "--run-ids", ",".join(runs)),
        *("--backend-store-uri", f"sqlite:///{service.directory}/mlflow.db"),
        *("--tracking-uri", service.url),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(service.directory)}
    done = forks.run(command, env=environment, cwd=service.directory, program=forks.MLFLOW)
    assert done.returncode == 0, done.stderr

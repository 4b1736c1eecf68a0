"""The example on MLflow: the training as a process of its own, and Lineage told to follow the server.

Owns: where the MLflow server is, what Lineage calls it, waiting for both. Does not own: the training script
(`training`), what people do on MLflow (`by_hand`), calls of Lineage (`desk`), the
server's process (`lineage.cli.example_server`).
"""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from lineage.example.desk import CONFLICT, LOOK_SECONDS, OK, PATIENCE_SECONDS, Desk
from lineage.example.workshop import Key, Said, Workshop

if TYPE_CHECKING:
    import mlflow

SOURCE = "example"
BUILDER = f"urn:lineage:mlflow:{SOURCE}"
_CALL_SECONDS = 30.0


class Tracking:
    """The MLflow server at `url`, "" where none was started, as one workshop uses it."""

    def __init__(self, shop: Workshop, desk: Desk, url: str) -> None:
        self._shop = shop
        self._desk = desk
        self._url = url
        self._http = urllib3.PoolManager(retries=False, timeout=_CALL_SECONDS)

    def train(self, data: Path, model: Path, *, key: Key, token: str, hardware: str) -> Said:
        """Run the training script; gives the ids of run and model, whose files are in `model` then."""
        return self._shop.script(
            "lineage.example.training", str(data), str(model),
            MLFLOW_TRACKING_URI=self.server, LINEAGE_MLFLOW_SOURCE=SOURCE, LINEAGE_KEY=str(key.private),
            LINEAGE_URL=self._shop.url, LINEAGE_TOKEN=token, LINEAGE_HARDWARE=f"hw:{hardware}",
            LINEAGE_SPOOL=str(self._shop.path("spool")),
        )  # fmt: skip

    def register(self, run_id: str, model_id: str) -> Said:
        from lineage.example import by_hand

        return {"version": by_hand.register(self.client, run_id, model_id)}

    def train_by_hand(self, data: Path) -> Said:
        from lineage.example import by_hand

        run_id, model_id = by_hand.train(self.client, data)
        return {"run_id": run_id, "model_id": model_id}

    def alter(self, run_id: str, model_id: str, *, data: Path) -> Said:
        from lineage.example import by_hand

        by_hand.alter(self.client, run_id, model_id, data)
        return {}

    def follow(self) -> None:
        """Have Lineage follow the server, at the address that it has now."""
        _, known = self._desk.call("GET", "sources")
        if any(row["name"] == SOURCE for row in known["sources"]):
            self._desk.call("PATCH", f"sources/{SOURCE}", {"url": self.server})
        else:
            self._desk.call("POST", "sources", {"name": SOURCE, "url": self.server})

    def sync(self, *, sweep: bool = False, rehash: bool = False) -> Said:
        """Ask Lineage for a sync, and wait until files are hashed too, which a job of its own does.

        Raises: RuntimeError where it fails or takes too long.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        result = self._synced({"sweep": sweep, "rehash": rehash}, deadline)
        while result["files_pending"] or result["files_again"]:
            time.sleep(LOOK_SECONDS)
            result = self._synced({}, deadline)
        return result

    def _synced(self, wanted: dict[str, bool], deadline: float) -> Said:
        """What one sync came to."""
        job = self._asked(wanted)
        while not job:
            if time.monotonic() > deadline:
                raise RuntimeError(f"another sync of {SOURCE} did not end in {PATIENCE_SECONDS:.0f} s")
            job = self._asked(wanted)
        return self._desk.ended(job, f"the sync of {SOURCE}")

    def _asked(self, wanted: dict[str, bool]) -> Said:
        """The job; empty, after a moment, while another sync runs that does less."""
        status, answer = self._desk.call("POST", f"sources/{SOURCE}/sync", wanted, also=CONFLICT)
        if status == CONFLICT:
            time.sleep(LOOK_SECONDS)
            return {}
        return answer

    @cached_property
    def server(self) -> str:
        """The address of the MLflow server, once it answers.

        Raises: RuntimeError where there is none, or it stays silent.
        """
        if not self._url:
            raise RuntimeError("there is no MLflow server; `lineage up --demo` starts one")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"MLflow at {self._url} does not answer")
            time.sleep(LOOK_SECONDS)
        return self._url

    def _answers(self) -> bool:
        try:
            return int(self._http.request("GET", f"{self._url}/version").status) == OK
        except urllib3.exceptions.HTTPError:
            return False

    @cached_property
    def client(self) -> mlflow.MlflowClient:
        import mlflow

        mlflow.set_tracking_uri(self.server)
        return mlflow.MlflowClient()

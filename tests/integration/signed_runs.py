"""What a Lineage server has of runs that were signed where they trained, and what MLflow has of them."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from lineage.localservices.service import LocalService
from tests.integration.mlflow_room import SCRIPT_SECONDS
from tests.server import Server

BUILDER = "urn:lineage:mlflow:lab"
TRAINING = "urn:lineage:predicate:training-run:v1"


def run_key(run_id: str) -> str:
    return "run:" + hashlib.sha256(f"{BUILDER}\n{run_id}".encode()).hexdigest()


def node(server: Server, key: str) -> Any:
    """A node, once the graph has it."""
    answer = server.call("GET", f"/api/v1/nodes/{key}")
    patience = time.monotonic() + SCRIPT_SECONDS
    while answer.status == 404 and time.monotonic() < patience:
        time.sleep(0.1)
        answer = server.call("GET", f"/api/v1/nodes/{key}")
    assert answer.status == 200, answer.data
    return answer.json()


def statements(server: Server, run_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Digest and content of each statement about a run, once the graph has them."""
    found = []
    listed = server.call("GET", "/api/v1/attestations?limit=200").json()["attestations"]
    for each in listed:
        if each["predicate_type"] == TRAINING:
            envelope = server.call("GET", each["links"]["envelope"]).data
            content = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
            if content["predicate"]["invocationId"] == run_id:
                again = server.call("POST", "/api/v1/attestations?wait=projected", envelope)
                assert (again.status, again.json()["index"]) == (200, each["index"])
                found.append((each["statement"], content))
    return found


def mlflow_run(service: LocalService, run_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """What MLflow has of a run: its info, and its tags."""
    answer = urllib3.request("GET", f"{service.url}/api/2.0/mlflow/runs/get", fields={"run_id": run_id})
    assert answer.status == 200, answer.data
    run = answer.json()["run"]
    return run["info"], {each["key"]: each["value"] for each in run["data"].get("tags", ())}


def mlflow_status(service: LocalService, run_id: str) -> str:
    return str(mlflow_run(service, run_id)[0]["status"])


@contextmanager
def followed(server: Server, service: LocalService) -> Iterator[None]:
    """The MLflow server is the source `lab` meanwhile, and was synced."""
    source = json.dumps({"name": "lab", "url": service.url}).encode()
    assert server.call("POST", "/api/v1/sources", source).status == 201
    _sync(server)
    _project(server)
    yield
    assert server.call("DELETE", "/api/v1/sources/lab").status == 200


def _project(server: Server) -> None:
    """Wait until the graph has all that the log has."""
    deadline = time.monotonic() + SCRIPT_SECONDS
    while (found := server.call("GET", "/health/ready").json())["lag"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _sync(server: Server) -> None:
    """Sync until every file was hashed; a visit may leave some to the next."""
    deadline = time.monotonic() + SCRIPT_SECONDS
    pending = True
    while pending:
        job = server.call("POST", "/api/v1/sources/lab/sync", b'{"sweep": true}').headers["Location"]
        while (found := server.call("GET", job).json())["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        assert (found["state"], found["result"]["problems"]) == ("done", 0), found
        pending = bool(found["result"].get("files_pending"))

"""Runs signed in the process that trains: real scripts, a real MLflow server, a real Lineage server."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3

from lineage.artifacts.hashing import hash_file, hash_folder
from lineage.localservices.service import LocalService
from tests.integration.mlflow_room import BEGINNING, SCRIPT_SECONDS, Room
from tests.integration.mlflow_scripts import Scripts
from tests.server import Server, free_port, started

BUILDER = "urn:lineage:mlflow:lab"
TRAINING = "urn:lineage:predicate:training-run:v1"

TRAIN = """
with mlflow.start_run(run_name="churn") as run:
    ids["churn"] = run.info.run_id
    mlflow.log_input(mlflow.data.from_numpy(np.zeros((3, 1)), source="train.csv", name="churn"), "training")
    mlflow.log_params({"rate": 0.1})
    mlflow.log_metric("loss", np.float32(0.5))
    lm.from_scratch()
    mlflow.pyfunc.log_model(name="model", python_model=model, pip_requirements=[])
"""


@pytest.fixture
def room(tmp_path: Path, mlflow_service: LocalService, server: Server) -> Room:
    made = Room(tmp_path, mlflow_service, server.url, server.token)
    server.register(made.key.public.pem(), f"training {tmp_path}")
    return made


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


DOWNLOAD = """
from mlflow.artifacts import download_artifacts
download_artifacts(f"models:/{mlflow.last_logged_model().model_id}", dst_path="there")
"""


def test_a_run_is_signed_with_the_bytes_that_mlflow_has(
    room: Room, server: Server, mlflow_service: LocalService, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    ids, logged = room.run(TRAIN + DOWNLOAD)
    assert "lineage" not in logged
    ((digest, said),) = statements(server, ids["churn"])
    run = node(server, run_key(ids["churn"]))
    assert (run["status"], run["reasons"], run["activity"], run["name"]) == (
        "verified",
        [],
        "training",
        "churn",
    )
    (model,) = said["subject"]
    (tmp_path / "there/registered_model_meta").unlink()  # MLflow's downloads add it, the server has it not
    assert model["digest"] == {"dirHash": hash_folder(tmp_path / "there").dirhash}
    assert node(server, f"dirHash:{model['digest']['dirHash']}")["file_count"] == len(
        model["annotations"]["files"]
    )
    predicate = said["predicate"]
    inputs = {each["name"]: each for each in predicate["inputs"]}
    assert inputs["churn"]["digest"] == {"sha256": hash_file(tmp_path / "train.csv")}
    assert inputs["train.py"]["digest"] == {"sha256": hash_file(tmp_path / "train.py")}
    assert predicate["metrics"] == {"loss": 0.5}
    assert predicate["parameters"] == {"rate": "0.1"}
    assert predicate["environment"]["hostname"] == socket.gethostname()
    info, tags = mlflow_run(mlflow_service, ids["churn"])
    assert tags["lineage.signed"] == digest
    assert tags["lineage.base_model"] == "none"
    assert tags["lineage.dataset.churn.sha256"] == hash_file(tmp_path / "train.csv")
    ended = datetime.fromisoformat(predicate["finishedOn"])
    assert round(ended.timestamp() * 1000) == info["end_time"]


EVERY_END = """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

try:
    with mlflow.start_run(run_name="fails") as run:
        ids["fails"] = run.info.run_id
        raise ValueError("the loss is NaN")
except ValueError:
    pass
with mlflow.start_run(run_name="parent") as run:
    ids["parent"] = run.info.run_id
    with mlflow.start_run(run_name="child", nested=True) as child:
        ids["child"] = child.info.run_id
        mlflow.log_metric("m", float("nan"))
client = mlflow.MlflowClient()
ids["client"] = client.create_run("0").info.run_id
client.update_run(ids["client"], status="KILLED")
with mlflow.start_run(run_name="explicit") as run:
    ids["explicit"] = run.info.run_id
    lm.used("missing.csv")
    lm.used("sha256:" + "ab" * 32, role="model")
    lm.made("train.csv", role="dataset", name="made")
lm.used("train.csv", name="dataset")
mlflow.sklearn.autolog(silent=True)
GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2).fit([[0], [1], [2], [3]], [0, 1, 0, 1])
ids["search"] = mlflow.last_active_run().info.run_id
mlflow.sklearn.autolog(disable=True)
with mlflow.start_run(run_id=ids["client"]):
    mlflow.log_param("again", 1)
ids["open"] = mlflow.start_run(run_name="open").info.run_id
"""


def test_every_way_to_end_a_run_is_signed(
    room: Room, server: Server, mlflow_service: LocalService, scripts: Scripts
) -> None:
    ids, logged = room.run(EVERY_END, scripts=scripts)
    assert logged.count("missing.csv") == 1
    said = {
        name: [each["predicate"] for _, each in statements(server, run_id)] for name, run_id in ids.items()
    }
    found = {name: [each["status"] for each in all_of_it] for name, all_of_it in said.items()}
    assert sorted(found.pop("client")) == ["FINISHED", "KILLED"]
    assert found == {
        "fails": ["FAILED"],
        "parent": ["FINISHED"],
        "child": ["FINISHED"],
        "explicit": ["FINISHED"],
        "search": ["FINISHED"],
        "open": ["FINISHED"],
    }
    assert said["child"][0]["metrics"] == {"m": "NaN"}
    (explicit,) = said["explicit"]
    assert explicit["activity"] == "fine-tuning"
    assert [each.get("name") for each in explicit["inputs"]] == ["missing.csv", None, "train.py"]
    assert node(server, run_key(ids["explicit"]))["reasons"] == ["input-undigested"]
    _, tags = mlflow_run(mlflow_service, ids["explicit"])
    assert tags["lineage.base_model"] == "sha256:" + "ab" * 32
    # Autologging names no file; the script said which bytes the data set of that name is.
    data = [each for each in said["search"][0]["inputs"] if each.get("name") == "dataset"]
    assert {tuple(each["digest"].items()) for each in data} == {
        (("sha256", hash_file(room.folder / "train.csv")),)
    }
    assert node(server, run_key(ids["search"]))["status"] == "verified"


def test_a_server_that_is_away_gets_each_run_once_later(
    tmp_path: Path, mlflow_service: LocalService, monkeypatch: pytest.MonkeyPatch, scripts: Scripts
) -> None:
    monkeypatch.delenv("LINEAGE_DATABASE_URL", raising=False)
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    monkeypatch.setattr("tests.server.free_port", lambda: port)
    with started(home) as server:
        room = Room(tmp_path, mlflow_service, server.url, server.token)
        server.register(room.key.public.pem(), "training")
    first, logged = room.run(TRAIN, scripts=scripts)
    assert logged.count("lineage send-spooled") == 1, logged
    assert mlflow_status(mlflow_service, first["churn"]) == "FINISHED"
    assert len(room.waiting()) == 1
    with started(home) as server:
        second, logged = room.run(TRAIN, scripts=scripts)
        assert "lineage" not in logged
        assert room.waiting() == []
        assert [len(statements(server, ids["churn"])) for ids in (first, second)] == [1, 1]
    third, _ = room.run(TRAIN, scripts=scripts)
    with started(home) as server:
        assert len(json.loads(room.lineage("send-spooled", "--json"))["sent"]) == 1
        assert room.lineage("send-spooled") == "Nothing waited.\n"
        assert len(statements(server, third["churn"])) == 1
        entries = server.call("GET", "/api/v1/attestations?limit=100").json()["attestations"]
        assert sum(each["predicate_type"] == TRAINING for each in entries) == 3


def test_a_run_that_must_be_recorded_fails_where_it_is_not(
    room: Room, mlflow_service: LocalService, scripts: Scripts
) -> None:
    room.environment["LINEAGE_URL"] = "http://127.0.0.1:9"
    beginning = BEGINNING.replace("lm.autosign()", "lm.autosign(fail_closed=True)")
    body = (
        'run = mlflow.start_run(run_name="strict")\n'
        'ids["strict"] = run.info.run_id\n'
        "import lineage.client.mlflow_signing as signing\nsigning.FAIL_CLOSED_SECONDS = 3.0\n"
        'try:\n    mlflow.end_run()\nexcept Exception as error:\n    print("RAISED", type(error).__name__)\n'
    )
    ids, _ = room.run(body, beginning=beginning, scripts=scripts)
    assert mlflow_status(mlflow_service, ids["strict"]) == "FAILED"
    assert len(room.waiting()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINEAGE_KEY", "/nowhere/k.pem"),
        ("LINEAGE_MLFLOW_SOURCE", "Not A Name"),
        ("LINEAGE_URL", "ftp://nowhere"),
        ("LINEAGE_SPOOL", "/dev/null/spool"),
    ],
)
def test_a_wrong_setting_is_one_warning_and_training_goes_on(
    room: Room, mlflow_service: LocalService, scripts: Scripts, name: str, value: str
) -> None:
    room.environment[name] = value
    ids, logged = room.run(
        'with mlflow.start_run() as run:\n    lm.used("train.csv")\n    ids["on"] = run.info.run_id\n',
        scripts=scripts,
    )
    assert logged.count("will not be signed") == 1
    assert mlflow_status(mlflow_service, ids["on"]) == "FINISHED"


def test_a_server_that_never_answers_does_not_hold_training(
    room: Room, mlflow_service: LocalService, scripts: Scripts
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        room.environment["LINEAGE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        body = 'with mlflow.start_run() as run:\n    ids["on"] = run.info.run_id\n'
        ids, logged = room.run(body, scripts=scripts)
    assert "did not answer in time" in logged
    assert mlflow_status(mlflow_service, ids["on"]) == "FINISHED"
    assert len(room.waiting()) == 1


BY_FOLDER = """
with mlflow.start_run(run_name="folder") as run:
    ids["folder"] = run.info.run_id
    import os
    os.makedirs("corpus", exist_ok=True)
    open("corpus/a.txt", "w").write("a")
    mlflow.log_input(mlflow.data.from_numpy(np.zeros((3, 1)), source="corpus", name="corpus"))
    lm.used("sha256:" + "ab" * 32, role="model")
    mlflow.pyfunc.log_model(name="model", python_model=model, pip_requirements=[])
"""


def test_what_the_sync_sees_is_the_same_run(
    tmp_path: Path, emptied_mlflow: LocalService, scripts: Scripts
) -> None:
    """Signed and observed name the same nodes, and the tags are none of the changes after the end."""
    home = tmp_path / "home"
    home.mkdir()
    with started(home, LINEAGE_PRIVATE_NETWORKS="127.0.0.0/8") as server:
        room = Room(tmp_path, emptied_mlflow, server.url, server.token)
        server.register(room.key.public.pem(), "training")
        ids, _ = room.run(TRAIN + BY_FOLDER, scripts=scripts)
        source = json.dumps({"name": "lab", "url": emptied_mlflow.url}).encode()
        assert server.call("POST", "/api/v1/sources", source).status == 201
        synced(server)
        projected(server)
        for name, run_id in ids.items():
            run = node(server, run_key(run_id))
            assert (name, run["status"], run["reasons"]) == (name, "verified", [])
            (made,) = run["effects"]
            assert len(made["support"]) == 2, "signed, and observed"
            assert not any(each["node"]["key"].startswith("uri:") for each in run["causes"])
            seen = server.call("GET", f"/api/v1/nodes/{run['key']}/observations").json()["observations"]
            assert [each["after_end"] for each in seen if each["kind"] == "run"] == [False]


def projected(server: Server) -> None:
    """Wait until the graph has all that the log has."""
    deadline = time.monotonic() + SCRIPT_SECONDS
    while (found := server.call("GET", "/health/ready").json())["lag"]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def synced(server: Server) -> None:
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


WITHOUT_MLFLOW = """
import sys
from lineage.client.recording import record_run

ids = {}
with record_run(name="churn", invocation="4711") as run:
    run.used("train.csv", role="dataset")
    open("model.bin", "wb").write(b"weights")
    run.made("model.bin")
assert "mlflow" not in sys.modules and "django" not in sys.modules
import json
"""


def test_a_script_without_mlflow_is_signed(room: Room, server: Server) -> None:
    room.run("", beginning=WITHOUT_MLFLOW)
    key = "run:" + hashlib.sha256(b"urn:lineage:recording:churn\n4711").hexdigest()
    run = node(server, key)
    assert (run["status"], run["name"]) == ("verified", "churn")
    made = [each["node"]["key"] for each in run["effects"]]
    assert made == [f"sha256:{hashlib.sha256(b'weights').hexdigest()}"]

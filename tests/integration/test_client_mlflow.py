"""Runs signed in the process that trains: real scripts, a real MLflow server, a real Lineage server."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from lineage.artifacts.hashing import hash_file, hash_folder
from lineage.localservices.service import LocalService
from tests.integration.mlflow_room import BEGINNING, Room
from tests.integration.signed_runs import followed, mlflow_run, mlflow_status, node, run_key, statements
from tests.relay import relay
from tests.server import Server, free_port, started
from tests.services import wipe_mlflow

TRAIN = """
with mlflow.start_run(run_name="churn") as run:
    ids["churn"] = run.info.run_id
    mlflow.log_input(mlflow.data.from_numpy(np.zeros((3, 1)), source="train.csv", name="churn"), "training")
    mlflow.log_params({"rate": 0.1})
    mlflow.log_metric("loss", np.float32(0.5))
    lm.from_scratch()
    mlflow.pyfunc.log_model(name="model", python_model=model, pip_requirements=[])
"""

DOWNLOAD = """
from mlflow.artifacts import download_artifacts
download_artifacts(f"models:/{mlflow.last_logged_model().model_id}", dst_path="there")
"""

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

PLAIN = """
with mlflow.start_run() as run:
    ids["plain"] = run.info.run_id
    lm.used("train.csv")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that may follow the MLflow server of the tests."""
    home = tmp_path_factory.mktemp("server")
    with started(home, LINEAGE_PRIVATE_NETWORKS="127.0.0.0/8") as running:
        yield running


def made_room(folder: Path, tracking: LocalService, server: Server) -> Room:
    made = Room(folder, tracking, server.url, server.token)
    server.register(made.key.public.pem(), f"training {folder}")
    return made


@pytest.fixture
def room(tmp_path: Path, mlflow_service: LocalService, server: Server) -> Room:
    return made_room(tmp_path, mlflow_service, server)


class Trained(NamedTuple):
    """A script that has run: its folder, MLflow's run ids by name, and what it logged."""

    folder: Path
    ids: dict[str, str]
    logged: str


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, mlflow_service: LocalService, server: Server
) -> Trained:
    """`TRAIN` and `BY_FOLDER`, on an MLflow server that had nothing."""
    wipe_mlflow(mlflow_service.directory)
    folder = tmp_path_factory.mktemp("room")
    (folder / "there").mkdir()
    return Trained(folder, *made_room(folder, mlflow_service, server).run(TRAIN + DOWNLOAD + BY_FOLDER))


def test_a_run_is_signed_with_the_bytes_that_mlflow_has(
    trained: Trained, server: Server, mlflow_service: LocalService
) -> None:
    folder, ids, logged = trained
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
    (folder / "there/registered_model_meta").unlink()  # MLflow's downloads add it, the server has it not
    assert model["digest"] == {"dirHash": hash_folder(folder / "there").dirhash}
    assert node(server, f"dirHash:{model['digest']['dirHash']}")["file_count"] == len(
        model["annotations"]["files"]
    )
    predicate = said["predicate"]
    inputs = {each["name"]: each for each in predicate["inputs"]}
    assert inputs["churn"]["digest"] == {"sha256": hash_file(folder / "train.csv")}
    assert inputs["train.py"]["digest"] == {"sha256": hash_file(folder / "train.py")}
    assert predicate["metrics"] == {"loss": 0.5}
    assert predicate["parameters"] == {"rate": "0.1"}
    assert predicate["environment"]["hostname"] == socket.gethostname()
    info, tags = mlflow_run(mlflow_service, ids["churn"])
    assert tags["lineage.signed"] == digest
    assert tags["lineage.base_model"] == "none"
    assert tags["lineage.dataset.churn.sha256"] == hash_file(folder / "train.csv")
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


def test_every_way_to_end_a_run_is_signed(room: Room, server: Server, mlflow_service: LocalService) -> None:
    ids, logged = room.run(EVERY_END)
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
    room: Room, mlflow_service: LocalService, server: Server
) -> None:
    port = free_port()
    room.environment["LINEAGE_URL"] = f"http://127.0.0.1:{port}"
    first, logged = room.run(PLAIN)
    assert logged.count("lineage send-spooled") == 1, logged
    assert mlflow_status(mlflow_service, first["plain"]) == "FINISHED"
    assert len(room.waiting()) == 1
    with relay(server.url, port):
        second, logged = room.run(PLAIN)
    assert "lineage" not in logged
    assert room.waiting() == []
    third, _ = room.run(PLAIN)
    assert len(room.waiting()) == 1
    with relay(server.url, port):
        assert len(json.loads(room.lineage("send-spooled", "--json"))["sent"]) == 1
        assert room.lineage("send-spooled") == "Nothing waited.\n"
    assert [len(statements(server, ids["plain"])) for ids in (first, second, third)] == [1, 1, 1]


def test_a_run_that_must_be_recorded_fails_where_it_is_not(room: Room, mlflow_service: LocalService) -> None:
    room.environment["LINEAGE_URL"] = "http://127.0.0.1:9"
    beginning = BEGINNING.replace("lm.autosign()", "lm.autosign(fail_closed=True)")
    body = (
        'run = mlflow.start_run(run_name="strict")\n'
        'ids["strict"] = run.info.run_id\n'
        "import lineage.client.mlflow_signing as signing\nsigning.FAIL_CLOSED_SECONDS = 3.0\n"
        'try:\n    mlflow.end_run()\nexcept Exception as error:\n    print("RAISED", type(error).__name__)\n'
    )
    ids, _ = room.run(body, beginning=beginning)
    assert mlflow_status(mlflow_service, ids["strict"]) == "FAILED"
    assert len(room.waiting()) == 1


WRONG = {
    "LINEAGE_KEY": "/nowhere/k.pem",
    "LINEAGE_MLFLOW_SOURCE": "Not A Name",
    "LINEAGE_URL": "ftp://nowhere",
    "LINEAGE_SPOOL": "/dev/null/spool",
}
EACH_WRONG = f"""
import os
right = dict(os.environ)
for name, value in {WRONG!r}.items():
    os.environ[name] = value
    print("SET", name, file=sys.stderr)
    lm.autosign()
    with mlflow.start_run() as run:
        lm.used("train.csv")
        ids[name] = run.info.run_id
    os.environ[name] = right[name]
"""


def test_a_wrong_setting_is_one_warning_and_training_goes_on(
    room: Room, mlflow_service: LocalService
) -> None:
    ids, logged = room.run(EACH_WRONG, beginning=BEGINNING.replace("lm.autosign()", ""))
    before, *by_name = logged.split("SET ")
    assert "will not be signed" not in before
    assert [part.split()[0] for part in by_name] == list(WRONG)
    assert [part.count("will not be signed") for part in by_name] == [1] * len(WRONG)
    assert {name: mlflow_status(mlflow_service, ids[name]) for name in WRONG} == dict.fromkeys(
        WRONG, "FINISHED"
    )
    assert room.waiting() == []


def test_a_server_that_never_answers_does_not_hold_training(room: Room, mlflow_service: LocalService) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        room.environment["LINEAGE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        body = 'with mlflow.start_run() as run:\n    ids["on"] = run.info.run_id\n'
        ids, logged = room.run(body)
    assert "did not answer in time" in logged
    assert mlflow_status(mlflow_service, ids["on"]) == "FINISHED"
    assert len(room.waiting()) == 1


def test_what_the_sync_sees_is_the_same_run(
    trained: Trained, server: Server, mlflow_service: LocalService
) -> None:
    """Signed and observed name the same nodes, and the tags are none of the changes after the end."""
    with followed(server, mlflow_service):
        for name, run_id in trained.ids.items():
            run = node(server, run_key(run_id))
            assert (name, run["status"], run["reasons"]) == (name, "verified", [])
            (made,) = run["effects"]
            assert len(made["support"]) == 2, "signed, and observed"
            assert not any(each["node"]["key"].startswith("uri:") for each in run["causes"])
            seen = server.call("GET", f"/api/v1/nodes/{run['key']}/observations").json()["observations"]
            assert [each["after_end"] for each in seen if each["kind"] == "run"] == [False]


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
    room.run("", beginning=WITHOUT_MLFLOW, itself=True)
    key = "run:" + hashlib.sha256(b"urn:lineage:recording:churn\n4711").hexdigest()
    run = node(server, key)
    assert (run["status"], run["name"]) == ("verified", "churn")
    made = [each["node"]["key"] for each in run["effects"]]
    assert made == [f"sha256:{hashlib.sha256(b'weights').hexdigest()}"]

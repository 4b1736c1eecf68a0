"""The example as `lineage up` runs it, with its MLflow server: what an officer sees afterwards happened."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import urllib3

from lineage.artifacts.hashing import hash_folder
from lineage.processes import alive
from tests import forks
from tests.integration.uptree import Up, children, settings, until, up
from tests.server import free_port

pytestmark = pytest.mark.service

OBSERVATION = "urn:lineage:predicate:mlflow-observation:v1"
TRAINING_RUN = "urn:lineage:predicate:training-run:v1"
PROJECT = "tumour-screening"
EXAMPLE_SECONDS = 600.0
"""It takes 30 s, half of it MLflow's start."""


class Installation:
    """A running server and the folder that the example left behind."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.url = url
        scopes = ("--scope", "read", "--scope", "operate")
        self.token = self.lineage("tokens", "create", "--name", "test", *scopes).strip()

    def lineage(self, *arguments: str) -> str:
        return self.run("-m", "lineage.cli", *arguments)

    def run(self, *arguments: str) -> str:
        done = forks.run(arguments, env=settings(self.home), cwd=Path.cwd())
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str, **fields: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = urllib3.request("GET", f"{self.url}/api/v1/{path}", fields=fields, headers=headers)
        assert answer.status == 200, answer.data
        return answer.json()

    def statements(self, predicate_type: str) -> list[dict[str, Any]]:
        """What was said with this predicate, the newest first."""
        found = self.get("attestations", predicate_type=predicate_type)["attestations"]
        envelopes = [self.get(f"attestations/{each['digest']}/envelope") for each in found]
        return [json.loads(base64.b64decode(envelope["payload"])) for envelope in envelopes]

    @property
    def signed(self) -> int:
        """The newest statement by somebody else than the platform; that looks again whenever it is due."""
        return int(self.get("attestations", trust="signed")["attestations"][0]["index"])

    @property
    def served(self) -> bytes:
        """The model that was altered, as it lies there."""
        return (self.home / "example" / "serving" / "current" / "model.safetensors").read_bytes()

    @cached_property
    def observed(self) -> list[dict[str, Any]]:
        """What the collector recorded of MLflow, oldest first."""
        return [each["predicate"] for each in reversed(self.statements(OBSERVATION))]

    def run_named(self, name: str) -> Any:
        """A run's node."""
        return self.get(f"nodes/{names(self.get('nodes', kind='run'))[f'{PROJECT} {name}']['key']}")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("example") / "home"
    with up(home, free_port(), "--demo") as running:
        kill_mlflow(running)
        done, said = home / "example-done", home.parent / "stderr"
        until(
            lambda: done.exists() or "Example: failed" in said.read_text(),
            "the end of the example",
            EXAMPLE_SECONDS,
        )
        assert done.exists(), said.read_text()
        made = Installation(home, running.url)
        # Run again it finds everything done: nothing more is said, and the altered file is left alone.
        before = made.signed, made.served
        made.run("-m", "lineage.example")
        assert (made.signed, made.served) == before
        until(lambda: made.get("nodes", kind="deployment")["total"], "the graph to follow the last statement")
        yield made


def kill_mlflow(running: Up) -> None:
    """Its absence stops nothing, and it is started again, which the example waits for."""
    before = until(lambda: mlflow(running), "the MLflow server to be started")
    os.kill(before, signal.SIGKILL)
    until(lambda: mlflow(running) not in {0, before}, "another one")
    assert running.get("/health/ready") == 200


def mlflow(running: Up) -> int:
    """The process id of the MLflow server, 0 where there is none."""
    known = children(running.process.pid)
    return next((pid for pid, words in known.items() if "mlflow_process server" in words), 0)


def names(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in found["nodes"]}


def test_the_model_is_the_folder_on_disk(example: Installation) -> None:
    models = names(example.get("nodes", kind="model"))
    assert set(models) == {PROJECT, f"{PROJECT}/model.safetensors", f"{PROJECT}-by-hand"}
    folder = models[PROJECT]
    assert folder["key"] == "dirHash:" + hash_folder(example.home / "example" / "store" / "model").dirhash
    assert folder["status"] == "verified"
    assert folder["notes"] == []
    copies = example.get(f"nodes/{folder['key']}")["copies"]
    assert {(copy["storage"] == "mlflow-example", copy["outcome"]) for copy in copies} == {
        (True, "match"),
        (False, "match"),
    }


def test_the_served_file_descends_from_the_raw_data(example: Installation) -> None:
    served = names(example.get("nodes", kind="model"))["tumour-screening/model.safetensors"]["key"]
    closure = example.get(f"nodes/{served}/ancestors")
    assert "tumour-screening/raw/wisconsin.csv" in names(closure)
    assert {node["kind"] for node in closure["nodes"]} == {"artifact", "run"}
    deployments = example.get(f"nodes/{served}/descendants")
    assert [node["kind"] for node in deployments["nodes"]] == ["deployment"]


def test_data_that_nobody_hashed_is_a_gap(example: Installation) -> None:
    ranges = names(example.get("nodes", kind="dataset"))["Reference ranges 2024"]
    assert ranges["key"].startswith("uri:")
    assert ranges["status"] == "unverified"
    assert "uri-only" in ranges["reasons"]
    served = names(example.get("nodes", kind="model"))["tumour-screening/model.safetensors"]["key"]
    gaps = example.get(f"nodes/{served}")["gaps"]
    assert ranges["key"] in {gap["key"] for gap in gaps}


def test_the_run_that_read_it_is_unverified_and_the_others_are_verified(example: Installation) -> None:
    runs = names(example.get("nodes", kind="run"))
    status = {name.removeprefix("tumour-screening "): node["status"] for name, node in runs.items()}
    assert status == {
        "preparation": "unverified",
        "training": "verified",
        "evaluation": "verified",
        "conversion": "verified",
        "by hand": "unverified",
    }
    assert runs["tumour-screening preparation"]["reasons"] == ["input-undigested"]


def test_the_training_is_one_run_that_signer_and_collector_agree_on(example: Installation) -> None:
    training = example.run_named("training")
    assert (training["status"], training["reasons"]) == ("verified", [])
    assert {name["trust"] for name in training["names"]} == {"signed", "observed"}
    (signed,) = (
        said["subject"]
        for said in example.statements(TRAINING_RUN)
        if said["predicate"]["builder"]["id"] == "urn:lineage:mlflow:example"
    )
    (seen,) = (  # once: nothing of it has changed since
        each["record"]["files"]
        for each in example.observed
        if each["object"]["kind"] == "logged-model-files" and each["object"]["name"] == PROJECT
    )
    assert len(seen) > 3
    assert [subject["annotations"]["files"] for subject in signed] == [
        {path: file["sha256"] for path, file in seen.items()}
    ]


def test_the_run_made_by_hand_is_seen_and_proves_nothing(example: Installation) -> None:
    by_hand = example.run_named("by hand")
    assert set(by_hand["reasons"]) == {"observed-only", "input-undigested"}
    own = {gap["slug"] for gap in by_hand["gaps"] if gap["key"] == by_hand["key"]}
    assert own >= {"base-model-unrecorded", "code-unrecorded", "dataset-undigested"}


def test_what_was_altered_after_it_finished_is_recorded_with_before_and_after(example: Installation) -> None:
    late = [each for each in example.observed if each.get("afterEnd")]
    assert {each["object"]["kind"] for each in late} == {"run", "logged-model-files"}
    changes = [change for each in late for change in each["changes"]]
    assert {change["field"] for change in changes} == {"tags", "datasets", "files"}
    assert {each["object"]["name"] for each in late} == {f"{PROJECT} by hand", f"{PROJECT}-by-hand"}
    (tag,) = (change for change in changes if change["field"] == "tags")
    assert (tag["name"], tag.get("before"), tag["after"]) == ("approved", None, "yes")
    recorded = {row["kind"]: row["changed"] for row in example.get("sources/example")["source"]["recorded"]}
    assert (recorded["run"], recorded["logged-model-files"]) == (1, 1)


def test_the_registered_model_has_a_champion(example: Installation) -> None:
    *_, registered = (each for each in example.observed if each["object"]["kind"] == "registered-model")
    assert registered["record"]["aliases"] == {"champion": "1"}
    (model,) = registered["about"]
    assert model["digest"] == {"dirHash": hash_folder(example.home / "example" / "store" / "model").dirhash}


def test_the_machine_is_there_without_evidence(example: Installation) -> None:
    (machine,) = example.get("nodes", kind="hardware")["nodes"]
    assert (machine["status"], machine["reasons"]) == ("unverified", ["no-evidence"])


def test_the_key_that_overstepped_was_refused(example: Installation) -> None:
    refusals = example.get("refusals")["refusals"]
    assert [refusal["slug"] for refusal in refusals] == ["not-allowed"]
    assert "data-team" in refusals[0]["detail"]


def test_the_model_that_was_altered_where_it_is_served_was_found_out(example: Installation) -> None:
    model = names(example.get("nodes", kind="model"))[f"{PROJECT}/model.safetensors"]
    assert (model["status"], model["reasons"]) == ("failed", ["copy-mismatch"])
    copies = {
        copy["location"].rpartition("/example/")[2]: copy
        for copy in example.get(f"nodes/{model['key']}")["copies"]
    }
    assert {place: copy["outcome"] for place, copy in copies.items()} == {
        "store/export/model.safetensors": "match",
        "serving/current/model.safetensors": "mismatch",
    }
    reason = copies["serving/current/model.safetensors"]["reason"]
    assert reason.startswith("The metadata key decision_threshold differs: expected ")


def test_what_was_made_by_hand_is_unsafe_to_load_or_no_longer_there(example: Installation) -> None:
    by_hand = [
        node for node in example.get("nodes", kind="model")["nodes"] if node["name"] == f"{PROJECT}-by-hand"
    ]
    assert {node["status"] for node in by_hand} == {"failed"}
    assert {"copy-mismatch", "unsafe-format"} <= {reason for node in by_hand for reason in node["reasons"]}


def test_everything_else_that_lies_somewhere_is_verified(example: Installation) -> None:
    data = names(example.get("nodes", kind="dataset"))
    for name in ("raw/wisconsin.csv", "train.csv"):
        assert (data[f"{PROJECT}/{name}"]["status"], data[f"{PROJECT}/{name}"]["notes"]) == ("verified", [])


def test_an_envelope_of_the_example_verifies_offline(example: Installation) -> None:
    folder = example.home / "example"
    told = example.lineage(
        "verify", str(folder / "envelopes" / "conversion.json"), "--json",
        "--key", str(folder / "keys" / "training-pipeline.pem.pub"),
        "--artifact", str(folder / "store" / "export" / "model.safetensors"),
    )  # fmt: skip
    assert [verdict["outcome"] for verdict in json.loads(told)] == ["verified"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_first_start_that_is_stopped_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    with up(tmp_path / "home", free_port(), "--demo", tables=True) as running:
        until(lambda: mlflow(running), "the MLflow server to be started")
        family = children(running.process.pid)
        assert running.stop(number) == (0 if number == signal.SIGINT else -number)
        until(lambda: not [pid for pid in family if alive(pid)], "the end of all of them")

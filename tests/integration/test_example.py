"""The example against a real `lineage up`: what an officer sees afterwards really happened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from lineage.artifacts.hashing import hash_folder
from tests.integration.uptree import settings, until, up
from tests.server import free_port


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
        done = subprocess.run(
            [sys.executable, *arguments], env=settings(self.home), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str, **fields: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = urllib3.request("GET", f"{self.url}/api/v1/{path}", fields=fields, headers=headers)
        assert answer.status == 200, answer.data
        return answer.json()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("example") / "home"
    with up(home, free_port()) as running:
        made = Installation(home, running.url)
        made.run("-m", "lineage.example")
        # Run again it finds everything done; the log has not grown.
        before = made.get("attestations")["attestations"][0]["index"]
        made.run("-m", "lineage.example")
        assert made.get("attestations")["attestations"][0]["index"] == before
        until(lambda: made.get("nodes", kind="deployment")["total"], "the graph to follow the last statement")
        yield made


def names(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["name"]: node for node in found["nodes"]}


def test_the_model_is_the_folder_on_disk(example: Installation) -> None:
    models = names(example.get("nodes", kind="model"))
    assert set(models) == {"tumour-screening/model", "tumour-screening/model.json"}
    folder = models["tumour-screening/model"]
    assert folder["key"] == "dirHash:" + hash_folder(example.home / "example" / "model").dirhash
    assert folder["status"] == "verified"
    assert folder["notes"] == ["bytes-not-checked"]


def test_the_served_file_descends_from_the_raw_data(example: Installation) -> None:
    served = names(example.get("nodes", kind="model"))["tumour-screening/model.json"]["key"]
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
    served = names(example.get("nodes", kind="model"))["tumour-screening/model.json"]["key"]
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
    }
    assert runs["tumour-screening preparation"]["reasons"] == ["input-undigested"]


def test_the_machine_is_there_without_evidence(example: Installation) -> None:
    (machine,) = example.get("nodes", kind="hardware")["nodes"]
    assert (machine["status"], machine["reasons"]) == ("unverified", ["no-evidence"])


def test_the_key_that_overstepped_was_refused(example: Installation) -> None:
    refusals = example.get("refusals")["refusals"]
    assert [refusal["slug"] for refusal in refusals] == ["not-allowed"]
    assert "data-team" in refusals[0]["detail"]


def test_an_envelope_of_the_example_verifies_offline(example: Installation) -> None:
    folder = example.home / "example"
    told = example.lineage(
        "verify", str(folder / "envelopes" / "conversion.json"), "--json",
        "--key", str(folder / "keys" / "training-pipeline.pem.pub"),
        "--artifact", str(folder / "serving" / "current" / "model.json"),
    )  # fmt: skip
    assert [verdict["outcome"] for verdict in json.loads(told)] == ["verified"]

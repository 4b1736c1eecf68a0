"""POST /api/v1/nodes/{key}/checks and GET /api/v1/jobs/{id}."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage import config
from lineage.artifacts.hashing import hash_file
from lineage.services import jobs
from tests import factories
from tests.conftest import Api, problem


@pytest.fixture
def stored(
    tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch, api: Api
) -> tuple[str, Path]:
    """The node key and path of an attested file under a storage root."""
    from dataclasses import replace

    settings = replace(config.current(), storage_roots=(tmp_path,))
    monkeypatch.setattr("lineage.services.storages.current", lambda: settings)
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights")
    digest = hash_file(path)
    copy = factories.artifact("model.bin", digest, downloadLocation=path.as_uri())
    api.attest(factories.registered().envelope(factories.statement(copy)))
    graph()
    return f"sha256:{digest}", path


def verify(api: Api, key: str) -> dict[str, object]:
    """Ask for the verification, let a worker do it, and read the job."""
    answer = api.post(f"/api/v1/nodes/{key}/checks")
    assert answer.status_code == 202
    job = answer.json()
    assert answer["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["kind"], job["key"]) == ("queued", "reverify", key)
    assert job["requested_by"].startswith("token:")
    jobs.drain("tests")
    done: dict[str, object] = api.get(answer["Location"]).json()
    return done


def test_verify_now_and_read_what_was_found(
    api: Api, stored: tuple[str, Path], graph: Callable[[], int]
) -> None:
    key, path = stored
    job = verify(api, key)
    assert (job["state"], job["result"]) == (
        "done", {"checked": 1, "match": 1, "mismatch": 0, "inconclusive": 0}
    )  # fmt: skip
    entries: Any = job["entries"]
    assert graph() == max(entries) + 1
    assert api.get(f"/api/v1/nodes/{key}").json()["status"] == "verified"
    path.write_bytes(b"altered")
    assert verify(api, key)["result"]["mismatch"] == 1  # type: ignore[index]
    graph()
    node = api.get(f"/api/v1/nodes/{key}").json()
    assert (node["status"], node["reasons"]) == ("failed", ["copy-mismatch"])
    checks = api.get(f"/api/v1/nodes/{key}/checks").json()["checks"]
    assert [(row["outcome"], row["trust"]) for row in checks] == [
        ("mismatch", "observed"), ("match", "observed")
    ]  # fmt: skip


def test_asking_twice_is_one_job(api: Api, stored: tuple[str, Path]) -> None:
    asked = [api.post(f"/api/v1/nodes/{stored[0]}/checks").json()["id"] for _ in range(2)]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("key", ["sha256:" + "0" * 64, "run:" + "0" * 64])
def test_an_unknown_node(api: Api, key: str) -> None:
    assert problem(api.post(f"/api/v1/nodes/{key}/checks")) == (404, "not-found")


def test_no_key_at_all(api: Api) -> None:
    assert problem(api.post("/api/v1/nodes/model.bin/checks")) == (400, "malformed")


@pytest.mark.parametrize("number", ["0", "1", "9" * 40])
def test_an_unknown_job(api: Api, number: str) -> None:
    assert problem(api.get(f"/api/v1/jobs/{number}")) == (404, "not-found")


def test_a_misspelt_parameter(api: Api) -> None:
    assert problem(api.get("/api/v1/jobs/1", as_of="3")) == (400, "malformed")


def test_a_failed_job_says_why(api: Api, graph: Callable[[], int]) -> None:
    graph()
    job_id = jobs.enqueue("reverify", "sha256:" + "0" * 64)
    jobs.drain("tests")
    job = api.get(f"/api/v1/jobs/{job_id}").json()
    assert job["state"] == "failed"
    assert "NotFoundError" in job["reason"]

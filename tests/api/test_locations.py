"""/api/v1/locations: storages in, never a secret out; figures; a try and a check of all that lies there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage.config import current
from lineage.db.models import Job, Storage, StorageSweep
from lineage.graph.check_policy import CheckPolicy, Limits
from lineage.services import decide_checks, storage_access, storages
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api, problem
from tests.integration.projections import ROOT, check, key_of, observe, send

URL = "/api/v1/locations"
SECRET, TOKEN = "first-secret-value", "first-token-value"
HOUR_US = 3600 * 1_000_000


def new(**values: Any) -> dict[str, Any]:
    return {"name": "models", "kind": "s3", "uri": "s3://models/prod", **values}


def patch(api: Api, form: Any, name: str = "models") -> Any:
    return api.http.patch(f"{URL}/{name}", json.dumps(form), content_type="application/json")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, log: None) -> str:
    """The name of a folder that is configured."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(storages, "current", lambda: rooted)
    (place,) = storages.listed()
    return place.name


def test_a_storage_is_added_read_changed_and_removed(api: Api) -> None:
    answer = api.post(URL, new(username="AKIA", secret=SECRET, token=TOKEN))
    assert (answer.status_code, answer["Location"]) == (201, f"{URL}/models")
    record = answer.json()
    assert (record["state"], record["has_secret"], record["has_token"]) == ("unknown", True, True)
    assert record["created_by"].startswith("token:")
    assert api.get(URL).json() == {"locations": [record]}
    assert api.get(f"{URL}/models").json()["location"] == record
    changed = patch(api, {"region": "eu-west-1", "paused": True})
    assert changed.json() == {**record, "region": "eu-west-1", "paused": True, "state": "paused"}
    assert storage_access.access_of(Storage.objects.get()).secret == SECRET
    removed = api.http.delete(f"{URL}/models")
    assert (removed.status_code, removed.json()) == (200, changed.json())
    assert problem(api.get(f"{URL}/models")) == (404, "not-found")


def test_no_secret_is_in_any_answer(api: Api) -> None:
    answers = [
        api.post(URL, new(username="AKIA", secret=SECRET, token=TOKEN)),
        api.get(URL),
        api.get(f"{URL}/models"),
        patch(api, {"secret": f"{SECRET}\n"}),
        patch(api, {"token": f"{TOKEN} x"}),
        patch(api, {"secret": [SECRET]}),
        patch(api, {"uri": f"https://ann:{SECRET}@h/x"}),
        patch(api, {"uri": "s3://theirs"}),
        api.post(URL, new(secret=SECRET)),
        api.http.delete(f"{URL}/models"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 400, 400, 400, 400, 400, 400, 200]
    told = "".join(answer.content.decode() + str(answer.headers) for answer in answers)
    assert SECRET not in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("form", "where"),
    [
        (new(name="Models"), "name"),
        (new(name="mlflow-lab"), "name"),
        (new(kind="file"), "$.kind"),
        (new(kind=1), "$.kind"),
        (new(uri="gs://models"), "uri"),
        (new(uri=["s3://models"]), "$.uri"),
        (new(endpoint="https://u:p@h"), "endpoint"),
        (new(secret="x"), "username"),
        (new(insecure_http="yes"), "$.insecure_http"),
        (new(insecure_http=True), "insecure_http"),
        (new(ca_pem="x"), "ca_pem"),
        (new(has_secret=True), ""),
        ({"name": "models", "kind": "s3"}, ""),
    ],
)
def test_what_is_wrong_is_named(api: Api, form: dict[str, Any], where: str) -> None:
    answer = api.post(URL, form)
    assert problem(answer) == (400, "malformed")
    assert answer.json().get("where", "") == where
    assert not Storage.objects.exists()


def test_a_name_is_used_once_and_never_changes(api: Api, folder: str) -> None:
    api.post(URL, new())
    assert problem(api.post(URL, new(uri="s3://other"))) == (409, "conflict")
    assert problem(api.post(URL, new(name="second"))) == (409, "conflict")
    assert problem(patch(api, {"name": "other"})) == (400, "malformed")
    assert problem(patch(api, {"kind": "gcs"})) == (400, "malformed")
    for name in ("nothing", folder):
        assert problem(patch(api, {"paused": True}, name)) == (404, "not-found")
        assert problem(api.http.delete(f"{URL}/{name}")) == (404, "not-found")


def test_a_try_says_what_is_wrong_and_is_remembered(api: Api, folder: str) -> None:
    api.post(URL, new(endpoint="http://169.254.169.254"))
    for name in ("models", folder):
        found = api.post(f"{URL}/{name}/check").json()
        assert found["ok"] is False
        assert found["reason"]
        record = api.get(f"{URL}/{name}").json()["location"]
        assert (record["state"], record["failures"]) == ("gone", 1)
        assert record["error"] in found["reason"]
        assert record["gone_at"]
    assert problem(api.post(f"{URL}/nothing/check")) == (404, "not-found")


def test_a_check_of_all_that_is_due_is_put_in_line(api: Api, folder: str) -> None:
    answer = api.post(f"{URL}/{folder}/verify", {"method": "full"})
    job = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/jobs/{job['id']}")
    assert (job["kind"], job["key"], job["state"]) == ("reverify", f"storage:{folder}", "queued")
    assert Job.objects.get().arguments == {"method": "full"}
    assert api.post(f"{URL}/{folder}/verify", {}).json()["id"] == job["id"]
    assert problem(api.post(f"{URL}/{folder}/verify", {"method": "quick"})) == (400, "malformed")
    assert problem(api.post(f"{URL}/nothing/verify", {})) == (404, "not-found")
    api.post(URL, new(paused=True))
    assert problem(api.post(f"{URL}/models/verify", {})) == (409, "conflict")
    patch(api, {"paused": False})
    assert api.post(f"{URL}/models/verify", {}).status_code == 202
    # Quiet from a while before now until a while after: the hours may not fill the day.
    minute = now_us() // 60_000_000 % 1440
    hours = (Limits("s3://models", quiet=(((minute - 60) % 1440, (minute + 60) % 1440),)),)
    decide_checks.set_check_policy(CheckPolicy(limits=hours), person=factories.PERSON)
    Job.objects.all().delete()
    assert problem(api.post(f"{URL}/models/verify", {})) == (409, "conflict")
    assert not Job.objects.exists()


def test_figures_of_what_lies_there(api: Api, folder: str, graph: Callable[[], int]) -> None:
    keys = []
    for name in ("good", "bad", "new"):
        made = factories.artifact(name, downloadLocation=f"file://{ROOT}/{name}")
        send(factories.registered(), factories.statement(made))
        keys.append(key_of(name))
    observe(check(factories.sha256("good"), f"file://{ROOT}/good", "match", now_us() - 48 * HOUR_US))
    entry = observe(check(factories.sha256("bad"), f"file://{ROOT}/bad", "mismatch", now_us() - HOUR_US))
    graph()
    now = now_us()
    StorageSweep.objects.create(
        storage=folder, job_id=1, entry_index=entry, started_us=now - 2_000_000, finished_us=now,
        bytes=1000, matches=1, mismatches=1, inconclusive=0,
    )  # fmt: skip
    found = api.get(f"{URL}/{folder}").json()
    copies = found["location"]["copies"]
    assert (copies["match"], copies["mismatch"], copies["never_checked"], copies["overdue"]) == (1, 1, 1, 0)
    assert [(each["period"], each["copies"], each["read_bytes"]) for each in found["coverage"]] == [
        ("day", 1, 1000), ("week", 2, 1000), ("month", 2, 1000)
    ]  # fmt: skip
    (sweep,) = found["sweeps"]
    assert (sweep["entry"], sweep["seconds"], sweep["bytes_per_second"]) == (entry, 2.0, 500)
    assert api.get(f"/api/v1/attestations/{sweep['digest']}").json()["index"] == entry
    assert found["location"]["last_sweep"] == sweep
    assert [each["key"] for each in found["failed"]] == [keys[1]]


@pytest.mark.parametrize("scope", ["attest", "read", "check", "decide"])
def test_only_operators_configure(as_scope: Callable[..., Api], scope: str) -> None:
    api = as_scope(scope)
    assert problem(api.post(URL, new())) == (403, "forbidden")
    assert problem(patch(api, {})) == (403, "forbidden")
    assert problem(api.http.delete(f"{URL}/models")) == (403, "forbidden")
    assert problem(api.post(f"{URL}/models/check")) == (403, "forbidden")
    assert problem(as_scope("read").post(f"{URL}/models/verify", {})) == (403, "forbidden")
    assert problem(as_scope().get(URL)) == (401, "unauthenticated")

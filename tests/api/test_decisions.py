"""GET and POST /api/v1/decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.decisions import BODIES
from lineage.config import current
from lineage.db.models import Entry
from lineage.graph import check_policy
from lineage.services import check_policies, storages
from tests import factories
from tests.conftest import Api, problem
from tests.integration.projections import ROOT, key_of, status_at

URL = "/api/v1/decisions"


def test_who_decided_what(api: Api) -> None:
    signer = factories.registered(name="ci")
    factories.revoke(signer, reason="lost")
    answer = api.get(URL).json()
    assert answer["tree_size"] == 3
    assert [row["action"] for row in answer["decisions"]] == ["revoke-key", "register-key", "bootstrap"]
    newest = answer["decisions"][0]
    assert newest["person"] == factories.PERSON
    assert newest["body"]["reason"] == "lost"
    assert newest["subjects"] == [{"name": "ci", "digest": {"sha256": signer.key_id}}]
    assert api.get(f"/api/v1/attestations/{newest['digest']}").json()["index"] == newest["index"]


def test_pages_and_moments(api: Api) -> None:
    factories.registered()
    first = api.get(URL, limit=1).json()
    second = api.get(URL, limit=1, after=first["next"]).json()
    assert [row["index"] for row in (*first["decisions"], *second["decisions"])] == [1, 0]
    assert second["next"] is None
    assert [row["index"] for row in api.get(URL, as_of=1).json()["decisions"]] == [0]
    assert api.get(URL, as_of=0).json()["decisions"] == []


PLACE = f"file://{ROOT}/m.bin"
ABSENT = "sha256:" + "0" * 64
LIMIT = {"location": "s3://models"}
RULE = {"name": "x", "every": {"full": "1d"}}


@pytest.fixture
def storage_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under `ROOT` are copies, as if it had been configured."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(storages, "current", lambda: rooted)


@pytest.fixture
def artifact(api: Api, graph: Callable[[], int]) -> str:
    """The node key of an artifact that somebody signed for."""
    made = factories.artifact()
    assert api.attest(factories.registered().envelope(factories.statement(made))).status_code == 201
    graph()
    return key_of(made["name"])


@pytest.mark.usefixtures("storage_root")
def test_a_decision_is_an_entry_that_names_the_key(api: Api, artifact: str, graph: Callable[[], int]) -> None:
    form = {"action": "add-location", "artifact": artifact, "location": PLACE, "reason": "found there"}
    answer = api.post(URL, form)
    receipt = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, receipt["links"]["self"])
    assert receipt["predicate_type"] == "urn:lineage:predicate:decision:v1"
    newest = api.get(URL).json()["decisions"][0]
    assert (newest["index"], newest["action"]) == (receipt["index"], "add-location")
    assert newest["person"].startswith("token:token-")
    assert newest["body"] == {"artifact": artifact, "location": PLACE, "reason": "found there"}
    assert status_at(artifact, graph()) == ("unverified", "never-checked")
    assert api.post(URL, form | {"action": "withdraw-location"}).status_code == 201
    graph()
    assert problem(api.post(URL, form | {"action": "withdraw-location"})) == (409, "conflict")


def test_what_the_documentation_shows_is_taken(api: Api, artifact: str) -> None:
    for action in ("waive", "criticality"):
        answer = api.post(URL, BODIES[action] | {"artifact": artifact, "reason": "x"})
        assert answer.status_code == 201, answer.content
    assert api.post(URL, BODIES["check-policy"]).status_code == 201
    assert check_policies.current().default.full == 30 * 86_400
    assert problem(api.post(URL, BODIES["check-policy"])) == (409, "conflict")
    assert problem(api.post(URL, BODIES["criticality"])) == (404, "not-found")
    forever = {"action": "waive", "artifact": artifact, "finding": "unsafe-format", "until": None}
    assert api.post(URL, forever | {"reason": "ours"}).status_code == 201
    policy = check_policy.body(check_policy.DEFAULT)
    assert api.post(URL, {"action": "check-policy", "policy": policy}).status_code == 201
    assert check_policies.current() == check_policy.DEFAULT


def about(action: str, **members: Any) -> dict[str, Any]:
    """A decision about the artifact of the test, whose key stands for KEY."""
    return {"action": action, "artifact": "KEY", "reason": "x"} | members


def adopting(**members: Any) -> dict[str, Any]:
    return {"action": "check-policy", "policy": {"default": {"full": "7d"}} | members}


WRONG: dict[str, tuple[Any, int, str]] = {
    "nothing": ({}, 400, "$"),
    "a list": ([], 400, "$"),
    "no action": ({"artifact": "KEY", "reason": "x"}, 400, "$"),
    "another action": (about("register-key"), 400, "$.action"),
    "an action that is no text": (about("add-location") | {"action": 1}, 400, "$.action"),
    "a member that there is not": (about("criticality", level="low", person="me"), 400, "$"),
    "a member of another action": (about("criticality", level="low", location=PLACE), 400, "$"),
    "no location": (about("add-location"), 400, "$"),
    "a location that is none": (about("add-location", location="m.bin"), 400, "location"),
    "a location that is no text": (about("add-location", location=["m.bin"]), 400, "$.location"),
    "a location in no storage": (about("add-location", location="s3://x/y"), 400, "location"),
    "a location out of the root": (
        about("add-location", location=f"file://{ROOT}/%2e%2e/shadow"), 400, "location"
    ),
    "a location that nobody stated": (about("withdraw-location", location=PLACE), 404, ""),
    "a reason of two lines": (about("criticality", level="low", reason="a\nb"), 400, "reason"),
    "no reason": (about("criticality", level="low", reason=""), 400, "reason"),
    "an unknown artifact": (about("criticality", level="low", artifact=ABSENT), 404, "artifact"),
    "no artifact": (about("criticality", level="low", artifact="run:" + "0" * 64), 400, "artifact"),
    "a key with U+0000": (about("criticality", level="low", artifact="sha256:\0"), 404, "artifact"),
    "no level": (about("criticality", level="urgent"), 400, "$.level"),
    "no finding": (about("waive", finding="copy-mismatch", until=None), 400, "$.finding"),
    "no end": (about("waive", finding="unsafe-format"), 400, "$"),
    "an end that is no time": (about("waive", finding="unsafe-format", until="tomorrow"), 400, "until"),
    "an end that is past": (
        about("waive", finding="unsafe-format", until="2020-01-01T00:00:00Z"), 400, "until"
    ),
    "no policy": ({"action": "check-policy"}, 400, "$"),
    "a policy that is none": ({"action": "check-policy", "policy": "weekly"}, 400, "$.policy"),
    "an empty policy": ({"action": "check-policy", "policy": {}}, 400, "$.policy"),
    "a policy without full checks": (adopting(default={"quick": "1h"}), 400, "$.policy.default.full"),
    "a period that is none": (adopting(default={"full": "1 week"}), 400, "$.policy.default.full"),
    "a period that never ends": (adopting(default={"full": "99999d"}), 400, "$.policy.default.full"),
    "a rule without a name": (adopting(rules=[RULE | {"name": " "}]), 400, "$.policy.rules[0].name"),
    "a rule of another level": (
        adopting(rules=[RULE, RULE | {"criticality": ["x"]}]), 400, "$.policy.rules[1].criticality"
    ),
    "a rule for no location": (
        adopting(rules=[RULE | {"locations": ["models"]}]), 400, "$.policy.rules[0].locations"
    ),
    "too many rules": (adopting(rules=[RULE] * 101), 400, "$.policy"),
    "a member that policies have not": (adopting(often=True), 400, "$.policy"),
    "no bytes a second": (
        adopting(limits=[LIMIT | {"bytesPerSecond": 0}]), 400, "$.policy.limits[0].bytesPerSecond"
    ),
    "half a check at a time": (
        adopting(limits=[LIMIT | {"concurrency": 0.5}]), 400, "$.policy.limits[0].concurrency"
    ),
    "quiet hours without end": (
        adopting(limits=[LIMIT | {"quietHours": ["22:00-22:00"]}]), 400, "$.policy.limits[0].quietHours"
    ),
}  # fmt: skip


@pytest.mark.usefixtures("storage_root")
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told_and_leaves_nothing(api: Api, artifact: str, what: str) -> None:
    form, status, where = WRONG[what]
    if isinstance(form, dict) and form.get("artifact") == "KEY":
        form = form | {"artifact": artifact}
    size = Entry.objects.count()
    answer = api.post(URL, form)
    assert problem(answer) == (status, {400: "malformed", 404: "not-found"}[status])
    assert answer.json().get("where", "").rstrip("$") == where.rstrip("$")
    assert Entry.objects.count() == size


def test_a_body_that_is_not_json(api: Api) -> None:
    assert problem(api.post(URL, b"{")) == (400, "malformed")
    assert problem(api.post(URL, b'{"action": "criticality", "action": "waive"}')) == (400, "malformed")
    assert problem(api.post(URL, b"{}", "text/plain")) == (415, "unsupported-media-type")
    assert problem(api.post(URL, b" " * (1 << 20) + b"{}")) == (413, "too-large")
    nested = b'{"action": "check-policy", "policy": ' + b"[" * 100 + b"]" * 100 + b"}"
    assert problem(api.post(URL, nested)) == (413, "too-large")


@pytest.mark.parametrize("scope", ["attest", "read", "check", "operate"])
def test_only_who_may_decide(as_scope: Callable[..., Api], scope: str) -> None:
    assert problem(as_scope(scope).post(URL, BODIES["check-policy"])) == (403, "forbidden")
    assert problem(as_scope().post(URL, BODIES["check-policy"])) == (401, "unauthenticated")
    assert as_scope("decide").post(URL, BODIES["check-policy"]).status_code == 201

"""Redactions, holds and retention by POST /api/v1/decisions, and GET /api/v1/forgetting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineage.db.models import Entry, Refusal
from lineage.services import publish
from lineage.trust import tlog_proof
from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/decisions"
Follow = Callable[[], int]


@pytest.fixture
def sent(api: Api, graph: Follow) -> dict[str, Any]:
    """The receipt of an attestation."""
    made = factories.statement(factories.artifact("Ada's model"))
    receipt: dict[str, Any] = api.attest(factories.registered().envelope(made)).json()
    graph()
    return receipt


def form(receipt: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": "redact", "envelopes": [receipt["digest"]], "reason": "it names Ada"} | more


def test_the_bytes_answer_410_and_the_record_says_why(api: Api, sent: dict[str, Any], graph: Follow) -> None:
    publish.publish_once()
    where = f"/api/v1/attestations/{sent['digest']}/proof"
    before = api.get(where).content
    answer = api.post(URL, form(sent))
    assert answer.status_code == 201
    index = answer.json()["index"]
    gone = api.get(sent["links"]["envelope"])
    assert problem(gone) == (410, "redacted")
    assert gone.json()["decision"] == index
    assert "it names Ada" in gone.json()["detail"]
    record = api.get(sent["links"]["self"]).json()
    assert (record["redacted"]["index"], record["redacted"]["reason"]) == (index, "it names Ada")
    assert (record["trust"], record["payload"], record["signatures"]) == ("revoked", None, [])
    assert record["subjects"][0]["name"] == ""
    key = record["subjects"][0]["key"]
    graph()
    assert problem(api.get(f"/api/v1/nodes/{key}")) == (410, "redacted")
    listed = api.get("/api/v1/attestations", subject=key).json()["attestations"]
    assert [row["redacted"]["index"] for row in listed] == [index]
    assert "Ada" not in str(api.get("/api/v1/nodes", name="Ada").json())
    for proof in (before, api.get(where).content):
        _, leaf = tlog_proof.verify(tlog_proof.read(proof), [publish.verifier_key()])
        assert f"sha256:{leaf.envelope_digest}" == sent["digest"]
    now = api.get("/api/v1/forgetting").json()
    assert (now["redacted"], now["pending"], now["kept"], now["holds"]) == (1, 0, [], [])
    assert [(row["decided"]["index"], row["erased"]) for row in now["redactions"]] == [(index, 1)]
    assert now["tree_size"] == Entry.objects.count()


def test_the_same_bytes_again_bring_nothing_back(api: Api, graph: Follow) -> None:
    who = factories.registered()
    data = who.envelope(factories.statement(factories.artifact("Ada's model")))
    receipt = api.attest(data).json()
    graph()
    api.post(URL, form(receipt))
    again = api.attest(data)
    assert (again.status_code, again.json()["index"]) == (200, receipt["index"])
    assert again.json()["trust"] == "revoked"
    assert problem(api.get(receipt["links"]["envelope"])) == (410, "redacted")
    otherwise = who.envelope(factories.statement(factories.artifact("Ada's model")), keyid=None)
    size = Entry.objects.count()
    assert problem(api.attest(otherwise)) == (410, "redacted")
    assert Entry.objects.count() == size
    refusal = Refusal.objects.get()
    assert (refusal.slug, refusal.content, refusal.subjects) == ("redacted", None, "")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"reason": ""}, (400, "malformed")),
        ({"envelopes": []}, (400, "malformed")),
        ({"envelopes": ["sha256:zz"]}, (400, "malformed")),
        ({"envelopes": ["sha256:" + "0" * 64]}, (404, "not-found")),
        ({"envelopes": ["sha256:" + f"{n:064x}" for n in range(1_001)]}, (413, "too-large")),
        ({"erase_subjects": "yes"}, (400, "malformed")),
        ({"envelope": "x"}, (400, "malformed")),
    ],
    ids=["no reason", "none", "no digest", "unknown", "too many", "no bool", "unknown member"],
)
def test_what_is_refused(
    api: Api, sent: dict[str, Any], change: dict[str, Any], wanted: tuple[int, str]
) -> None:
    assert problem(api.post(URL, form(sent, **change))) == wanted
    assert api.get(sent["links"]["envelope"]).status_code == 200


def test_a_decision_is_not_redacted_and_nothing_twice(api: Api, sent: dict[str, Any], graph: Follow) -> None:
    decided = api.post(URL, form(sent)).json()
    graph()
    assert problem(api.post(URL, form(sent))) == (409, "conflict")
    assert problem(api.post(URL, form(decided))) == (409, "conflict")


def test_holds_and_retention(api: Api, sent: dict[str, Any], graph: Callable[[], int]) -> None:
    hold = {"action": "hold", "name": "case 7", "subjects": [sent["digest"]], "reason": "a court"}
    index = api.post(URL, hold).json()["index"]
    assert problem(api.post(URL, form(sent))) == (409, "conflict")
    policy = {
        "action": "retention",
        "classes": [{"name": "seen", "days": 7, "kinds": ["observation"]}, {"name": "rest", "days": None}],
        "reason": "the board",
    }
    adopted = api.post(URL, policy).json()["index"]
    now = api.get("/api/v1/forgetting").json()
    assert [(row["name"], row["subjects"]) for row in now["holds"]] == [("case 7", [sent["digest"]])]
    assert now["retention"]["decided"]["index"] == adopted
    assert [(row["name"], row["days"]) for row in now["retention"]["classes"]] == [
        ("seen", 7),
        ("rest", None),
    ]
    release = {"action": "release-hold", "hold": index, "reason": "closed"}
    assert api.post(URL, release).status_code == 201
    assert problem(api.post(URL, release)) == (409, "conflict")
    assert problem(api.post(URL, release | {"hold": 999})) == (404, "not-found")
    assert api.get("/api/v1/forgetting").json()["holds"] == []
    graph()
    assert api.post(URL, form(sent)).status_code == 201


def test_nobody_redacts_without_the_scope(as_scope: Callable[..., Api], sent: dict[str, Any]) -> None:
    assert problem(as_scope("attest", "read", "check", "operate").post(URL, form(sent))) == (403, "forbidden")

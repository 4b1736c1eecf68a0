"""The bodies of incident and close-incident: read as they were written, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.errors import MalformedError
from lineage.graph.model import Claim, ClaimKind
from lineage.predicates import decision as predicate
from lineage.trust import decisions, dsse, incident_decisions, statement
from lineage.trust.incident_decisions import Closed, Opened
from tests import factories

NODE = f"sha256:{factories.sha256('claims')}"
NAME = f"sha256:{factories.sha256('the envelope')}"
OPENED = Opened(NODE, "Poisoned labels", "high", "the vendor told us", "data office", "2027-01-01T00:00:00Z")
CLOSED = Closed(NAME, NODE, "trained again")


def built(body: Opened | Closed, **changes: Any) -> statement.Statement:
    payload = json.loads(incident_decisions.build("officer@example.org", 0, body, "claims.csv"))
    for place, value in changes.items():
        part = payload["subject"][0] if place == "digest" else payload["predicate"]["body"]
        part[place] = value
    return statement.parse(dsse.INTOTO_PAYLOAD_TYPE, json.dumps(payload).encode())


@pytest.mark.parametrize("body", [OPENED, CLOSED], ids=["opened", "closed"])
def test_what_was_built_is_read(body: Opened | Closed) -> None:
    said = built(body)
    decision = decisions.parse(said)
    assert incident_decisions.read(decision, said) == body
    rows = dict(incident_decisions.told(decision, said))
    assert NODE in rows.values()
    assert body.reason in rows.values()
    assert not decisions.changes_keys(decision)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (OPENED, {"title": " "}),
        (OPENED, {"reason": ""}),
        (OPENED, {"severity": "awful"}),
        (OPENED, {"until": "tomorrow"}),
        (OPENED, {"node": NODE[:-1] + "0"}),
        (OPENED, {"digest": {"sha512": "0" * 128}}),
        (OPENED, {"clears": True}),
        (OPENED, {"designates": "yes"}),
        (CLOSED, {"incident": "4711"}),
        (CLOSED, {"incident": "sha256:" + "A" * 64}),
        (CLOSED, {"reason": "\t"}),
        (CLOSED, {"title": "another"}),
        (CLOSED, {"node": 7}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else type(value).__name__,
)
def test_anything_else_is_refused(body: Opened | Closed, changes: dict[str, Any]) -> None:
    said = built(body, **changes)
    with pytest.raises(MalformedError):
        incident_decisions.read(decisions.parse(said), said)


def claims(body: Opened | Closed) -> tuple[Claim, ...]:
    return predicate.PREDICATE.project(built(body), "key:" + "aa" * 32).claims


def test_it_says_that_its_node_is_bad_only_where_it_says_so() -> None:
    assert claims(OPENED) == claims(CLOSED) == ()
    (bad,) = claims(Opened(NODE, "t", "low", "r", until="1970-01-01T00:00:01Z", designates=True))
    assert (bad.node, bad.kind, bad.value) == (NODE, ClaimKind.DESIGNATED, "1000000")
    (over,) = claims(Closed(NAME, NODE, "r", clears=True))
    assert (over.kind, over.value) == (ClaimKind.CLEARED, "0")


def test_a_key_is_not_designated_by_an_incident() -> None:
    lost = "key:" + "bb" * 32
    assert claims(Opened(lost, "A laptop is lost", "high", "r")) == ()
    with pytest.raises(MalformedError, match="not designated"):
        claims(Opened(lost, "A laptop is lost", "high", "r", designates=True))

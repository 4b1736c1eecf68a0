"""What a model affects that is live: a deployment has ended as its own signer said last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import factories
from tests.conftest import Api
from tests.factories import Signer

PAST, LATER, FUTURE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "2999-01-01T00:00:00Z"


def deployed(artifact: dict[str, Any], **members: str) -> dict[str, Any]:
    return _said("deployment", artifact, members)


def ended(artifact: dict[str, Any], on: str) -> dict[str, Any]:
    return _said("deployment-end", artifact, {"endedOn": on})


def _said(slug: str, artifact: dict[str, Any], members: dict[str, str]) -> dict[str, Any]:
    kind = f"urn:lineage:predicate:{slug}:v1"
    return factories.statement(artifact, predicate_type=kind, predicate={"name": artifact["name"], **members})


Made = Callable[[dict[str, Any]], list[dict[str, Any]]]
CASES: dict[str, tuple[Made, bool, str]] = {
    "deployed": (lambda a: [deployed(a)], True, ""),
    "retired": (lambda a: [deployed(a, retiredOn=PAST)], False, PAST),
    "to be retired": (lambda a: [deployed(a, retiredOn=FUTURE)], True, ""),
    "ended": (lambda a: [deployed(a), ended(a, PAST)], False, PAST),
    "ends later": (lambda a: [deployed(a), ended(a, FUTURE)], True, ""),
    "end corrected": (lambda a: [deployed(a), ended(a, PAST), ended(a, LATER)], False, LATER),
    "end put off": (lambda a: [deployed(a), ended(a, PAST), ended(a, FUTURE)], True, ""),
    "again": (lambda a: [deployed(a), ended(a, PAST), deployed(a, deployedOn=LATER)], True, ""),
    "again, and ended": (
        lambda a: [deployed(a), ended(a, PAST), deployed(a, deployedOn=PAST), ended(a, LATER)],
        False,
        LATER,
    ),
}
"""What is said in turn, whether it is live then, and when it had ended."""


@pytest.fixture
def ops(log: None) -> Signer:
    return factories.registered()


def test_an_end_is_what_was_said_last(api: Api, ops: Signer, graph: Callable[[], int]) -> None:
    artifacts = {name: factories.artifact() for name in CASES}
    lines = [ops.envelope(told) for name, (made, _, _) in CASES.items() for told in made(artifacts[name])]
    answer = api.post("/api/v1/attestations", b"\n".join(lines), "application/x-ndjson")
    assert answer.status_code == 200
    graph()
    found = {name: affected(api, artifact) for name, artifact in artifacts.items()}
    assert {name: each["live"] for name, each in found.items()} == {
        n: live for n, (_, live, _) in CASES.items()
    }
    assert {name: (each["ended"] or "")[:10] for name, each in found.items()} == {
        name: on[:10] for name, (_, _, on) in CASES.items()
    }


def test_nobody_ends_a_deployment_of_another_key(api: Api, ops: Signer, graph: Callable[[], int]) -> None:
    artifact, other = factories.artifact(), factories.registered()
    for line in (ops.envelope(deployed(artifact)), other.envelope(ended(artifact, PAST))):
        assert api.attest(line).status_code == 201
    graph()
    assert affected(api, artifact)["live"] is True


def affected(api: Api, artifact: dict[str, Any]) -> dict[str, Any]:
    """The one deployment among what an artifact affects."""
    found = api.get(f"/api/v1/nodes/sha256:{artifact['digest']['sha256']}/impact").json()
    (one,) = (each for each in found["affected"] if each["node"]["kind"] == "deployment")
    assert found["live_total"] == int(one["live"])
    return dict(one)

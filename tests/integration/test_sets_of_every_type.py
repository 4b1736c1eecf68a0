"""A set with one statement of each predicate type, good, malformed and unknown: told apart line by line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from lineage import predicates
from lineage.db.models import Edge, Node, SkippedEntry
from tests import factories
from tests.conftest import Api
from tests.unit.predicates.making import example, parsed

URL = "/api/v1/attestations"
OURS = ("check", "inventory", "mlflow-observation", "openlineage-observation", "decision")
"""What pipelines may not, or need not, say."""

SENT = [each for each in predicates.PREDICATES if each.example and each.slug not in OURS]


def malformed(document: dict[str, Any]) -> dict[str, Any]:
    """A predicate whose members are all of a type that none of them has."""
    return document | {"predicate": dict.fromkeys(document["predicate"], 7.5)}


def unknown(document: dict[str, Any]) -> dict[str, Any]:
    """The same content under a type that nobody knows here, about something else."""
    other = copy.deepcopy(document)
    other["predicateType"] += "/of-another-world"
    other["subject"] = [factories.artifact()]
    return other


@pytest.mark.django_db(transaction=True)
def test_the_good_become_lineage_and_the_bad_are_told(api: Api, graph: Callable[[], int]) -> None:
    signer, stranger = factories.registered(), factories.signer()
    lines: list[bytes] = []
    good: dict[int, dict[str, Any]] = {}
    bad: dict[int, dict[str, Any]] = {}
    others: dict[int, dict[str, Any]] = {}
    for predicate in SENT:
        document = example(predicate.example or "")
        good[len(lines)] = document
        bad[len(lines) + 1] = malformed(document)
        others[len(lines) + 2] = unknown(document)
        sent = [signer.envelope(each) for each in (document, bad[len(lines) + 1], others[len(lines) + 2])]
        lines += [*sent, stranger.envelope(document)]
    answer = api.post(URL, b"\n".join(lines), "application/x-ndjson")
    assert answer.status_code == 200
    told = [json.loads(line) for line in answer.content.splitlines()]
    # Nobody's word is refused on its own line. What a registered key signed is kept, well said or not.
    assert [number for number, line in enumerate(told) if "index" not in line] == list(
        range(3, len(lines), 4)
    )
    assert {line["type"] for line in told[3::4]} == {"urn:lineage:problem:signer-unknown"}
    graph()
    # What was badly said has no effect on the graph, and the graph says which and why.
    skipped = dict(SkippedEntry.objects.values_list("index", "reason"))
    assert set(skipped) == {told[number]["index"] for number in bad}
    assert all("$.predicate" in reason for reason in skipped.values())
    nodes = set(Node.objects.values_list("key", flat=True))
    for document in (*good.values(), *others.values()):
        delta = predicates.project(parsed(document), signer.key_id)
        assert set(delta.nodes) <= nodes
    ours = {edge for document in good.values() for edge in _edges(document, signer.key_id)}
    ours |= {edge for document in others.values() for edge in _edges(document, signer.key_id)}
    rows = Edge.objects.values_list("source__key", "type", "target__key")
    about = {
        key for document in good.values() for key in predicates.project(parsed(document), signer.key_id).nodes
    }
    assert {row for row in rows if row[0] in about} == {edge for edge in ours if edge[0] in about}


def _edges(document: dict[str, Any], key_id: str) -> set[tuple[str, str, str]]:
    delta = predicates.project(parsed(document), key_id)
    return {(edge.source, str(edge.type), edge.target) for edge in delta.edges}

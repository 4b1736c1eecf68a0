"""The run that started a run, as OpenLineage events say it: words, and no edge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage import predicates
from lineage.predicates.openlineage_observation import TYPE
from lineage.services import openlineage_events
from tests.unit.predicates.making import claims, edges, made, projected

PARENT = {"job": {"namespace": "acme", "name": "nightly"}, "run": {"runId": "0195553a"}}


def told(facets: Any) -> Any:
    event = {
        "eventType": "START",
        "run": {"runId": "1", "facets": facets},
        "job": {"namespace": "acme", "name": "prepare"},
    }
    read = openlineage_events.read(json.dumps(event).encode())
    subject = {"name": read.name, "digest": {"sha256": read.digest}}
    return made(TYPE, read.predicate | {"reportedBy": "token:t"}, subject)


@pytest.mark.parametrize("name", ["parent", "parentRun"])
def test_a_parent_is_words(name: str) -> None:
    statement = told({name: PARENT})
    delta = projected(statement)
    assert [value for _, kind, value in claims(delta) if value.startswith("Parent")] == [
        "Parent run: nightly 0195553a"
    ]
    assert edges(delta) == []
    assert ("Parent run", "nightly 0195553a") in predicates.describe(statement)


@pytest.mark.parametrize(
    "facets",
    [
        None,
        {},
        {"parent": None},
        {"parent": []},
        {"parent": {"run": "x", "job": 7}},
        {"parent": {"run": {"runId": {}}}},
    ],
    ids=["none", "empty", "null", "list", "others", "deep"],
)
def test_what_is_no_parent_is_none(facets: Any) -> None:
    assert not [value for _, _, value in claims(projected(told(facets))) if "Parent" in value]

"""Every type on what is too much, too long, too deep or odd: refused as such, or read, and nothing else.

What is changed is the type's example: so each list and each text that it has is reached.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import GraphDelta
from lineage.predicates import mlflow_observation
from lineage.predicates.base import PredicateType
from lineage.predicates.delta import MAX_TEXT_BYTES
from lineage.trust import statement
from tests.unit.predicates.making import SIGNER, example

WITH_EXAMPLE = [each for each in predicates.PREDICATES if each.example]
each_type = pytest.mark.parametrize("predicate", WITH_EXAMPLE, ids=lambda predicate: predicate.slug)

ODD = (
    "\x01\x1b[31m\x7f",
    "\u202egnp.exe\u2066",
    "e\u0301" * 40,
    "\U0001f9ea\U0010ffff\ufffe",
    "\u2028\u2029\x85",
    "<script>alert(1)</script>javascript:",
    " \t ",
)
"""Control characters, right to left, combining, beyond the basic plane, separators, markup, spaces."""


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every member and item below `value`, with its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name), inner
        yield from spots(inner, (*path, name))


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    altered = copy.deepcopy(document)
    holder: Any = altered
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return altered


def outcome(document: dict[str, Any]) -> GraphDelta | type[Exception]:
    """What is made of it: a graph, or which of the two refusals. Anything else comes out as it is."""
    try:
        told = statement.parse("application/vnd.in-toto+json", json.dumps(document).encode())
        delta = predicates.project(told, SIGNER)
        rows = predicates.describe(told)
        predicates.claimed(told, delta)
        known = predicates.find(told.predicate_type)
        assert known is not None
        known.bad_news(told)
    except (MalformedError, TooLargeError) as error:
        return type(error)
    texts = [claim.value for claim in delta.claims]
    assert not any("\0" in text for text in (*texts, *(part for row in rows for part in row)))
    assert all(len(text.encode()) <= MAX_TEXT_BYTES for text in texts)
    return delta


@each_type
def test_texts_that_are_odd(predicate: PredicateType) -> None:
    """Every text of the predicate in turn; a subject's name too."""
    document = example(predicate.example or "")
    paths = [path for path, value in spots(document["predicate"], ("predicate",)) if isinstance(value, str)]
    read = 0
    for number, path in enumerate([("subject", 0, "name"), *paths]):
        found = outcome(changed(document, path, f"a\0{ODD[number % len(ODD)]}b"))
        assert found is not TooLargeError
        read += isinstance(found, GraphDelta)
    assert read or predicate.slug in CHECKED, "an odd name is a name"


CHECKED = {"place", "supplier"}
"""Types whose texts are held to something else: a name to its digest, a country to its code."""


@each_type
def test_texts_that_are_too_long(predicate: PredicateType) -> None:
    document = example(predicate.example or "")
    for path, value in spots(document["predicate"], ("predicate",)):
        if isinstance(value, str):
            found = outcome(changed(document, path, value + "é" * MAX_TEXT_BYTES))
            assert found is not TooLargeError, "a long text is cut, or is none of its kind"


@each_type
def test_members_that_are_nested_too_deeply(predicate: PredicateType) -> None:
    document = example(predicate.example or "")
    deep: Any = "x"
    for _ in range(70):
        deep = [deep]
    assert outcome(changed(document, ("predicate", "extra"), deep)) is TooLargeError
    for name in document["predicate"]:
        assert outcome(changed(document, ("predicate", name), deep)) is TooLargeError


THINGS, ROWS, CHANGES = 20_000, 1_000, mlflow_observation.MAX_CHANGES
LIMITS = {
    "training-run": {"inputs": THINGS, "outputs": THINGS, "hardware": THINGS},
    "dataset": {"sources": THINGS},
    "model": {"baseModels": THINGS, "datasets": THINGS},
    "deployment": {"hardware": THINGS},
    "slsa-provenance": {"buildDefinition.resolvedDependencies": THINGS},
    "link": {"materials": THINGS},
    "check": {"rows": ROWS},
    "inventory": {"files": THINGS},
    "mlflow-observation": {"about": THINGS, "changes": CHANGES},
    "openlineage-observation": {"used": 2_000, "generated": 2_000},
    "verification-summary": {"inputAttestations": THINGS},
    "cyclonedx": {"components": THINGS, "formulation.0.workflows": 5_000},
    "spdx": {"@graph": 40_000},
    "witness-collection": {"attestations": 200},
    "model-signing": {"resources": 200_000},
    "dataset-transform": {"inputs": THINGS, "outputs": THINGS, "hardware": THINGS},
    "fine-tune": {"datasets": THINGS, "hardware": THINGS},
    "adapter": {"datasets": THINGS},
    "model-merge": {"parents": THINGS, "hardware": THINGS},
    "distillation": {"teachers": THINGS, "datasets": THINGS, "hardware": THINGS},
    "conversion": {"calibration": THINGS, "hardware": THINGS},
    "evaluation": {"metrics": ROWS, "datasets": THINGS, "hardware": THINGS},
    "ai-system": {"models": THINGS, "datasets": THINGS, "components": THINGS},
    "license": {"obligations": 100, "restrictions": 100},
    "slsa-provenance-v02": {"materials": THINGS},
    "scai": {"attributes": THINGS},
    "test-result": {"configuration": THINGS, "passedTests": THINGS, "warnedTests": THINGS},
    "runtime-trace": {"monitorLog.process": THINGS, "monitorLog.fileAccess": THINGS},
    "vulns": {"scanner.result": THINGS},
    "svr": {"verifier.policies": THINGS, "properties": THINGS},
    "reference": {"references": THINGS},
}
"""How many items a list of the predicate may have, by its path. Types without such a list are left out."""

CASES = [
    pytest.param(predicate, path, limit, id=f"{predicate.slug}-{path}")
    for predicate in WITH_EXAMPLE
    for path, limit in LIMITS.get(predicate.slug, {}).items()
]


@pytest.mark.parametrize(("predicate", "path", "limit"), CASES)
def test_lists_that_are_too_long(predicate: PredicateType, path: str, limit: int) -> None:
    document = example(predicate.example or "")
    steps = [int(step) if step.isdecimal() else step for step in path.split(".")]
    listed: Any = document["predicate"]
    for step in steps:
        listed = listed[step]
    item = (
        {"type": "library", "name": "l"}
        if path == "components" and predicate.slug == "cyclonedx"
        else listed[0]
    )
    marked = json.dumps(changed(document["predicate"], tuple(steps), "MANY"))
    many = ",".join([json.dumps(item)] * (limit + 1))
    told = statement.parse("application/vnd.in-toto+json", json.dumps(document | {"predicate": {}}).encode())
    told = statement.Statement(
        told.type,
        told.predicate_type,
        told.subjects,
        marked.replace('"MANY"', f"[{many}]").encode(),
        told.payload,
        told.digest,
    )
    with pytest.raises(TooLargeError) as caught:
        predicates.project(told, SIGNER)
    assert caught.value.limit == limit

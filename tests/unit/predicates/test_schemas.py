"""Schemas and examples: each example is valid and projects, and schema and code refuse the same things."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from lineage import predicates
from lineage.errors import MalformedError
from lineage.predicates.artifact_refs import ROLES
from tests.unit.predicates.making import ROOM, example, parsed, projected, schema

WITH_SCHEMA = [predicate for predicate in predicates.PREDICATES if predicate.schema]
NAMES = [predicate.example for predicate in WITH_SCHEMA if predicate.example]
FOREIGN = [
    predicate.example for predicate in predicates.PREDICATES if predicate.example not in {None, *NAMES}
]
"""Examples of types whose schema is for others to give."""

BOTH = (True, True), (False, False)
"""What the schema and the code say of a document, where they agree."""

Path = tuple[str | int, ...]

FREE = {
    "annotations",
    "parameters",
    "metrics",
    "digest",
    "record",
    "conditions",
    "tracePolicy",
    "process",
    "event",
}
"""Objects whose members are the writer's own words, or are checked against something else."""

ALONE = {"hardware-node.json", "supplier.json", "place.json"}
"""Examples about a machine, a name, a site: without the model."""

NULLABLE = {"before", "after"}
"""Members where null has a meaning of its own."""


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every member and item below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*path, name)
        if name not in FREE:
            yield from _paths(inner, (*path, name))


def _members(name: str) -> list[Path]:
    found = list(_paths(example(name)["predicate"], ("predicate",)))
    assert found
    return found


def _holder(document: Any, path: Path) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name))


def _valid(name: str, document: Any) -> bool:
    return bool(_validator(name).is_valid(document))


def _projects(document: Any) -> bool:
    try:
        projected(parsed(document))
    except MalformedError:
        return False
    return True


def test_all_files_are_declared() -> None:
    assert {predicate.schema for predicate in WITH_SCHEMA} == {
        p.name for p in (ROOM / "schemas").glob("*.json")
    }
    assert set(NAMES) | set(FOREIGN) == {p.name for p in (ROOM / "examples").glob("*.json")}
    assert len(WITH_SCHEMA) == 29


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_valid_project_and_can_be_described(name: str) -> None:
    _validator(name).validate(example(name))
    told = parsed(example(name))
    assert projected(told).nodes
    assert all(label and value for label, value in predicates.describe(told))
    known = predicates.find(told.predicate_type)
    assert known is not None
    assert known.example == name


def test_examples_tell_one_story() -> None:
    """The model of one example is the output, subject or deployed artifact of the others."""
    nodes = [set(projected(parsed(example(name))).nodes) for name in NAMES if name not in ALONE]
    assert any(key.startswith("dirHash:") for key in set.union(*nodes))
    run = set(projected(parsed(example("training-run.json"))).nodes)
    for name in set(NAMES) - ALONE | {"hardware-node.json"}:
        assert run & {key for key in projected(parsed(example(name))).nodes if not key.startswith("key:")}, (
            name
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_type_is_refused_by_schema_and_code(name: str) -> None:
    told = []
    for path in _members(name):
        original = _holder(example(name), path)[path[-1]]
        wrong: Any
        for wrong in ("text", 7, 1.5, True, [], {}, [7], {"a": 7}, ["text"], [[]]):
            if isinstance(wrong, type(original)) or (isinstance(original, dict) and isinstance(wrong, dict)):
                continue
            if isinstance(original, float) and type(wrong) is int:
                continue  # an integer is a number
            document = example(name)
            _holder(document, path)[path[-1]] = copy.deepcopy(wrong)
            if (judged := (_valid(name, document), _projects(document))) != (False, False):
                told.append((path, wrong, judged))
    assert told == []


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_member_is_judged_alike_by_schema_and_code(name: str) -> None:
    told = []
    for path in _members(name):
        if isinstance(path[-1], str):
            document = example(name)
            del _holder(document, path)[path[-1]]
            if (judged := (_valid(name, document), _projects(document))) not in BOTH:
                told.append((path, judged))
    assert told == []


@pytest.mark.parametrize("name", NAMES)
def test_null_is_never_more_than_malformed(name: str) -> None:
    told = []
    for path in _members(name):
        document = example(name)
        _holder(document, path)[path[-1]] = None
        judged = _valid(name, document), _projects(document)
        if document["predicateType"].startswith("urn:lineage:"):
            right = judged[0] == (path[-1] in NULLABLE)
        else:  # in-toto: null is as good as absent
            right = judged in BOTH
        if not right:
            told.append((path, judged))
    assert told == []


def test_shared_definitions_are_the_same_in_every_schema() -> None:
    seen: dict[str, Any] = {}
    for name in NAMES:
        for definition, body in schema(name)["$defs"].items():
            assert seen.setdefault(definition, body) == body, (name, definition)
    assert seen["role"]["enum"] == sorted(ROLES)


@pytest.mark.parametrize("name", FOREIGN)
def test_examples_of_foreign_types_project_and_can_be_described(name: str) -> None:
    told = parsed(example(name))
    assert projected(told).nodes
    assert all(label and value for label, value in predicates.describe(told))


def test_the_bills_are_what_their_official_readers_expect() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    raw = json.dumps(example("cyclonedx.json")["predicate"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(raw) is None
    from spdx_python_model import v3_0_1 as spdx

    objects = spdx.SHACLObjectSet()
    spdx.JSONLDDeserializer().deserialize_data(example("spdx.json")["predicate"], objects)
    assert {type(each).__name__ for each in objects.objects} >= {"ai_AIPackage", "dataset_DatasetPackage"}
    assert not objects.missing_ids

"""CycloneDX BOMs of the specification: judged by its own schemas, and read as predicates.

The reader judges what lineage reads. Three broken BOMs are broken elsewhere, and are read all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from referencing import Registry, Resource

from lineage import predicates
from lineage.errors import MalformedError
from tests.unit.predicates.making import SIGNER, made

FAMILY = "cyclonedx"
BROKEN_ELSEWHERE = {
    "1.7/invalid-license-id-1.7.json",
    "1.7/invalid-metadata-license-1.7.json",
    "1.7/invalid-properties-1.7.json",
}
"""Licence ids that are not in SPDX's list, which grows, and free properties."""


@cache
def validator(folder: Path, version: str) -> Callable[[Any], bool]:
    """Whether a BOM is valid by the official schema, formats too."""
    import jsonschema  # type: ignore[import-untyped]

    schemas = {path.name: json.loads(path.read_text()) for path in folder.glob("*.schema.json")}
    registry: Registry[Any] = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}", Resource.from_contents(schema))
        for name, schema in schemas.items()
    )
    schema = schemas[f"bom-{version}.schema.json"]
    formats = jsonschema.Draft7Validator.FORMAT_CHECKER
    assert {"date-time", "iri-reference", "uri"} <= set(formats.checkers)
    checked: Callable[[Any], bool] = jsonschema.Draft7Validator(
        schema, registry=registry, format_checker=formats
    ).is_valid
    return checked


def test_the_official_schema_judges_as_expected(vectors: Path, case: dict[str, Any]) -> None:
    version = case["file"].split("/")[0]
    document = json.loads((vectors / case["file"]).read_text())
    assert validator(vectors / "schema", version)(document) == (case["expect"] == "verified")


def test_read_as_a_predicate(vectors: Path, case: dict[str, Any]) -> None:
    told = made("https://cyclonedx.org/bom", json.loads((vectors / case["file"]).read_text()))
    if case["expect"] == "verified" or case["file"] in BROKEN_ELSEWHERE:
        assert predicates.project(told, SIGNER).edges
        assert predicates.describe(told)
        return
    for read in (lambda: predicates.project(told, SIGNER), lambda: predicates.describe(told)):
        with pytest.raises(MalformedError):
            read()

"""SPDX 3.0 documents of the SPDX project, read as predicates: every element and relationship is seen."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.graph.model import EdgeType
from lineage.predicates import spdx3_reading
from tests.unit.predicates.making import SIGNER, made

FAMILY = "spdx"
SOFTWARE = ("ai_AIPackage", "build_Build", "dataset_DatasetPackage", "software_File", "software_Package")


def test_facts(vectors: Path, case: dict[str, Any]) -> None:
    raw = json.loads((vectors / case["file"]).read_text())
    facts = case["facts"]
    assert len(raw["@graph"]) == facts["elements"]
    document = spdx3_reading.document(made("https://spdx.dev/Document/v3", raw))
    assert len(document.elements) == sum(facts["types"].get(kind, 0) for kind in SOFTWARE)
    # A relationship may have several targets; upstream counts it once.
    once = Counter(each["relationshipType"] for each in raw["@graph"] if "relationshipType" in each)
    assert once == facts["relationships"]
    several = Counter(
        each["relationshipType"] for each in raw["@graph"] if "relationshipType" in each for _ in each["to"]
    )
    assert Counter(each.type for each in document.relations) == several


def test_read_as_a_predicate(vectors: Path, case: dict[str, Any]) -> None:
    told = made("https://spdx.dev/Document/v3", json.loads((vectors / case["file"]).read_text()))
    delta = predicates.project(told, SIGNER)
    assert predicates.describe(told)
    names = {claim.node: claim.value for claim in reversed(delta.claims) if claim.kind == "name"}
    made_from = {
        (names[edge.source], names[edge.target])
        for edge in delta.edges
        if edge.type is EdgeType.WAS_DERIVED_FROM
    }
    assert made_from
    if case["file"].startswith("ai-"):
        assert {
            ("model.bin", "train.txt"),
            ("model.bin", "train.py"),
            ("train.txt", "preprocess.py"),
        } <= made_from
        assert ("model.bin", "test.txt") not in made_from

"""Witness collections that Witness and Archivista ship: which runs, materials and products they make."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.graph.model import EdgeType, NodeKind
from lineage.trust import statement
from tests.unit.predicates.making import SIGNER

FAMILY = "dsse"


def _is_collection(case: dict[str, Any]) -> bool:
    kind: str = case.get("facts", {}).get("predicateType", "")
    return case["expect"] == "verified" and "attestation-collection" in kind


APPLIES = {"test_a_collection_is_a_run": _is_collection}


def test_a_collection_is_a_run(vectors: Path, case: dict[str, Any]) -> None:
    envelope = json.loads((vectors / case["file"]).read_text())
    payload = base64.b64decode(envelope["payload"])
    told = statement.parse(envelope["payloadType"], payload)
    delta = predicates.project(told, SIGNER)
    listed = {
        each["type"].split("/")[-2]: each["attestation"]
        for each in json.loads(payload)["predicate"]["attestations"]
    }
    run = f"run:{case['facts']['payload_sha256']}"
    assert delta.nodes[run] is NodeKind.RUN
    used = {edge.target for edge in delta.edges if edge.type is EdgeType.USED and edge.source == run}
    assert used == {f"sha256:{digests['sha256']}" for digests in listed["material"].values()}
    left = {edge.source for edge in delta.edges if edge.type is EdgeType.WAS_GENERATED_BY}
    assert left == {f"sha256:{each['digest']['sha256']}" for each in listed["product"].values()}
    # E-mail addresses, commits and names among the subjects are no artifacts.
    assert {key for key, kind in delta.nodes.items() if kind is NodeKind.ARTIFACT} == used | left
    assert ("Step", json.loads(payload)["predicate"]["name"]) in predicates.describe(told)

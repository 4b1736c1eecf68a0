"""Statements: from a verified payload to what it says, what it claims, and what the graph makes of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from lineage import predicates
from lineage.trust import statement
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests.fuzz import seeds
from tests.fuzz.target import REFUSALS, Target, strict_json

SIGNER = "5a" * 32
EXAMPLES = Path(predicates.__file__).parent / "examples"


def run(data: bytes) -> bool:
    try:
        told = statement.parse(INTOTO_PAYLOAD_TYPE, data)
    except REFUSALS:
        return False
    document = strict_json(data)
    assert document["_type"] == told.type
    assert (told.payload, told.digest) == (data, hashlib.sha256(data).hexdigest())
    if told.type != statement.LINK:
        assert document["predicateType"] == told.predicate_type
        assert [s.get("name") or "" for s in document["subject"]] == [s.name for s in told.subjects]
        assert all(subject.digests for subject in told.subjects)
    return judged(told)


def judged(told: statement.Statement) -> bool:
    """Projected, described and weighed twice: the same each time, and no edge from or to nowhere."""
    try:
        delta = predicates.project(told, SIGNER)
        rows = predicates.describe(told)
    except REFUSALS:
        return False
    assert predicates.project(told, SIGNER) == delta
    assert predicates.describe(told) == rows
    assert predicates.claimed(told, delta).predicate_type == told.predicate_type
    for edge in delta.edges:
        assert edge.source in delta.nodes
        assert edge.target in delta.nodes
    assert not any("\0" in claim.value for claim in delta.claims)
    return True


def payloads(data: bytes) -> bytes:
    """What is signed in a vector that is an envelope or an older link; anything else as it is."""
    try:
        document = json.loads(data)
        return (
            seeds.text(document["signed"]) if "signed" in document else base64.b64decode(document["payload"])
        )
    except (ValueError, KeyError, TypeError):
        return data


def made() -> Sequence[bytes]:
    examples = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.json"))]
    return [seeds.text(seeds.STATEMENT), *(seeds.text(json.loads(example)) for example in examples)]


TARGET = Target(
    name="statement",
    run=run,
    seeds=made,
    vectors=("dsse", "slsa"),
    prepared=payloads,
)

"""Making statements and reading deltas, shared by the tests of this room."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lineage import predicates
from lineage.graph.model import GraphDelta
from lineage.trust import statement
from lineage.trust.statement import Statement

ROOM = Path(predicates.__file__).parent
SIGNER = "5a" * 32
KEY = f"key:{SIGNER}"
OURS = "urn:lineage:predicate:"


def sha(text: str) -> str:
    """SHA-256 of `text` in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


A, B, C, D = (sha(letter) for letter in "ABCD")
SUBJECT = {"name": "a.bin", "digest": {"sha256": A}}


def parsed(document: dict[str, Any]) -> Statement:
    """A statement document as intake would read it."""
    return statement.parse("application/vnd.in-toto+json", json.dumps(document).encode())


def made(predicate_type: str, predicate: object, *subjects: dict[str, Any]) -> Statement:
    """A parsed statement about `subjects`, by default about one file with SHA-256 `A`."""
    return parsed(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": list(subjects or (SUBJECT,)),
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def ours(slug: str, predicate: object, *subjects: dict[str, Any]) -> Statement:
    """As `made`, for one of our own types."""
    return made(f"{OURS}{slug}:v1", predicate, *subjects)


def projected(told: Statement) -> GraphDelta:
    return predicates.project(told, SIGNER)


def edges(delta: GraphDelta) -> list[tuple[str, str, str]]:
    """(source, type, target), sorted; repeated where the delta repeats."""
    return sorted((edge.source, str(edge.type), edge.target) for edge in delta.edges)


def claims(delta: GraphDelta) -> list[tuple[str, str, str]]:
    """(node, kind, value), sorted; repeated where the delta repeats."""
    return sorted((claim.node, str(claim.kind), claim.value) for claim in delta.claims)


def said_of(delta: GraphDelta, node: str) -> set[tuple[str, str]]:
    """(kind, value) of one node."""
    return {(str(claim.kind), claim.value) for claim in delta.claims if claim.node == node}


def kinds(delta: GraphDelta) -> dict[str, str]:
    return {key: str(kind) for key, kind in delta.nodes.items()}


def example(name: str) -> dict[str, Any]:
    """A whole example statement."""
    document: dict[str, Any] = json.loads((ROOM / "examples" / name).read_text())
    return document


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOM / "schemas" / name).read_text())
    return document

"""in-toto links: a step took materials and made products. As attestation `link/v0.3`, or whole inside DSSE.

A link names no builder and no invocation, so its run is known by the statement itself.
Source: in-toto attestation, spec/predicates/link.md (v0.2 and v0.3); in-toto specification 0.9, section 4.4.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.runs import run
from lineage.predicates.wire import Wire, read
from lineage.trust.statement import LINK, RawDescriptor, Statement

URI = "https://in-toto.io/attestation/link/v0.3"
BY_PATH = (
    "https://in-toto.io/attestation/link/v0.2",
    "https://in-toto.io/Link/v0.2",
    "https://in-toto.io/Link/v1",
)
"""Deprecated types, whose materials are listed by path."""

Command = list[str] | str | None


class _Attested(Wire, frozen=True):
    """The predicate of `link/v0.3`."""

    name: str = ""
    command: Command = None
    materials: list[RawDescriptor] | None = None


class _Whole(Wire, frozen=True):
    """The payload of a DSSE link, and the predicate before v0.3: materials by path."""

    name: str = ""
    command: Command = None
    materials: dict[str, dict[str, str]] | None = None


_ATTESTED = msgspec.json.Decoder(_Attested)
_WHOLE = msgspec.json.Decoder(_Whole)


def _read(statement: Statement) -> tuple[_Attested, str]:
    """The link in its newer form, and where it lies in the payload."""
    where = "$" if statement.predicate_type == LINK else "$.predicate"
    if statement.predicate_type == URI:
        return read(_ATTESTED, statement.predicate), where
    whole = read(_WHOLE, statement.predicate, where=where)
    materials = [
        RawDescriptor(name=path, digest=digests) for path, digests in sorted((whole.materials or {}).items())
    ]
    return _Attested(whole.name, whole.command, materials), where


def _worded(command: Command) -> str:
    return command if isinstance(command, str) else " ".join(command or ())


def _project(statement: Statement, signer: str) -> GraphDelta:
    link, where = _read(statement)
    delta, subjects = opening(statement, signer)
    key = run(delta, statement, name=link.name)
    delta.claim(key, ClaimKind.DETAIL, f"Command: {_worded(link.command)}" if link.command else "")
    for subject in subjects:
        delta.edge(subject, EdgeType.WAS_GENERATED_BY, key)
    for used in references(delta, link.materials or [], where=f"{where}.materials"):
        delta.edge(key, EdgeType.USED, used)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    link, _ = _read(statement)
    return rows(("Step", link.name), ("Command", _worded(link.command))) + told_all(
        "Used", link.materials or []
    )


PREDICATE = PredicateType(
    uris=(URI, LINK, *BY_PATH),
    slug="link",
    title="in-toto link",
    summary="Says that a step of a pipeline took these materials and made these products.",
    project=_project,
    describe=_describe,
    example="link.json",
    materials=("materials",),
)

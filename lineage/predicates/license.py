"""Our `license:v1`: under which license something may be used, and what that obliges to.

It says nothing of where the subject came from, and makes none verified. Source: docs/predicates/license.md.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import ClaimKind, GraphDelta
from lineage.predicates.artifact_refs import Descriptor
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at, mention
from lineage.predicates.members import Supplier, rows
from lineage.predicates.wire import Wire, limited, read, required, web
from lineage.trust.statement import Statement

MAX_OBLIGATIONS = 100


class _License(Wire, frozen=True):
    """`license` is an SPDX expression, or `LicenseRef-…`; `text` the document itself, by its digest."""

    license: str
    name: str = ""
    text: Descriptor | None = None
    url: str = ""
    licensor: Supplier | None = None
    obligations: tuple[str, ...] = ()
    restrictions: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(_License)


def _facts(found: _License) -> Rows:
    """Raises: MalformedError, TooLargeError."""
    required(found.license, where="$.predicate.license")
    limited(found.obligations, MAX_OBLIGATIONS, where="$.predicate.obligations")
    limited(found.restrictions, MAX_OBLIGATIONS, where="$.predicate.restrictions")
    licensor = ""
    if found.licensor:
        licensor = required(found.licensor.name, where="$.predicate.licensor.name")
    return rows(
        ("License's name", found.name),
        ("License's text", mention(found.text, where="$.predicate.text")),
        ("License's address", web(found.url, where="$.predicate.url")),
        ("Licensor", licensor),
        *(("Obligation", each) for each in found.obligations),
        *(("Restriction", each) for each in found.restrictions),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = read(_DECODER, statement.predicate)
    facts = _facts(found)
    delta, subjects = looked_at(statement, signer)
    for subject in subjects:
        delta.claim(subject, ClaimKind.LICENSE, found.license)
        for label, value in facts:
            delta.detail(subject, label, value)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = read(_DECODER, statement.predicate)
    return rows(("License", found.license)) + _facts(found)


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:license:v1",),
    slug="license",
    title="License",
    summary="Says under which license something may be used, and what that obliges to.",
    project=_project,
    describe=_describe,
    schema="license.json",
    example="license.json",
)

"""in-toto references: documents (a bill of materials, say) that are relevant to a thing, and lie elsewhere.

They are shown and never fetched. Source: in-toto attestation, spec/predicates/reference.md (v0.1).
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at, mentioned
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, read, required
from lineage.trust.statement import RawDescriptor, Statement

SHOWN = 20


class _Document(RawDescriptor):
    mediaType: str | None = None  # noqa: N815 the member's name in JSON


class _Attester(Wire, frozen=True):
    id: str


class _Reference(Wire, frozen=True):
    attester: _Attester
    references: list[_Document]


_DECODER = msgspec.json.Decoder(_Reference)


def _facts(statement: Statement) -> Rows:
    found = read(_DECODER, statement.predicate)
    attester = required(found.attester.id, where="$.predicate.attester.id")
    where = "$.predicate.references"
    for number, each in enumerate(found.references):
        required(each.downloadLocation or "", where=f"{where}[{number}].downloadLocation")
        required(each.mediaType or "", where=f"{where}[{number}].mediaType")
    words = mentioned(found.references, where=where)
    shown = [
        f"{word}, at {each.downloadLocation} ({each.mediaType})"
        for word, each in zip(words, found.references, strict=True)
    ][:SHOWN]
    more = f"and {len(words) - SHOWN:,} more" if len(words) > SHOWN else ""
    return rows(("Referred to by", attester), *(("Document", each) for each in (*shown, more)))


def _project(statement: Statement, signer: str) -> GraphDelta:
    facts = _facts(statement)
    delta, subjects = looked_at(statement, signer)
    for subject in subjects:
        for label, value in facts[1:]:
            delta.detail(subject, label, value)
    return delta.finished()


PREDICATE = PredicateType(
    uris=("https://in-toto.io/attestation/reference/v0.1",),
    slug="reference",
    title="Reference",
    summary="Says which documents elsewhere are relevant to a thing.",
    project=_project,
    describe=_facts,
    schema="reference.json",
    example="reference.json",
)

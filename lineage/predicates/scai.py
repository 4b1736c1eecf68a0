"""SCAI attribute reports: attributes that a thing has, each with what shows it.

An attribute is asserted by whoever signed; that there is evidence for it doesn't mean that it was looked at.
Source: in-toto attestation, spec/predicates/scai.md (v0.3); v0.2 differs in its type alone.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.findings import looked_at, mention
from lineage.predicates.members import paired, rows
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read, required
from lineage.trust.statement import RawDescriptor, Statement

SHOWN = 20
"""Attributes that are shown on the artifact."""


class _Attribute(Wire, frozen=True):
    attribute: str
    target: RawDescriptor | None = None
    conditions: dict[str, msgspec.Raw] | None = None
    evidence: RawDescriptor | None = None


class _Report(Wire, frozen=True):
    attributes: list[_Attribute]
    producer: RawDescriptor | None = None


_DECODER = msgspec.json.Decoder(_Report)


def _worded(attribute: _Attribute, where: str) -> str:
    name = required(attribute.attribute, where=f"{where}.attribute")
    target = mention(attribute.target, where=f"{where}.target")
    evidence = mention(attribute.evidence, where=f"{where}.evidence")
    parts = (
        f"of {target}" if target else "",
        f"if {paired(attribute.conditions)}" if attribute.conditions else "",
        f"evidence, not looked at here: {evidence}" if evidence else "",
    )
    return "; ".join((name, *filter(None, parts)))


def _facts(statement: Statement) -> Rows:
    report = read(_DECODER, statement.predicate)
    where = "$.predicate.attributes"
    limited(report.attributes, MAX_REFERENCES, where=where)
    attributes = [_worded(each, f"{where}[{number}]") for number, each in enumerate(report.attributes)]
    more = f"and {len(attributes) - SHOWN:,} more" if len(attributes) > SHOWN else ""
    producer = mention(report.producer, where="$.predicate.producer")
    shown = [("Attribute", each) for each in (*attributes[:SHOWN], more)]
    return rows(("Producer", producer), *shown)


def _project(statement: Statement, signer: str) -> GraphDelta:
    facts = _facts(statement)
    delta, subjects = looked_at(statement, signer)
    for subject in subjects:
        for label, value in facts:
            delta.detail(subject, label, value)
    return delta.finished()


PREDICATE = PredicateType(
    uris=(
        "https://in-toto.io/attestation/scai/v0.3",
        "https://in-toto.io/attestation/scai/attribute-report/v0.2",
    ),
    slug="scai",
    title="SCAI attribute report",
    summary="Says which attributes a thing has, and what is said to show it.",
    project=_project,
    describe=_facts,
    schema="scai.json",
    example="scai.json",
)

"""Our `hardware-node:v1`: what a machine is and where it stands. Its state is for evidence to show.

The one subject's sha256 is that of the machine's identity key (SPKI, DER): the machine, not an artifact.
Source: docs/predicates/hardware-node.md.
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, NodeKind, hardware_key
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import Place, Supplier, placed, rows, supplied, told_place
from lineage.predicates.wire import Wire, read
from lineage.trust.statement import Statement


class _HardwareNode(Wire, frozen=True):
    vendor: str = ""
    model: str = ""
    serial: str = ""
    description: str = ""
    location: Place | None = None
    supplier: Supplier | None = None


_DECODER = msgspec.json.Decoder(_HardwareNode)


def _facts(machine: _HardwareNode) -> Rows:
    return rows(
        ("Vendor", machine.vendor),
        ("Model", machine.model),
        ("Serial number", machine.serial),
        ("Description", machine.description),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    machine = read(_DECODER, statement.predicate)
    if len(statement.subjects) != 1:
        raise MalformedError("A hardware node's statement has exactly one subject.", where="$.subject")
    subject = statement.subjects[0]
    identity = subject.digests.get("sha256")
    if identity is None:
        raise MalformedError(
            "The subject needs the sha256 of the machine's identity key.", where="$.subject[0].digest"
        )
    delta = Delta(signer)
    key = delta.node(hardware_key(identity), NodeKind.HARDWARE)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, subject.name)
    for label, value in _facts(machine):
        delta.detail(key, label, value)
    delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
    supplied(delta, key, machine.supplier, where="$.predicate.supplier")
    placed(delta, key, machine.location, where="$.predicate.location")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    machine = read(_DECODER, statement.predicate)
    supplier = machine.supplier.name if machine.supplier else ""
    return _facts(machine) + rows(("Location", told_place(machine.location)), ("Supplier", supplier))


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:hardware-node:v1",),
    slug="hardware-node",
    title="Hardware node",
    summary="Says what a machine is, who supplied it, and where it stands.",
    project=_project,
    describe=_describe,
    schema="hardware-node.json",
    example="hardware-node.json",
)

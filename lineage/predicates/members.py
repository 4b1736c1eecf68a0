"""Members that several of our own predicates share: a supplier, a place, machines, a builder.

Owns: their JSON form and what each adds to the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, NodeKind, hardware_key, place_key, supplier_key
from lineage.predicates.base import Rows
from lineage.predicates.delta import Delta
from lineage.predicates.wire import Wire, clean, required
from lineage.trust.digest import parse_digest_set


class Supplier(Wire, frozen=True):
    """Who an artifact or machine comes from; the name is the identity."""

    name: str


class Place(Wire, frozen=True):
    """Where something is: a site's name, a jurisdiction (such as ISO 3166 `DE` or `US-VA`), or both."""

    name: str = ""
    jurisdiction: str = ""


class Machine(Wire, frozen=True):
    """A machine; `digest.sha256` is the SHA-256 of its identity key's SPKI (DER)."""

    name: str = ""
    digest: dict[str, str] = msgspec.field(default_factory=dict)


def supplied(delta: Delta, node: str, supplier: Supplier | None, *, where: str) -> None:
    """`node` was attributed to the supplier. Raises MalformedError where its name is empty."""
    if supplier is None:
        return
    name = required(supplier.name, where=f"{where}.name")
    key = delta.node(supplier_key(name), NodeKind.SUPPLIER)
    delta.claim(key, ClaimKind.NAME, name)
    delta.edge(node, EdgeType.WAS_ATTRIBUTED_TO, key)


def placed(delta: Delta, node: str, place: Place | None, *, where: str) -> None:
    """`node` is at the site and in the jurisdiction, and the site lies in the jurisdiction.

    The node gets an edge to both, so that one step from a jurisdiction finds what is in it.

    Raises:
        MalformedError: neither name nor jurisdiction.
    """
    if place is None:
        return
    if not place.name and not place.jurisdiction:
        raise MalformedError("A place needs a name, a jurisdiction, or both.", where=where)
    keys = []
    for name in (place.name, place.jurisdiction):
        if name:
            key = delta.node(place_key(name), NodeKind.PLACE)
            delta.claim(key, ClaimKind.NAME, name)
            delta.edge(node, EdgeType.AT_LOCATION, key)
            keys.append(key)
    if len(keys) > 1:
        delta.edge(keys[0], EdgeType.AT_LOCATION, keys[1])
        delta.detail(keys[0], "Jurisdiction", place.jurisdiction)


def machines(delta: Delta, node: str, hardware: Sequence[Machine], *, where: str) -> None:
    """`node` ran on these machines. One without an identity digest is only a detail of `node`: a gap.

    Raises:
        MalformedError: neither name nor identity, or a digest that is none.
    """
    for number, machine in enumerate(hardware):
        at = f"{where}[{number}]"
        identity = parse_digest_set(machine.digest, where=f"{at}.digest").get("sha256")
        if identity is None:
            delta.detail(node, "Hardware without identity", required(machine.name, where=f"{at}.name"))
            continue
        key = delta.node(hardware_key(identity), NodeKind.HARDWARE)
        delta.claim(key, ClaimKind.NAME, machine.name)
        delta.edge(node, EdgeType.WAS_ASSOCIATED_WITH, key)


def told_place(place: Place | None) -> str:
    """A place as words."""
    return ", ".join(part for part in (place.name, place.jurisdiction) if part) if place else ""


def told_machines(hardware: Sequence[Machine]) -> Rows:
    """One row a machine."""
    rows = []
    for machine in hardware:
        identity = machine.digest.get("sha256")
        known = f"hw:{identity}" if identity else "no identity: a gap"
        rows.append(("Hardware", clean(f"{machine.name or 'a machine'}, {known}")))
    return tuple(rows)


def rows(*pairs: tuple[str, object]) -> Rows:
    """The pairs that say something; numbers with thousands marks, lists joined by commas."""
    return tuple((label, clean(_worded(value))) for label, value in pairs if value not in (None, "", (), []))


def _worded(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def number(value: float | None) -> str:
    """A number as people write it: 4 and not 4.0; "" for none."""
    if value is None:
        return ""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)


def paired(member: Mapping[str, msgspec.Raw]) -> str:
    """`name = value` pairs, strings without their quotes."""
    pairs = []
    for name, raw in list(member.items())[:30]:
        # Numbers stand as they were signed: a long one can't even be converted.
        value = msgspec.json.decode(raw, type=str) if bytes(raw).startswith(b'"') else bytes(raw).decode()
        pairs.append(f"{name} = {value}")
    return "; ".join(pairs) + (f"; and {len(member) - 30:,} more" if len(member) > 30 else "")

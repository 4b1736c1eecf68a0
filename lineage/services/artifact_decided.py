"""What persons decided of one thing, as of a moment: how critical, what is waived, whether it is bad.

Owns: the newest decision of each, with who took it and why. Reads only. Does not own: deciding
(`decide_checks`), or what follows (`graph.status`).
"""

from __future__ import annotations

import msgspec

from lineage.errors import NotFoundError
from lineage.graph import sql_claims
from lineage.graph.model import Claim, ClaimKind, NodeKind
from lineage.graph.sql_moment import REVOKED, Moment
from lineage.graph.status_facts import FOR_EVER_US, UNSAFE_FORMAT, Facts
from lineage.services import belief, decision_records, lineage_closure
from lineage.services.as_of import AsOf
from lineage.trust.leaf import rfc3339


class Decided(msgspec.Struct, frozen=True):
    """The decision that is log entry `index`; `digest` names its envelope, `sha256:<hex>`.

    Without the entry's bytes, as after a redaction, `digest`, `person` and `reason` are empty.
    """

    index: int
    digest: str = ""
    person: str = ""
    reason: str = ""


class Waiver(msgspec.Struct, frozen=True):
    """`until`: RFC 3339, empty: for ever. `over`: that was before the moment."""

    finding: str
    until: str
    over: bool
    by: Decided


class TaintSaid(msgspec.Struct, frozen=True):
    """What holds of its taint. `until`: RFC 3339, empty: until another decision. `over`: it is past."""

    until: str
    over: bool
    by: Decided


class ArtifactDecided(msgspec.Struct, frozen=True):
    """`level_by` None: nobody decided, so `level` is that of all. `unsafe`: why loading it is unsafe.

    `designated`: that it is bad; None where nobody said so, or it was cleared. `untainted`: that no taint
    gets to it or through it.
    """

    level: str
    level_by: Decided | None
    waiver: Waiver | None
    unsafe: tuple[str, ...]
    designated: TaintSaid | None
    untainted: TaintSaid | None


class TaintDecided(msgspec.Struct, frozen=True):
    """`designated`: that it is bad; None where nobody said so, or it was cleared. `untainted`: that no taint
    gets to it or through it.
    """

    designated: TaintSaid | None
    untainted: TaintSaid | None


def of_taint(key: str, as_of: AsOf) -> TaintDecided:
    """Of a node of any kind. Raises: NotFoundError for one that is not known at the moment."""
    number, _ = lineage_closure.find(key, as_of)
    moment = belief.moment(as_of)
    return TaintDecided(
        _taint_said(number, (ClaimKind.DESIGNATED, ClaimKind.CLEARED), as_of, moment),
        _taint_said(number, (ClaimKind.UNTAINTED,), as_of, moment),
    )


def of_node(key: str, as_of: AsOf) -> ArtifactDecided:
    """Raises: NotFoundError for a node that is not known at the moment."""
    number, _ = lineage_closure.find(key, as_of)
    kinds = (ClaimKind.CRITICALITY, ClaimKind.WAIVED)
    facts = Facts(key, NodeKind.ARTIFACT, {})
    newest: dict[ClaimKind, int] = {}
    moment = belief.moment(as_of)
    for kind, value, index in sql_claims.decided(number, kinds, moment):
        facts.add_claim(Claim(key, kind, value), "", "asserted", index)
        newest[kind] = max(index, newest.get(kind, -1))
    level, waived = newest.get(ClaimKind.CRITICALITY), newest.get(ClaimKind.WAIVED)
    return ArtifactDecided(
        facts.level(),
        None if level is None else _decided(level),
        None if waived is None else _waiver(facts, waived, as_of.at_us),
        tuple(
            dict.fromkeys(
                claim.value
                for claim in sql_claims.claims(number, ClaimKind.UNSAFE, moment)
                if claim.trust != REVOKED
            )
        ),
        _taint_said(number, (ClaimKind.DESIGNATED, ClaimKind.CLEARED), as_of, moment),
        _taint_said(number, (ClaimKind.UNTAINTED,), as_of, moment),
    )


def _taint_said(node: int, kinds: tuple[ClaimKind, ...], as_of: AsOf, moment: Moment) -> TaintSaid | None:
    """The newest decision of these, unless it cleared what another had said."""
    found = sql_claims.decided(node, kinds, moment)
    if not found:
        return None
    kind, value, index = max(found, key=lambda row: row[2])
    if kind is ClaimKind.CLEARED:
        return None
    until_us = int(value)
    until = rfc3339(until_us) if until_us else ""
    return TaintSaid(until, bool(until_us) and until_us <= as_of.at_us, _decided(index))


def _waiver(facts: Facts, index: int, at_us: int) -> Waiver:
    until = facts.waived_until_us(UNSAFE_FORMAT)
    for_ever = until >= FOR_EVER_US
    return Waiver(UNSAFE_FORMAT, "" if for_ever else rfc3339(until), until <= at_us, _decided(index))


def _decided(index: int) -> Decided:
    try:
        found = decision_records.one(index)
    except NotFoundError:
        return Decided(index)
    reason = msgspec.json.decode(bytes(found.body)).get("reason", "")
    return Decided(index, found.digest, found.person, reason if isinstance(reason, str) else "")

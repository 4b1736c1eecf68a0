"""Decisions about what is bad: designating a source of taint, clearing it, waiving what a thing inherits.

Owns: what such a decision needs before it may be an entry. Does not own: their form
(`trust.taint_decisions`), what is tainted (`graph.sql_taint`), or who may decide (the callers check roles and
scopes).
"""

from __future__ import annotations

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph import sql_taint
from lineage.graph.model import NodeKind
from lineage.services import as_of, decide, lineage_closure
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.lineage_nodes import Reader
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import taint_decisions
from lineage.trust.policy import KeyRing
from lineage.trust.taint_decisions import CLEAR, DESIGNATE, MAX_INCIDENT, WAIVE_TAINT, TaintDecision

DESIGNABLE = (NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.HARDWARE, NodeKind.SUPPLIER, NodeKind.PLACE)
"""A key is compromised or revoked instead, a deployment is as what it deploys."""


@two_people("officer")
def designate(
    key: str, reason: str, *, person: str, until_us: int | None = None, incident: str = ""
) -> Submitted:
    """Say that something is bad: it and all that was made from it, on it, there or by it is tainted.

    `key` is the node key of an artifact, run, machine, supplier or place; `until_us` in µs, None: until it is
    cleared; `incident`: what people call what this belongs to. The newest decision about a node counts.
    `person` is an e-mail address, `token:<name>` or `os:<login>`, here as in all of these.

    Raises: NotFoundError for a node that the graph does not know; MalformedError that names the member.
    """
    body = TaintDecision(
        node_key(key),
        one_line(reason, "A reason", MAX_REASON, "reason"),
        until=_until(until_us),
        incident=one_line(incident, "An incident's name", MAX_INCIDENT, "incident")
        if incident.strip()
        else "",
    )
    return _record(DESIGNATE, body, person)


@two_people("officer")
def clear(key: str, reason: str, *, person: str) -> Submitted:
    """Say that something is not designated as bad any more.

    Raises: NotFoundError; ConflictError where it isn't; MalformedError that names the member.
    """
    body = TaintDecision(node_key(key), one_line(reason, "A reason", MAX_REASON, "reason"))
    reader = Reader(as_of.resolve(None))
    number, _ = lineage_closure.find(key, reader.as_of, "node")
    if number not in sql_taint.decided(reader.moment).designated:
        raise ConflictError("It is not designated as bad now, so there is nothing to clear.", where="node")
    return _record(CLEAR, body, person)


@two_people("officer")
def waive_taint(key: str, until_us: int | None, reason: str, *, person: str) -> Submitted:
    """Take it upon oneself that no taint gets to a node, or through it to what was made from it.

    `until_us`: µs since the epoch, None: until another decision. The newest counts: a shorter waiver ends a
    longer one.

    Raises: NotFoundError; MalformedError that names the member.
    """
    body = TaintDecision(
        node_key(key), one_line(reason, "A reason", MAX_REASON, "reason"), until=_until(until_us)
    )
    return _record(WAIVE_TAINT, body, person)


def _record(action: str, body: TaintDecision, person: str) -> Submitted:
    reader = Reader(as_of.resolve(None))
    number, kind = lineage_closure.find(body.node, reader.as_of, "node")
    refuse_kind(kind, "node")
    name = reader.summaries([number])[number].name
    return decide.record(taint_decisions.build(action, person, now_us(), body, name), _anyhow)


def refuse_kind(kind: NodeKind, where: str) -> None:
    """Raises: MalformedError for a kind that is not designated and whose taint is not waived."""
    if kind not in DESIGNABLE:
        raise MalformedError(
            "Only an artifact, run, machine, supplier or place is decided about like this.",
            hint="A key is revoked as compromised instead; a deployment is as what it deploys.",
            where=where,
        )


def _anyhow(ring: KeyRing, at_us: int) -> None:
    """No key's rights are in question: the platform signs."""


def node_key(key: str) -> str:
    """The key itself. Raises: NotFoundError for one that no database can hold."""
    if "\0" in key:  # PostgreSQL can't even be asked
        raise NotFoundError("No node has a key with U+0000 in it.", where="node")
    return key


def _until(until_us: int | None) -> str:
    if until_us is not None and until_us <= now_us():
        raise MalformedError("It ends in the future, or not by itself.", where="until")
    return taint_decisions.until_text(until_us)


def one_line(text: str, what: str, most: int, where: str) -> str:
    """`text` without spaces at its ends. Raises: MalformedError at `where`."""
    try:
        return decide.line(text, what, most)
    except MalformedError as error:
        raise MalformedError(error.message, where=where) from None

"""Decisions about what is bad: to designate a source of taint, to clear it, to waive what a thing inherits.

Owns: the bodies of designate, clear and waive-taint. Does not own: who may decide (`services`), what is
tainted (`graph.sql_taint`), or the form around the body (`trust.decision_form`).
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form
from lineage.trust.decision_form import Decision
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.statement import Statement

DESIGNATE = "designate"
CLEAR = "clear"
WAIVE_TAINT = "waive-taint"
ACTIONS = (DESIGNATE, CLEAR, WAIVE_TAINT)
MAX_INCIDENT = 200


class TaintDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`node` is a node key, `<scheme>:<hex>`.

    Attributes:
        until: RFC 3339, when it holds no longer; empty: until another decision. Never in a clear.
        incident: what people call the incident that a designation belongs to, one line; may be empty.
    """

    node: str
    reason: str
    until: str = ""
    incident: str = ""

    @property
    def until_us(self) -> int:
        """µs since the epoch; 0: until another decision."""
        return parse_rfc3339(self.until) if self.until else 0


_BODY = msgspec.json.Decoder(TaintDecision)


def build(action: str, person: str, at_us: int, body: TaintDecision, name: str) -> bytes:
    """The statement's payload; `name` is what the node is called."""
    return decision_form.build(
        action, person, at_us, body=msgspec.to_builtins(body), subjects=[(name, _digest(body))]
    )


def read(decision: Decision, statement: Statement) -> TaintDecision:
    """The body of a decision whose action is one of ACTIONS.

    Raises: MalformedError for members that are not this action's, a time that is none, no reason, or a node
        that is not the statement's only subject.
    """
    body = decision_form.read_body(_BODY, decision.body)
    if not body.reason.strip():
        raise MalformedError("The decision says why.", where="$.predicate.body.reason")
    if body.until and decision.action == CLEAR:
        raise MalformedError("What is cleared is so until another decision.", where="$.predicate.body.until")
    if body.incident and decision.action != DESIGNATE:
        raise MalformedError("Only a designation belongs to an incident.", where="$.predicate.body.incident")
    if body.until:
        parse_rfc3339(body.until)
    if [dict(subject.digests) for subject in statement.subjects] != [_digest(body)]:
        raise MalformedError("The node is not the statement's only subject.", where="$.predicate.body.node")
    return body


def until_text(us: int | None) -> str:
    """As `until` has it; None: until another decision."""
    return "" if us is None else rfc3339(us)


def told(decision: Decision, statement: Statement) -> tuple[tuple[str, str], ...]:
    """The decision as rows (label, text) for people. Raises: MalformedError."""
    body = read(decision, statement)
    what = {DESIGNATE: "Designated as bad", CLEAR: "No longer designated", WAIVE_TAINT: "Taint waived"}
    rows = [(what[decision.action], body.node)]
    if decision.action != CLEAR:
        rows.append(("Until", body.until or "another decision"))
    if body.incident:
        rows.append(("Incident", body.incident))
    return (*rows, ("Reason", body.reason))


def _digest(body: TaintDecision) -> dict[str, str]:
    scheme, _, value = body.node.partition(":")
    return {scheme: value}

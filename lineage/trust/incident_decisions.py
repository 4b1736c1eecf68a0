"""Decisions about incidents: to open one on a node, and to close it with what came of it.

Owns: the bodies of incident and close-incident. Does not own: who may decide (`services`), what an incident
affects, or the form around the body (`trust.decision_form`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form
from lineage.trust.decision_form import Decision
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.statement import Statement
from lineage.trust.statement_decisions import digest_hex

INCIDENT = "incident"
CLOSE_INCIDENT = "close-incident"
ACTIONS = (INCIDENT, CLOSE_INCIDENT)
Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
MAX_TITLE = 200
MAX_OWNER = 200


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An incident on `node`, a node key. Its entry's envelope is its name, `sha256:<hex>`.

    Attributes:
        owner: who looks after it, one line; may be empty.
        until: RFC 3339, when it ends by itself, and what it designates with it; empty: when it is closed.
        designates: the node is bad from this entry on, as by a designation.
    """

    node: str
    title: str
    severity: Severity
    reason: str
    owner: str = ""
    until: str = ""
    designates: bool = False

    @property
    def until_us(self) -> int:
        """µs since the epoch; 0: when it is closed."""
        return parse_rfc3339(self.until) if self.until else 0


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The incident that the envelope `incident` (`sha256:<hex>`) opened on `node` is over; `reason`: how.

    `clears`: the node is designated as bad no longer.
    """

    incident: str
    node: str
    reason: str
    clears: bool = False


_OPENED = msgspec.json.Decoder(Opened)
_CLOSED = msgspec.json.Decoder(Closed)


def build(person: str, at_us: int, body: Opened | Closed, name: str) -> bytes:
    """The statement's payload; `name` is what the node is called."""
    scheme, _, value = body.node.partition(":")
    action = INCIDENT if isinstance(body, Opened) else CLOSE_INCIDENT
    subjects = [(name, {scheme: value})]
    return decision_form.build(action, person, at_us, body=msgspec.to_builtins(body), subjects=subjects)


def read(decision: Decision, statement: Statement) -> Opened | Closed:
    """The body of a decision whose action is one of ACTIONS.

    Raises: MalformedError for another form, no reason or title, a time or digest that is none, or a node that
        is not the statement's only subject.
    """
    body: Opened | Closed
    if decision.action == INCIDENT:
        body = decision_form.read_body(_OPENED, decision.body)
    else:
        body = decision_form.read_body(_CLOSED, decision.body)
    if not body.reason.strip():
        raise MalformedError("The decision says why.", where="$.predicate.body.reason")
    if isinstance(body, Closed):
        digest_hex(body.incident)
    elif not body.title.strip():
        raise MalformedError("An incident has a title.", where="$.predicate.body.title")
    elif body.until:
        parse_rfc3339(body.until)
    scheme, _, value = body.node.partition(":")
    if [dict(subject.digests) for subject in statement.subjects] != [{scheme: value}]:
        raise MalformedError("The node is not the statement's only subject.", where="$.predicate.body.node")
    return body


def told(decision: Decision, statement: Statement) -> tuple[tuple[str, str], ...]:
    """The decision as rows (label, text) for people. Raises: MalformedError."""
    body = read(decision, statement)
    if isinstance(body, Closed):
        rows = [("Incident closed", body.incident), ("On", body.node)]
        if body.clears:
            rows.append(("No longer designated", body.node))
        return (*rows, ("What came of it", body.reason))
    rows = [("Incident", body.title), ("On", body.node), ("Severity", body.severity)]
    rows += [("Owner", body.owner)] if body.owner else []
    rows += [("Designated as bad", body.node)] if body.designates else []
    return (*rows, ("Until", body.until or "it is closed"), ("Reason", body.reason))

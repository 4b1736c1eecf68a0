"""Decisions that withdraw a statement: writing theirs, and reading them again.

Owns: the body of withdraw-statement. Does not own: who may decide, or which statements there are
(`services`), what follows (`services.withdrawals`), or the form around the body (`trust.decision_form`).
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form
from lineage.trust.decision_form import Decision
from lineage.trust.statement import Statement

WITHDRAW_STATEMENT = "withdraw-statement"
_PREFIX = "sha256:"
_HEX = frozenset("0123456789abcdef")


class StatementDecision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`statement` is the digest of a verified payload, `sha256:<hex>`; from then on it counts for nothing."""

    statement: str
    reason: str


_DECODER = msgspec.json.Decoder(StatementDecision)


def build(person: str, at_us: int, body: StatementDecision, name: str, *, approver: str = "") -> bytes:
    """The decision's payload; `name` is what the statement is called."""
    return decision_form.build(
        WITHDRAW_STATEMENT,
        person,
        at_us,
        body=msgspec.to_builtins(body),
        subjects=[(name, {"sha256": digest_hex(body.statement)})],
        approver=approver,
    )


def read(decision: Decision, statement: Statement) -> StatementDecision:
    """The body of a decision whose action is `WITHDRAW_STATEMENT`, in the statement `statement`.

    Raises: MalformedError for another form, no reason, or a subject that is not what is withdrawn.
    """
    body = decision_form.read_body(_DECODER, decision.body)
    value = digest_hex(body.statement)
    if not body.reason:
        raise MalformedError("A withdrawal says why.", where="$.predicate.body.reason")
    if [dict(subject.digests) for subject in statement.subjects] != [{"sha256": value}]:
        raise MalformedError(
            "What is withdrawn is not the decision's only subject.", where="$.predicate.body.statement"
        )
    return body


def digest_hex(text: str) -> str:
    """The hex of `sha256:<64 lowercase hex digits>`. Raises: MalformedError for anything else."""
    value = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or len(value) != 64 or not set(value) <= _HEX:
        raise MalformedError("A statement's digest is sha256:<64 lowercase hex digits>.", where="statement")
    return value

"""Naming the second person in a decision that has its payload already."""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError


def person_of(payload: bytes) -> str:
    """Who decides, from a decision's payload. Raises: MalformedError."""
    person = _predicate(msgspec.json.decode(payload)).get("person")
    if not isinstance(person, str):
        raise MalformedError("A decision names its person.", where="$.predicate.person")
    return person


def with_approver(payload: bytes, approver: str) -> bytes:
    """The payload of the same decision that also names who approved it. Raises: MalformedError."""
    statement = msgspec.json.decode(payload)
    _predicate(statement)["approver"] = approver
    return msgspec.json.encode(statement)


def _predicate(statement: object) -> dict[str, object]:
    predicate = statement.get("predicate") if isinstance(statement, dict) else None
    if not isinstance(predicate, dict):
        raise MalformedError("A decision's predicate is an object.", where="$.predicate")
    return predicate

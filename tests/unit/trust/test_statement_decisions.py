"""The form of a decision that withdraws a statement: strict, and about what it withdraws alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lineage.errors import MalformedError
from lineage.trust import decision_form, statement, statement_decisions
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.statement_decisions import StatementDecision

DIGEST = "sha256:" + "ab" * 32
BODY = StatementDecision(DIGEST, "signed by mistake")


def built() -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(
        statement_decisions.build("anna@example.com", 0, BODY, "model")
    )
    return made


def read(made: dict[str, Any]) -> StatementDecision:
    parsed = statement.parse(INTOTO_PAYLOAD_TYPE, msgspec.json.encode(made))
    return statement_decisions.read(decision_form.parse(parsed), parsed)


def test_what_is_built_is_read_again() -> None:
    made = built()
    assert read(made) == BODY
    assert made["predicate"]["action"] == "withdraw-statement"
    assert made["predicate"]["person"] == "anna@example.com"
    assert made["subject"] == [{"name": "model", "digest": {"sha256": "ab" * 32}}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"statement": DIGEST},
        {"statement": DIGEST, "reason": ""},
        {"statement": DIGEST, "reason": 1},
        {"statement": DIGEST, "reason": "x", "until": "2027-01-01T00:00:00Z"},
        {"statement": DIGEST.upper(), "reason": "x"},
        {"statement": "ab" * 32, "reason": "x"},
        {"statement": "sha512:" + "ab" * 32, "reason": "x"},
        {"statement": "sha256:" + "cd" * 32, "reason": "x"},
    ],
    ids=[
        "empty", "no reason", "empty reason", "a number", "more", "capitals", "bare", "another algorithm",
        "not the subject",
    ],
)  # fmt: skip
def test_other_bodies_are_refused(body: dict[str, Any]) -> None:
    made = built()
    made["predicate"]["body"] = body
    with pytest.raises(MalformedError):
        read(made)


@pytest.mark.parametrize(
    "subjects",
    [
        [{"name": "a", "digest": {"sha256": "ab" * 32}}] * 2,
        [{"name": "a", "digest": {"sha256": "ab" * 32, "sha512": "ab" * 64}}],
        [{"name": "a", "digest": {"sha256": "cd" * 32}}],
    ],
    ids=["two", "two digests", "another"],
)
def test_it_is_about_what_it_withdraws_alone(subjects: list[dict[str, Any]]) -> None:
    made = built()
    made["subject"] = subjects
    with pytest.raises(MalformedError):
        read(made)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "g" * 64, "sha256:" + "a" * 63, "sha256:" + "a" * 65]
)
def test_a_digest_is_one_form_alone(text: str) -> None:
    with pytest.raises(MalformedError):
        statement_decisions.digest_hex(text)

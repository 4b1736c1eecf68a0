"""Our `check:v1`: bytes at a location were hashed again, and this is what was found.

A check is about its subjects but doesn't make them: they are not attributed to whoever checked.
Source: docs/predicates/check.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import CheckResult, GraphDelta, NodeKind, artifact_keys
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.delta import MAX_TEXT_BYTES, Delta
from lineage.predicates.members import rows
from lineage.predicates.wire import Wire, clean, limited, location, microseconds, read, required
from lineage.trust.statement import Statement

MAX_ROWS = 1_000

Outcome = Literal["match", "mismatch", "inconclusive"]


class _Row(Wire, frozen=True):
    """`digest` is a node key, `<alg>:<hex>`; `expected` is it unless the method compares something else.

    `bytes`: how many were read; 0: not told.
    """

    digest: str
    location: str
    method: str
    outcome: Outcome
    at: str
    expected: str = ""
    observed: str = ""
    reason: str = ""
    bytes: int = 0


class _Check(Wire, frozen=True):
    rows: list[_Row]


_DECODER = msgspec.json.Decoder(_Check)


def _read(statement: Statement) -> list[_Row]:
    found = read(_DECODER, statement.predicate).rows
    limited(found, MAX_ROWS, where="$.predicate.rows")
    if not found:
        raise MalformedError("A check has at least one row.", where="$.predicate.rows")
    return found


def _result(row: _Row, known: frozenset[str], where: str) -> CheckResult:
    """One row, once it is shown to be about a subject and not to contradict itself."""
    if row.digest not in known:
        raise MalformedError(
            "A row's digest is not one of the statement's subjects.", where=f"{where}.digest"
        )
    expected = row.expected or row.digest
    if row.outcome == "match" and row.observed != expected:
        raise MalformedError(
            "The row says match, but observed is not what was expected.", where=f"{where}.observed"
        )
    if row.outcome == "mismatch" and row.observed in ("", expected):
        raise MalformedError(
            "The row says mismatch, but observed is absent or as expected.", where=f"{where}.observed"
        )
    if not 0 <= row.bytes < 2**63:
        raise MalformedError("A number of bytes is 0 or more.", where=f"{where}.bytes")
    place = location(clean(required(row.location, where=f"{where}.location")))
    if len(place.encode()) > MAX_TEXT_BYTES:
        raise MalformedError(f"A location has at most {MAX_TEXT_BYTES:,} bytes.", where=f"{where}.location")
    return CheckResult(
        node=row.digest,
        location=place,
        method=clean(required(row.method, where=f"{where}.method")),
        expected=clean(expected),
        observed=clean(row.observed),
        outcome=row.outcome,
        reason=clean(row.reason),
        at=microseconds(row.at, where=f"{where}.at"),
        bytes=row.bytes,
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    delta = Delta(signer)
    for subject in statement.subjects:
        for key in artifact_keys(subject.digests):
            # No ATTESTED claim: that the bytes are as expected says nothing of where they came from, and
            # must not turn an artifact that nobody vouched for green.
            delta.node(key, NodeKind.ARTIFACT)
    known = frozenset(key for subject in statement.subjects for key in artifact_keys(subject.digests))
    for number, row in enumerate(_read(statement)):
        delta.check(_result(row, known, f"$.predicate.rows[{number}]"))
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    counts = {
        outcome: sum(row.outcome == outcome for row in found)
        for outcome in ("match", "mismatch", "inconclusive")
    }
    bad = [row for row in found if row.outcome != "match"][:20]
    return rows(
        ("Checked", len(found)),
        ("As expected", counts["match"]),
        ("Different", counts["mismatch"]),
        ("Could not tell", counts["inconclusive"]),
        *(
            (
                row.outcome.capitalize(),
                f"{row.digest} at {row.location}{f': {row.reason}' if row.reason else ''}",
            )
            for row in bad
        ),
    )


def _bad_news(statement: Statement) -> BadNews | None:
    """A copy that was not as expected, or could not be read, stays on record."""
    bad = sum(row.outcome != "match" for row in _read(statement))
    return BadNews(f"a check that found {bad} of its copies not as expected") if bad else None


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:check:v1",),
    slug="check",
    title="Check",
    summary="Says what was found when the bytes at a location were hashed again.",
    project=_project,
    describe=_describe,
    schema="check.json",
    example="check.json",
    bad_news=_bad_news,
)

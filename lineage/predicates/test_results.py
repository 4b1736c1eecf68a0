"""in-toto test results: tests were run on a thing, and passed or failed. Makes nothing verified.

Source: in-toto attestation, spec/predicates/test-result.md (v0.1).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.findings import looked_at, mentioned
from lineage.predicates.members import rows
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, read
from lineage.trust.statement import RawDescriptor, Statement

SHOWN = 20
"""Names of tests that are shown of each outcome, and as many configurations."""


class _Result(Wire, frozen=True):
    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: list[RawDescriptor]
    url: str | None = None
    passed_tests: list[str] | None = None
    warned_tests: list[str] | None = None
    failed_tests: list[str] | None = None


_DECODER = msgspec.json.Decoder(_Result)


def _read(statement: Statement) -> _Result:
    found = read(_DECODER, statement.predicate)
    for name, tests in _by_outcome(found).items():
        limited(tests, MAX_REFERENCES, where=f"$.predicate.{name}Tests")
    mentioned(found.configuration, where="$.predicate.configuration")
    return found


def _by_outcome(found: _Result) -> dict[str, list[str]]:
    return {
        "failed": found.failed_tests or [],
        "warned": found.warned_tests or [],
        "passed": found.passed_tests or [],
    }


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = _read(statement)
    counts = [f"{len(tests):,} {name}" for name, tests in _by_outcome(found).items() if tests]
    delta, subjects = looked_at(statement, signer)
    for subject in subjects:
        said = f" ({', '.join(counts)})" if counts else ""
        delta.detail(subject, "Test result", f"{found.result}{said}")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    configured = mentioned(found.configuration, where="$.predicate.configuration")
    named: list[tuple[str, object]] = []
    for name, tests in _by_outcome(found).items():
        named += [(f"Tests {name}", len(tests) or None)]
        named += [(f"Test {name}", test) for test in tests[:SHOWN]]
    return rows(
        ("Result", found.result),
        ("Test run", found.url),
        *(("Configuration", each) for each in configured[:SHOWN]),
        *named,
    )


def _bad_news(statement: Statement) -> BadNews | None:
    found = _read(statement)
    failed, warned = len(found.failed_tests or []), len(found.warned_tests or [])
    if found.result == "PASSED" and not failed and not warned:
        return None
    return BadNews(f"a test result with {failed} tests failed and {warned} with a warning")


PREDICATE = PredicateType(
    uris=("https://in-toto.io/attestation/test-result/v0.1",),
    slug="test-result",
    title="Test result",
    summary="Says that tests were run on a thing, and which of them passed.",
    project=_project,
    describe=_describe,
    schema="test-result.json",
    example="test-result.json",
    bad_news=_bad_news,
)

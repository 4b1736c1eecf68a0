"""Fixtures of the conformance suite, and its table at the end of the run."""

from __future__ import annotations

import pytest

from tests.conformance import report
from tests.conformance.stores import SqlStore


@pytest.fixture
def sql_store(db: None) -> SqlStore:
    """The graph tables, emptied by the end of the test's transaction."""
    return SqlStore()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = report.table()
    if lines:
        terminalreporter.section("graph backends against the reference")
        for line in lines:
            terminalreporter.write_line(line)

"""The conformance table: how many questions of each case a backend was asked, and where one differs.

A pytest plugin: where several processes share the tests, the table is of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conformance.questions import Comparison

_ROWS: dict[str, dict[str, str]] = {}
_SENT = "conformance"


@contextmanager
def recorded(case: str, name: str, comparison: Comparison) -> Iterator[None]:
    """Keep what became of a case under the store's name: `n agree`, or where the first difference was."""
    try:
        yield
    except BaseException:
        _add(case, name, f"DIFFERS at question {comparison.asked}")
        raise
    _add(case, name, f"{comparison.asked} agree")


def _add(case: str, backend: str, cell: str) -> None:
    """Put one more result beside the earlier ones; a difference stays."""
    row = _ROWS.setdefault(case, {})
    earlier = row.get(backend, cell)
    if backend in row and "DIFFERS" not in earlier and "DIFFERS" not in cell:
        cell = f"{int(earlier.partition(' ')[0]) + int(cell.partition(' ')[0])} agree"
    row[backend] = earlier if "DIFFERS" in earlier else cell


def table() -> list[str]:
    """As lines; none where no case was run."""
    if not _ROWS:
        return []
    backends = sorted({name for row in _ROWS.values() for name in row}, reverse=True)
    width = max(map(len, _ROWS))
    lines = ["  ".join(["case".ljust(width), *(name.ljust(24) for name in backends)]).rstrip()]
    for case, row in _ROWS.items():
        cells = [row.get(name, "not asked").ljust(24) for name in backends]
        lines.append("  ".join([case.ljust(width), *cells]).rstrip())
    return lines


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process that runs a part of the tests: send what it has to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = _ROWS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """In the one that reports: add what another process has sent; one that crashed has sent nothing."""
    sent: dict[str, dict[str, str]] = getattr(node, "workeroutput", {}).get(_SENT, {})
    for case, row in sent.items():
        for backend, cell in row.items():
            _add(case, backend, cell)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = table()
    if lines:
        terminalreporter.section("graph backends against the reference")
        for line in lines:
            terminalreporter.write_line(line)

"""The conformance table: how many questions of each case a backend was asked, and where one differs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.questions import Comparison

_ROWS: dict[str, dict[str, str]] = {}


@contextmanager
def recorded(case: str, comparison: Comparison) -> Iterator[None]:
    """Keep what became of a case: `n of n agree`, or at which question the first difference was."""
    row, name = _ROWS.setdefault(case, {}), comparison.backend.name
    try:
        yield
    except BaseException:
        row[name] = f"DIFFERS at question {comparison.asked}"
        raise
    earlier = row.get(name, "")
    if "DIFFERS" not in earlier:
        row[name] = f"{comparison.asked + int(earlier.partition(' ')[0] or 0)} agree"


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

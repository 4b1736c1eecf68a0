"""Where the log stands now: the one row that says it, read without the framework's layers.

Nearly every answer asks for it, a page a dozen times, and by the framework each takes ten times as long.
"""

from __future__ import annotations

from typing import NamedTuple

from lineage.db.prepared import fetch


class Head(NamedTuple):
    """`origin` names the log, `size` is its number of entries, `policy_index` its newest decision on keys."""

    origin: str
    size: int
    policy_index: int


def read() -> Head | None:
    """None before the first start."""
    rows = fetch("SELECT origin, size, policy_index FROM log_head WHERE id = 1")
    return Head(*rows[0]) if rows else None


def size() -> int:
    """The number of entries; 0 before the first start."""
    head = read()
    return 0 if head is None else head.size


def origin() -> str:
    """The log's name; "" before the first start."""
    head = read()
    return "" if head is None else head.origin

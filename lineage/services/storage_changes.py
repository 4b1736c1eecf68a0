"""Whether other storages change what the graph says: a new one, under which nothing lies yet, does not.

Statuses depend on which stated locations are copies, so the graph is made anew where one moves from a storage
to another, or from or to none. Otherwise it stands, which is minutes of a large log.

Owns: that question. Does not own: which storages there are (`storages`), or under which a location is
(`graph.locations`).
"""

from __future__ import annotations

from collections.abc import Iterable

from lineage.graph.locations import Root, beginning, root_of
from lineage.graph.model import ClaimKind
from lineage.graph.sql_query import fetch

MOST = 100_000
"""Locations that are looked at. Where more begin as a storage's do, some are likely under it, and looking at
all of them takes as long as making the graph anew."""

_LOCATIONS = (
    "SELECT DISTINCT c.value FROM graph_claim c WHERE c.kind = %s AND substr(c.value, 1, %s) = %s LIMIT %s"
)


def moves(before: tuple[Root, ...], after: tuple[Root, ...]) -> bool:
    """Whether a location that the graph has, whoever stated it, is under another storage after the change."""
    changed = {*before} ^ {*after}
    return any(_moves(start, before, after) for start in _shortest(map(beginning, changed)))


def _moves(start: str, before: tuple[Root, ...], after: tuple[Root, ...]) -> bool:
    rows = fetch(_LOCATIONS, [ClaimKind.LOCATION, len(start), start, MOST + 1])
    return len(rows) > MOST or any(root_of(text, before) != root_of(text, after) for (text,) in rows)


def _shortest(starts: Iterable[str]) -> list[str]:
    """Those that no other one begins."""
    found: list[str] = []
    for start in sorted(starts):
        if not found or not start.startswith(found[-1]):
            found.append(start)
    return found

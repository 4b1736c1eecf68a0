"""Whether there is a closure index to ask: small graphs do without, and without loading what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage.graph.index import marks

if TYPE_CHECKING:
    from lineage.graph.index.live import Ready

LEAST_EDGES = 5_000
"""Smaller graphs are walked in the tables: about as fast, and without an index's memory."""


def ready(size: int) -> Ready | None:
    """This process's index with the first `size` entries at least, or None: the tables have to answer."""
    found = marks.now()
    if found is None:
        return None
    mark, edges = found
    if mark.projected < size or edges < LEAST_EDGES:
        return None
    from lineage.graph.index import live

    return live.index().ready(mark, size)

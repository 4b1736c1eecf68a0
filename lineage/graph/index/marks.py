"""How far the graph tables follow the log, and which log and tables it is: what an index is compared with.

Owns: the queries. Does not own: what is made of the tables' rows (`rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.sql_query import fetch


@dataclass(frozen=True, slots=True)
class Mark:
    """`leaf` is the hash of the last entry that is in the tables: it tells a database that was put back from
    one that went on. `generation` is that of `sql.State`.
    """

    projected: int
    generation: int
    leaf: bytes


def now() -> tuple[Mark, int] | None:
    """With the greatest edge id, which is about their number. None before the first projection."""
    found = fetch(
        "SELECT s.projected, s.generation, e.leaf_hash, (SELECT COALESCE(MAX(id), 0) FROM graph_edge)"
        ' FROM graph_state s LEFT JOIN log_entry e ON e."index" = s.projected - 1 WHERE s.id = 1'
    )
    if not found:
        return None
    projected, generation, leaf, edges = found[0]
    return Mark(projected, generation, bytes(leaf or b"")), edges


def continues(earlier: Mark, later: Mark) -> bool:
    """Whether the tables of `later` hold all rows that those of `earlier` had, under the same ids."""
    if earlier.generation != later.generation or earlier.projected > later.projected:
        return False
    if earlier.projected == later.projected:
        return earlier.leaf == later.leaf
    found = fetch('SELECT leaf_hash FROM log_entry WHERE "index" = %s', [earlier.projected - 1])
    return earlier.leaf == (bytes(found[0][0]) if found else b"")


def holds(mark: Mark) -> bool:
    """Whether the tables are still the same ones, or have gone on."""
    found = now()
    return found is not None and continues(mark, found[0])

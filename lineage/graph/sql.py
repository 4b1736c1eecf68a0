"""Writing the graph tables: rows in bulk, and how far they follow the log.

Owns: every statement that changes a `graph_…` table. Raw SQL, because the ORM costs five times as much. A
dialect for another database replaces the statements here and in `sql_facts`, not their callers.
Does not own: which rows there are (`lineage.services.project`), or reading for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

Row = tuple[int | str | None, ...]

_INSERTS = {
    "nodes": "INSERT INTO graph_node (id, key, kind, first_index) VALUES (%s, %s, %s, %s)",
    "edges": (
        "INSERT INTO graph_edge (id, source_id, type, target_id, first_index) VALUES (%s, %s, %s, %s, %s)"
    ),
    "support": 'INSERT INTO graph_support (edge_id, "index", signer_id, trust) VALUES (%s, %s, %s, %s)',
    "claims": (
        'INSERT INTO graph_claim (node_id, kind, value, "index", signer_id, trust)'
        " VALUES (%s, %s, %s, %s, %s, %s)"
    ),
    "checks": (
        "INSERT INTO graph_check (node_id, location, method, expected, observed, outcome, reason, at_us,"
        ' "index", signer_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)'
    ),
    "closed": (
        "UPDATE graph_status SET to_index = %s WHERE node_id = %s AND from_index = %s AND to_index IS NULL"
    ),
    "statuses": (
        "INSERT INTO graph_status (node_id, from_index, to_index, from_us, until_us, status, reasons)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)"
    ),
    "skipped": 'INSERT INTO graph_skipped_entry ("index", reason) VALUES (%s, %s)',
}
"""By the field of `Rows`, in the order in which they are written: close statuses before opening others."""

_TABLES = (
    "graph_skipped_entry", "graph_status", "graph_check", "graph_claim", "graph_support", "graph_edge",
    "graph_node",
)  # fmt: skip
_DELETES = tuple("DELETE FROM " + table for table in _TABLES)  # noqa: S608 names from the tuple above


@dataclass(frozen=True, slots=True)
class Rows:
    """What one batch adds, each row in the order of its statement's columns. Node and edge ids are given."""

    nodes: list[Row] = field(default_factory=list)
    edges: list[Row] = field(default_factory=list)
    support: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)  # (to_index, node id, from_index) of stored open statuses
    statuses: list[Row] = field(default_factory=list)
    skipped: list[Row] = field(default_factory=list)


def apply(cursor: CursorWrapper, rows: Rows) -> None:
    """Write a batch inside the caller's transaction."""
    for name, statement in _INSERTS.items():
        values: Sequence[Row] = getattr(rows, name)
        if values:
            cursor.executemany(statement, values)


@dataclass(frozen=True, slots=True)
class State:
    """How far the tables follow the log, by which rules, and which rebuild they come from."""

    projected: int
    generation: int
    rules: str


def read_state(cursor: CursorWrapper) -> State | None:
    """None before the first projection."""
    cursor.execute("SELECT projected, generation, rules FROM graph_state WHERE id = 1")
    row = cursor.fetchone()
    return None if row is None else State(*row)


def start(cursor: CursorWrapper, rules: str) -> None:
    """Make the state's row where there is none yet."""
    cursor.execute(
        "INSERT INTO graph_state (id, projected, generation, rules) VALUES (1, 0, 0, %s)"
        " ON CONFLICT (id) DO NOTHING",
        [rules],
    )


def advance(cursor: CursorWrapper, seen: State, projected: int) -> bool:
    """Move the watermark, unless somebody else has moved it or rebuilt since `seen` was read."""
    cursor.execute(
        "UPDATE graph_state SET projected = %s"
        " WHERE id = 1 AND projected = %s AND generation = %s AND rules = %s",
        [projected, seen.projected, seen.generation, seen.rules],
    )
    return bool(cursor.rowcount == 1)


def reset(cursor: CursorWrapper, seen: State, rules: str) -> bool:
    """Empty the graph and start over under `rules`, unless somebody else has since `seen` was read."""
    cursor.execute(
        "UPDATE graph_state SET projected = 0, generation = generation + 1, rules = %s"
        " WHERE id = 1 AND generation = %s",
        [rules, seen.generation],
    )
    if cursor.rowcount != 1:
        return False
    for statement in _DELETES:
        cursor.execute(statement)
    return True


@contextmanager
def unsynced(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Commits in here don't wait for the disk: what a power cut takes of the graph is projected again.

    The log's own commits on this connection, before and after, keep waiting for it.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA synchronous = {int(usual)}")


def last_ids(cursor: CursorWrapper) -> tuple[int, int]:
    """The greatest node id and edge id, 0 where there is none. Only the holder of the watermark adds any."""
    cursor.execute(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM graph_node), (SELECT COALESCE(MAX(id), 0) FROM graph_edge)"
    )
    nodes, edges = cursor.fetchone()
    return nodes, edges

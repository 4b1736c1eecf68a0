"""Fill SQLite's graph tables with a big graph by plain inserts: ten times as fast as by the projector.

For graphs that are only walked over: nodes, edges, roles, and a status each, by no rule but the node's kind.
Nothing here says how fast the graph follows the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection, transaction

from lineage.graph import sql
from lineage.graph.backend import GraphEntry
from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.status_timeline import BEGINNING_US, FOREVER_US
from tests.bench.dag import Dag

CHUNK = 20_000
"""Entries whose rows are held at one time."""
Row = tuple[Any, ...]
Rows = tuple[list[Row], list[Row], list[Row], list[Row]]
_INTO = (
    "INSERT INTO graph_node (id, key, kind, first_index) VALUES (?, ?, ?, ?)",
    "INSERT OR IGNORE INTO graph_edge (id, source_id, type, target_id, first_index) VALUES (?, ?, ?, ?, ?)",
    'INSERT INTO graph_claim (node_id, kind, value, "index", signer_id, trust) VALUES (?, ?, ?, ?, ?, ?)',
    "INSERT INTO graph_status (node_id, from_index, from_us, until_us, status, reasons)"
    " VALUES (?, ?, ?, ?, ?, ?)",
)


def fill(dag: Dag, rules: str) -> None:
    """All entries of the graph, with its watermark; indexes are made when the rows are there."""
    with connection.cursor() as cursor:
        sql.start(cursor, rules)
        state = sql.read_state(cursor)
        assert state is not None
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name LIKE 'graph_%%' AND sql > ''"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        raw: sqlite3.Connection = connection.connection
        for rows in _rows(dag.entries()):
            with transaction.atomic():
                for into, values in zip(_INTO, rows, strict=True):
                    raw.executemany(into, values)
        for _, made in indexes:
            cursor.execute(made)
        assert sql.advance(cursor, state, dag.entries_wanted)


def _rows(entries: Iterable[GraphEntry]) -> Iterator[Rows]:
    ids, edges = dict[str, int](), 0
    found: Rows = ([], [], [], [])
    for entry in entries:
        ((signer, delta),) = entry.contributions
        nodes, links, claims, statuses = found
        for key, kind in delta.nodes.items():
            if key not in ids:
                ids[key] = len(ids) + 1
                nodes.append((ids[key], key, kind.value, entry.index))
                status = "verified" if kind is NodeKind.RUN else "unverified"
                statuses.append((ids[key], entry.index, BEGINNING_US, FOREVER_US, status, ""))
        for edge in delta.edges:
            edges += 1
            links.append((edges, ids[edge.source], edge.type.value, ids[edge.target], entry.index))
        who = ids[signer]
        for claim in delta.claims:
            if claim.kind is ClaimKind.ROLE:
                claims.append((ids[claim.node], "role", claim.value, entry.index, who, "signed"))
        if entry.index % CHUNK == CHUNK - 1:
            yield found
            found = ([], [], [], [])
    yield found

"""Reading the graph tables' ids into arrays.

Owns: the queries, one form for SQLite and PostgreSQL. Does not own: what is made of the rows (`snapshot`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from itertools import chain

import numpy as np
from django.db import connection

from lineage.graph.index.adjacency import TYPES, Numbers
from lineage.graph.index.snapshot import KINDS, EdgeRows, NodeRows

_CHUNK = 50_000


def edges_after(last: int) -> EdgeRows:
    """Edges with greater ids than `last`."""
    sql = f"SELECT id, source_id, target_id, {_number('type', TYPES)}, first_index FROM graph_edge"
    columns = _read(f"{sql} WHERE id > %s ORDER BY id", last, 5)
    return EdgeRows(*columns)


def nodes_after(last: int) -> NodeRows:
    """Nodes with greater ids than `last`."""
    sql = f"SELECT id, {_number('kind', KINDS)}, first_index FROM graph_node"
    columns = _read(f"{sql} WHERE id > %s ORDER BY id", last, 3)
    return NodeRows(*columns)


def _number(column: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{value}' THEN {number}" for number, value in enumerate(values))
    return f"CASE {column} {cases} END"


def _read(sql: str, last: int, columns: int) -> list[Numbers]:
    """The columns of a query's rows, read in pieces: a million rows as objects would be 200 MB."""
    pieces = []
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, [last])
        while rows := cursor.fetchmany(_CHUNK):
            flat = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * columns)
            pieces.append(flat.reshape(-1, columns))
    table = np.concatenate(pieces) if pieces else np.empty((0, columns), np.int64)
    return [np.ascontiguousarray(table[:, column]) for column in range(columns)]

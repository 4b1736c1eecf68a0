"""Reading the graph tables into arrays: ids, statuses, roles.

Owns: the queries, one form for SQLite and PostgreSQL. Does not own: what is made of the rows (`snapshot`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from itertools import chain

import msgspec
import numpy as np
from django.db import connection

from lineage.graph.index.adjacency import TYPES, Numbers
from lineage.graph.index.columns import ROLES, STATUSES, RoleRows, StatusRows
from lineage.graph.index.snapshot import KINDS, EdgeRows, NodeRows
from lineage.graph.sql_query import fetch

_CHUNK = 50_000
_NUMBERS = msgspec.json.Decoder(list[int])


def edges_after(last: int) -> EdgeRows:
    """Edges with greater ids than `last`."""
    sql = f"SELECT id, source_id, target_id, {_number('type', TYPES)}, first_index FROM graph_edge"
    columns = _read(f"{sql} WHERE id > %s ORDER BY id", [last], 5, some=last > 0)
    return EdgeRows(*columns)


def nodes_after(last: int) -> NodeRows:
    """Nodes with greater ids than `last`."""
    sql = f"SELECT id, {_number('kind', KINDS)}, first_index FROM graph_node"
    columns = _read(f"{sql} WHERE id > %s ORDER BY id", [last], 3, some=last > 0)
    return NodeRows(*columns)


def statuses_between(begin: int, end: int) -> StatusRows:
    """What is open as of tree size `end`, of nodes whose status entries from `begin` on opened."""
    sql = (
        f"SELECT node_id, from_index, from_us, until_us, {_number('status', STATUSES)} FROM graph_status "
        "WHERE from_index >= %s AND from_index < %s AND (to_index IS NULL OR to_index >= %s)"
    )
    return StatusRows(*_read(sql, [begin, end, end], 5, some=begin > 0, ascending=None))


def roles_since(last_claim: int, end: int) -> RoleRows:
    """Claims of roles by entries below `end` with greater ids than that; from 0 the first of each alone."""
    # Ids are given in the order of the log, so that those below `end` are those up to one of them.
    found = fetch('SELECT id FROM graph_claim WHERE "index" < %s ORDER BY id DESC LIMIT 1', [end])
    last = int(found[0][0]) if found else 0
    number, known = _number("value", ROLES), "value IN (" + ", ".join(f"'{role}'" for role in ROLES) + ")"
    if last_claim:
        # No index is to be used but that of ids.
        kind = "+kind" if connection.vendor == "sqlite" else "kind"
        sql = (
            f'SELECT node_id, {number}, "index" FROM graph_claim WHERE id > %s AND id <= %s '
            f"AND {kind} = 'role' AND {known} ORDER BY id"
        )
        return RoleRows(*_read(sql, [last_claim, last], 3, some=True, ascending=2), last_claim=last)
    # The first condition is that of a partial index, which has all that is asked for, in this order.
    sql = (
        f'SELECT node_id, {number}, MIN("index") FROM graph_claim '
        f"WHERE kind IN ('location', 'role', 'unsafe') AND kind = 'role' AND {known} "
        'GROUP BY node_id, kind, value HAVING MIN("index") < %s'
    )
    return RoleRows(*_read(sql, [end], 3), last_claim=last)


def _number(column: str, values: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{value}' THEN {number}" for number, value in enumerate(values))
    return f"CASE {column} {cases} END"


def _read(
    sql: str, params: list[int], columns: int, *, some: bool = False, ascending: int | None = 0
) -> list[Numbers]:
    """The columns of a query's rows, read in pieces: a million rows as objects would be 200 MB.

    `some`: what came since, some thousands. `ascending`: the column by which the query orders, None: none.
    """
    if some and connection.vendor == "sqlite":
        return _read_at_once(sql, params, columns, ascending)
    pieces = []
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, params)
        while rows := cursor.fetchmany(_CHUNK):
            flat = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * columns)
            pieces.append(flat.reshape(-1, columns))
    table = np.concatenate(pieces) if pieces else np.empty((0, columns), np.int64)
    return [np.ascontiguousarray(table[:, column]) for column in range(columns)]


def _read_at_once(sql: str, params: list[int], columns: int, ascending: int | None) -> list[Numbers]:
    """The same on SQLite, each column as one text: two thirds of what a row at a time costs.

    SQLite keeps the order of the query, but does not promise it: `ascending` is the column that tells.
    """
    names = [f"c{number}" for number in range(columns)]
    texts = ", ".join(f"json_group_array({name})" for name in names)
    ((*found,),) = fetch(f"WITH r ({', '.join(names)}) AS ({sql}) SELECT {texts} FROM r", params)
    read = [np.array(_NUMBERS.decode(text), np.int64) for text in found]
    if ascending is not None and np.any(np.diff(read[ascending]) < 0):
        order = np.argsort(read[ascending], kind="stable")
        return [column[order] for column in read]
    return read

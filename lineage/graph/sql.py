"""Writing the graph tables: rows in bulk, and how far they follow the log.

Owns: every statement that changes a `graph_…` table. Raw SQL, because the ORM costs five times as much.
Does not own: which rows there are (`lineage.services.project`), or reading for people.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from lineage.db import bulk, direct
from lineage.db.bulk import Row, Table
from lineage.db.sqlite import graph_file
from lineage.db.turn import Turn
from lineage.giving_way import give_way
from lineage.graph import sql_dialect

MODEST_SECONDS = 0.05
"""For so long what is projected leaves the log's file of SQLite to who appends and waits for a receipt."""
_turn = Turn(MODEST_SECONDS)

PIECE = 60
"""Rows that SQLite inserts before others may have the processor: half a millisecond's."""

INSERTS = {
    "nodes": Table(
        "graph_node", (("id", "int8"), ("key", "text"), ("kind", "text"), ("first_index", "int8"))
    ),
    "edges": Table(
        "graph_edge",
        (
            ("id", "int8"), ("source_id", "int8"), ("type", "text"), ("target_id", "int8"),
            ("first_index", "int8"),
        ),
    ),
    "support": Table(
        "graph_support",
        (("edge_id", "int8"), ('"index"', "int8"), ("signer_id", "int8"), ("trust", "text")),
    ),
    "claims": Table(
        "graph_claim",
        (
            ("node_id", "int8"), ("kind", "text"), ("value", "text"), ('"index"', "int8"),
            ("signer_id", "int8"), ("trust", "text"),
        ),
    ),
    "checks": Table(
        "graph_check",
        (
            ("node_id", "int8"), ("location", "text"), ("method", "text"), ("expected", "text"),
            ("observed", "text"), ("outcome", "text"), ("strength", "int2"), ("reason", "text"),
            ("bytes", "int8"), ("at_us", "int8"), ('"index"', "int8"), ("signer_id", "int8"),
            ("trust", "text"),
        ),
    ),
    "copies": Table(
        "graph_copy",
        (
            ("node_id", "int8"), ("location", "text"), ("storage", "text"), ("outcome", "text"),
            ("last_us", "int8"), ("quick_us", "int8"), ("content_us", "int8"), ("full_us", "int8"),
            ("bytes", "int8"), ("due_us", "int8"), ("method", "text"), ("overdue_us", "int8"),
        ),
    ),
    "statuses": Table(
        "graph_status",
        (
            ("node_id", "int8"), ("from_index", "int8"), ("to_index", "int8"), ("from_us", "int8"),
            ("until_us", "int8"), ("status", "text"), ("reasons", "text"),
        ),
    ),
    "skipped": Table("graph_skipped_entry", (('"index"', "int8"), ("reason", "text"))),
}  # fmt: skip
"""By the field of `Rows`."""

_CLOSE_SQLITE = (
    "UPDATE graph_status SET to_index = %s WHERE node_id = %s AND from_index = %s AND to_index IS NULL"
)
_CLOSE_POSTGRESQL = (
    "UPDATE graph_status s SET to_index = w.until"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) w (until, node, opened)"
    " WHERE s.node_id = w.node AND s.from_index = w.opened AND s.to_index IS NULL"
)

_CLOSE_OPEN = {
    "sqlite": (
        "UPDATE graph_status SET to_index = %s"
        " WHERE to_index IS NULL AND node_id IN (SELECT value FROM json_each(%s))"
    ),
    "postgresql": (
        "UPDATE graph_status s SET to_index = %s FROM unnest(%s::bigint[]) w (value)"
        " WHERE s.node_id = w.value AND s.to_index IS NULL"
    ),
}
_OPEN_SAME = (
    "INSERT INTO graph_status (node_id, from_index, to_index, from_us, until_us, status, reasons)"
    " SELECT w.value, o.* FROM (SELECT {bigint} AS a, {null} AS b, {bigint} AS c, {bigint} AS d, {text} AS e,"
    " {text} AS f) o CROSS JOIN {ids}"
)

_FORGET_COPIES = "DELETE FROM graph_copy WHERE node_id IN (SELECT value FROM {ids})"

_TABLES = (
    "graph_taint", "graph_skipped_entry", "graph_status", "graph_copy", "graph_check", "graph_claim",
    "graph_support", "graph_edge", "graph_node",
)  # fmt: skip
_SEARCHED = ("log_entry", "log_entry_subject", "log_entry_signer", "log_envelope")
_DELETES = tuple("DELETE FROM " + table for table in _TABLES)  # noqa: S608 names from the tuple above


_STILL = {
    "sqlite": "SELECT 1 FROM graph_state WHERE id = 1 AND generation = %s",
    "postgresql": "SELECT 1 FROM graph_state WHERE id = 1 AND generation = %s FOR SHARE",
}


@dataclass(frozen=True, slots=True)
class Turned:
    """Stored nodes whose open status is closed at `index` and followed by the same `pieces`.

    Each piece: from and until (µs), status, reasons as the table has them.
    """

    index: int
    pieces: tuple[Row, ...]
    nodes: list[int]


@dataclass(frozen=True, slots=True)
class Rows:
    """What one batch adds, each row in the order of its statement's columns. Node and edge ids are given."""

    nodes: list[Row] = field(default_factory=list)
    edges: list[Row] = field(default_factory=list)
    support: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)  # (to_index, node id, from_index) of stored open statuses
    turned: list[Turned] = field(default_factory=list)  # nodes of none of the two rows above
    statuses: list[Row] = field(default_factory=list)
    skipped: list[Row] = field(default_factory=list)
    recopied: list[int] = field(default_factory=list)  # ids of nodes whose rows in `copies` are all new
    copies: list[Row] = field(default_factory=list)


def apply(cursor: CursorWrapper, rows: Rows) -> None:
    """Write a batch inside the caller's transaction: statuses are closed before others are opened."""
    sqlite = cursor.db.vendor == "sqlite"
    if rows.closed and sqlite:
        cursor.executemany(_CLOSE_SQLITE, rows.closed)
    elif rows.closed:
        cursor.execute(_CLOSE_POSTGRESQL, [list(column) for column in zip(*rows.closed, strict=True)])
    for each in rows.turned:
        _write_turned(cursor, each)
    if rows.recopied:
        sql = sql_dialect.query(_FORGET_COPIES, cursor.db.vendor)
        cursor.execute(sql, sql_dialect.listed(rows.recopied, cursor.db.vendor))
    for name, table in INSERTS.items():
        values: Sequence[Row] = getattr(rows, name)
        if values and sqlite:
            for start in range(0, len(values), PIECE):
                cursor.executemany(table.insert_one, values[start : start + PIECE])
                give_way()
        elif values:
            bulk.insert(cursor.db, table, values)
            give_way()


def inserts(rows: Rows) -> Iterator[tuple[str, list[Row]]]:
    """What is to be inserted, by the names of `INSERTS`."""
    for name in INSERTS:
        yield name, getattr(rows, name)


def _write_turned(cursor: CursorWrapper, turned: Turned) -> None:
    """Of very many nodes at once: a statement for all costs half of what one for each does."""
    vendor = cursor.db.vendor
    listed = sql_dialect.listed(turned.nodes, vendor)
    cursor.execute(_CLOSE_OPEN[vendor], [turned.index, *listed])
    for from_us, until_us, status, reasons in turned.pieces:
        values = [turned.index, from_us, until_us, status, reasons]
        cursor.execute(sql_dialect.query(_OPEN_SAME, vendor), [*values, *listed])


@dataclass(frozen=True, slots=True)
class State:
    """How far the tables follow the log, by which rules, and which filling of the tables it is.

    `generation` is drawn anew at each start and rebuild: row ids change with it.
    """

    projected: int
    generation: int
    rules: str


def read_state(cursor: CursorWrapper) -> State | None:
    """None before the first projection."""
    cursor.execute("SELECT projected, generation, rules FROM graph_state WHERE id = 1")
    row = cursor.fetchone()
    return None if row is None else State(*row)


_NO_LEAF = {"sqlite": "x''", "postgresql": "'\\x'::bytea"}


def _none(cursor: CursorWrapper) -> str:
    return _NO_LEAF[cursor.db.vendor]


def _leaf(cursor: CursorWrapper) -> str:
    """That of the entry with an index, so that the tables know whose log they follow."""
    return f'COALESCE((SELECT leaf_hash FROM log_entry WHERE "index" = %s), {_none(cursor)})'  # noqa: S608


def start(cursor: CursorWrapper, rules: str) -> None:
    """Make the state's row where there is none yet."""
    cursor.execute(
        "INSERT INTO graph_state (id, projected, generation, rules) VALUES (1, 0, %s, %s)"
        " ON CONFLICT (id) DO NOTHING",
        [secrets.randbits(62), rules],
    )


def advance(cursor: CursorWrapper, seen: State, projected: int) -> bool:
    """Move the watermark, unless somebody else has moved it or rebuilt since `seen` was read."""
    cursor.execute(
        f"UPDATE graph_state SET projected = %s, leaf = {_leaf(cursor)}"  # noqa: S608
        " WHERE id = 1 AND projected = %s AND generation = %s AND rules = %s",
        [projected, projected - 1, seen.projected, seen.generation, seen.rules],
    )
    return bool(cursor.rowcount == 1)


def reset(cursor: CursorWrapper, seen: State, rules: str) -> bool:
    """Empty the graph and start over under `rules`, unless somebody else has since `seen` was read."""
    cursor.execute(
        f"UPDATE graph_state SET projected = 0, leaf = {_none(cursor)}, generation = %s, rules = %s"  # noqa: S608
        " WHERE id = 1 AND generation = %s",
        [secrets.randbits(62), rules, seen.generation],
    )
    if cursor.rowcount != 1:
        return False
    for statement in _DELETES:
        cursor.execute(statement)
    return True


def relabel(cursor: CursorWrapper, seen: State, rules: str) -> bool:
    """Say that the tables are as `rules` make them, too, unless somebody has moved the watermark, emptied or
    relabelled them since `seen` was read."""
    cursor.execute(
        "UPDATE graph_state SET rules = %s"
        " WHERE id = 1 AND projected = %s AND generation = %s AND rules = %s",
        [rules, seen.projected, seen.generation, seen.rules],
    )
    return bool(cursor.rowcount == 1)


def is_of_other_log(cursor: CursorWrapper) -> bool:
    """Whether the tables end with an entry that this log has not: it was exchanged beneath them."""
    cursor.execute(f"SELECT 1 FROM graph_state s WHERE s.id = 1 AND {graph_file.OTHER_LOG}")  # noqa: S608
    return cursor.fetchone() is not None


def still(cursor: CursorWrapper, generation: int) -> bool:
    """Whether it is this filling of the tables; on PostgreSQL it stays so until the transaction ends.

    SQLite's transactions write one after the other.
    """
    cursor.execute(_STILL[cursor.db.vendor], [generation])
    return cursor.fetchone() is not None


def filled(cursor: CursorWrapper, begun: State, projected: int, rules: str) -> bool:
    """Say that the tables hold the first `projected` entries by `rules`, unless they were emptied since."""
    cursor.execute(
        f"UPDATE graph_state SET projected = %s, leaf = {_leaf(cursor)}, rules = %s"  # noqa: S608
        " WHERE id = 1 AND projected = 0 AND generation = %s AND rules = %s",
        [projected, projected - 1, rules, begun.generation, begun.rules],
    )
    return bool(cursor.rowcount == 1)


@contextmanager
def snapshot(database: BaseDatabaseWrapper) -> Iterator[CursorWrapper]:
    """A cursor whose reads all see the tables at one time, while others write, and go by indexes alone.

    The projector asks about a few hundred keys, whatever the size of the tables. PostgreSQL takes a recursive
    query's result for a hundred times as many rows as it has, and would join it with a whole table.
    """
    database = direct.itself(database)
    if database.vendor == "sqlite":
        with direct.cursor(database) as cursor, _sqlite_transaction(database):
            yield cursor
        return
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = off;"
            " SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
        )
        yield cursor


@contextmanager
def unsynced(database: BaseDatabaseWrapper, writes: str = "graph") -> Iterator[None]:
    """A transaction whose commit doesn't wait for the disk: what a power cut takes is projected again.

    On SQLite it locks one file from its start: the `graph`'s, beside which the log is written as ever, or
    `main`, the log's. Its own commits on this connection, before and after, keep waiting for the disk.

    Raises: RuntimeError inside another transaction.
    """
    database = direct.itself(database)
    if database.vendor == "sqlite" and writes == "main":
        with (
            _sqlite_synchronous(database, "NORMAL"),
            _turn.at(database),
            _sqlite_transaction(database, writes),
        ):
            yield
    elif database.vendor == "sqlite":
        with _sqlite_transaction(database, writes):
            yield
    else:
        with transaction.atomic(durable=True):
            with database.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")
            yield


@contextmanager
def _sqlite_synchronous(database: BaseDatabaseWrapper, wanted: str) -> Iterator[None]:
    with direct.cursor(database) as cursor:
        cursor.execute("PRAGMA synchronous")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA synchronous = {wanted}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA synchronous = {int(usual)}")


@contextmanager
def _sqlite_transaction(database: BaseDatabaseWrapper, writes: str = "") -> Iterator[None]:
    """Said to the driver itself: what the framework does around it costs more than the statements."""
    if database.in_atomic_block:
        raise RuntimeError("this transaction can't be part of another one")
    with direct.cursor(database) as cursor:
        if writes:
            with database.wrap_database_errors:
                graph_file.begin(database.connection, writes)
        else:
            cursor.execute("BEGIN")
        try:
            yield
            cursor.execute("COMMIT")
        except BaseException:
            if database.connection.in_transaction:  # some errors have ended it
                cursor.execute("ROLLBACK")
            raise


ROUGH_TARGET = 10
"""PostgreSQL's `default_statistics_target` where others wait for a processor: 3,000 rows of each table are
looked at instead of 30,000, in a ninth of the time. Source: PostgreSQL, Planner Statistics."""


def analyze(database: BaseDatabaseWrapper, roughly: bool = False) -> None:
    """Have PostgreSQL look at the sizes and distributions of the tables, and of those of the log that are
    searched: it plans badly until it has, and looks by itself a minute later.

    `roughly`: as closely as is needed until then. The whole look is a second of a processor, for which those
    who append at that moment wait as well.

    Not on SQLite, which plans by the indexes' order alone and worse with statistics.
    """
    if database.vendor != "postgresql":
        return
    statement = "ANALYZE " + ", ".join((*_TABLES, *_SEARCHED))
    if not roughly:
        with database.cursor() as cursor:
            cursor.execute(statement)
        return
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(f"SET LOCAL default_statistics_target = {ROUGH_TARGET}")
        cursor.execute(statement)


def make_index(cursor: CursorWrapper, statement: str) -> None:
    """Make an index by its statement, however long that takes, in the caller's transaction."""
    if cursor.db.vendor == "postgresql":
        cursor.execute("SET LOCAL statement_timeout = 0")
    cursor.execute(statement)


def last_ids(cursor: CursorWrapper) -> tuple[int, int]:
    """The greatest node id and edge id, 0 where there is none. Only the holder of the watermark adds any."""
    cursor.execute(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM graph_node), (SELECT COALESCE(MAX(id), 0) FROM graph_edge)"
    )
    nodes, edges = cursor.fetchone()
    return nodes, edges

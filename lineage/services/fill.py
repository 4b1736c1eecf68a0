"""Making the graph tables anew at once: all nodes in memory, rows inserted bare, indexes made at the end.

Owns: who may, that a fill which died is noticed, the limits. The watermark stays 0 until all rows and indexes
are there: readers see a graph of no entry, and never half of one. Does not own: what entries say, or what
follows from them (`project_entries`, `fill_batch`), or writing rows and making indexes, which a process of
its own does (`fill_writer`).

While it goes on the tables' rules are `filling …`, which nobody's are: whoever finds that, and finds nobody
at it, makes the indexes again and starts over.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.db import connection
from django.db.backends.utils import CursorWrapper

from lineage.config import current
from lineage.db.erasure import overwriting
from lineage.errors import ConflictError
from lineage.graph import sql, sql_indexes
from lineage.graph.model import signer_key
from lineage.graph.status import Rules
from lineage.loading import unsearched
from lineage.services import fill_writer, project_entries
from lineage.services.alone import alone
from lineage.services.fill_batch import FillBatch, ForgottenError
from lineage.services.fill_memory import Memory
from lineage.services.fill_writer import Order
from lineage.services.project_entries import Judged
from lineage.services.trust_cutoffs import cutoffs

FILLING = "filling "
LEAST_ENTRIES = 2_000
"""Of a smaller log the ordinary way is as fast."""
MOST_NODES = 5_000_000
"""Some 3 GB of memory; a larger graph goes on the ordinary way from there."""
BATCH = 2_000
"""Entries folded at once."""
ROWS = 20_000
"""Rows of one transaction: whoever appends waits for it."""
HELD = 200_000
"""Nodes that are written together: some 60 MB of memory, and a second of a transaction."""

Read = Callable[[int, int], list[Judged]]
Write = Callable[[sql.Rows], None]


@contextmanager
def lock() -> Iterator[bool]:
    """True where nobody fills the tables now; then nobody else does until the block ends.

    It ends with the process: on PostgreSQL with its connection, on SQLite with an open file of the home.
    """
    if connection.vendor == "postgresql":
        with alone("fill the graph") as mine:
            yield mine
        return
    path = Path(current().home) / "cache" / "graph-fill.lock"
    path.parent.mkdir(exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def mend(state: sql.State, made_by: str) -> None:
    """Under the lock: the tables of a fill that died, empty, with their indexes, to start over."""
    begun = _empty(state, FILLING + made_by)
    sql_indexes.make(connection)
    _say(begun, 0, made_by)


def fill(
    state: sql.State, made_by: str, rules: Rules, progress: Callable[[int], None], read: Read | None = None
) -> int:
    """Under the lock: make the tables anew; returns how many entries are in them.

    It ends before an entry that needs what only tables remember, and at `MOST_NODES`: the projector goes on.
    `progress` is called with entries done.

    Raises: LogIntegrityError where the log has a hole; UnavailableError where rows could not be written.
    Whatever happens, the indexes are there again.
    """
    begun = _empty(state, FILLING + made_by)
    try:
        sql_indexes.drop(connection)
        with (
            unsearched(),
            connection.cursor() as cursor,
            fill_writer.writing(_order(begun)) as writer,
        ):
            memory = Memory()
            done = _fold(memory, cursor, rules, progress, read or project_entries.read, writer.write)
            writer.over()
            del memory  # a second's work of its own, while indexes are made
    except BaseException:
        _give_up(begun)
        raise
    _say(begun, done, made_by)
    sql.analyze(connection)
    return done


def _give_up(begun: sql.State) -> None:
    """Whatever happened: no row that could not have its index, and the indexes are there again."""
    with sql.unsynced(connection), connection.cursor() as cursor:
        sql.reset(cursor, begun, begun.rules)  # unless somebody else has
    sql_indexes.make(connection)


def _say(begun: sql.State, done: int, made_by: str) -> None:
    """That the tables hold the first `done` entries, and are whole."""
    with sql.unsynced(connection), connection.cursor() as cursor:
        if not sql.filled(cursor, begun, done, made_by):
            raise ConflictError("The graph was emptied while it was made.", hint="Make it again.")


def _order(begun: sql.State) -> Order:
    return Order(fill_writer.database(), begun.generation, ROWS, HELD, sql_indexes.missing(connection))


def _empty(state: sql.State, rules: str) -> sql.State:
    """Empty the tables so that no name of what was redacted is left in their file; how they stand then."""
    with overwriting(connection), sql.unsynced(connection), connection.cursor() as cursor:
        if not sql.reset(cursor, state, rules):
            raise ConflictError("Another process has emptied the graph.", hint="Look at it in a minute.")
        now = sql.read_state(cursor)
    assert now is not None
    return now


def _fold(
    memory: Memory,
    cursor: CursorWrapper,
    rules: Rules,
    progress: Callable[[int], None],
    read: Read,
    write: Write,
) -> int:
    """All rows of the log, up to the first entry that can't be folded so; how many entries that are."""
    done, believed = 0, dict[str, int]()
    while memory.last_node < MOST_NODES and (entries := read(done, BATCH)):
        until = {signer_key(key_id): index for key_id, index in cutoffs(entries[-1].ring).items()}
        try:
            rows = FillBatch(memory, cursor, entries, rules, until).fold()
        except ForgottenError:
            break
        write(rows)
        done, believed = entries[-1].index + 1, until
        rules = replace(rules, policy=entries[-1].policy)
        progress(done)
    for rows in FillBatch(memory, cursor, (), rules, believed).last_rows(ROWS):
        write(rows)
    return done

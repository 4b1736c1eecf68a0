"""The projector: follows the log by index and keeps the graph tables, in batches.

Owns: the watermark, one short write transaction a batch, and starting over. Any process may call it at any
time: reading and computing happen outside the transaction, and whoever was overtaken meanwhile throws its
work away. Does not own: what entries say (`project_entries`), what follows from it (`project_batch`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from django.db import connection

from lineage import tracing
from lineage.db import direct, prepared
from lineage.db.erasure import overwriting
from lineage.db.models import LogHead
from lineage.db.sqlite import graph_file
from lineage.errors import ConflictError
from lineage.graph import sql
from lineage.graph.locations import Root
from lineage.graph.model import signer_key
from lineage.graph.sql_facts import Belief
from lineage.graph.status import Rules
from lineage.graph.status_copies import roots_of
from lineage.services import fill, project_entries, project_kept, redactions, storage_changes, storages
from lineage.services.project_batch import Batch
from lineage.services.project_entries import Standing
from lineage.services.trust_cutoffs import cutoffs

logger = logging.getLogger(__name__)

ANALYZED_FROM = 128
"""Entries; of a smaller graph any plan is good."""


class _OvertakenError(Exception):
    """Another process moved the watermark first. Never leaves this module."""


class _FillingError(Exception):
    """Another process makes the tables anew at this moment. Never leaves this module."""


_BUSY = "Another process makes the graph anew."

_LOOK = (
    f"SELECT s.projected, s.generation, s.rules, h.size, {graph_file.OTHER_LOG}, ({redactions.MARK}),"  # noqa: S608
    " p.name, p.uri FROM graph_state s LEFT JOIN log_head h ON h.id = 1"
    f" LEFT JOIN ({storages.STORED}) p ON true WHERE s.id = 1 ORDER BY p.nature, p.name"
)
"""All that tells whether there is something to do, in one question: a row for each storage, at least one."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How the tables stand, how many entries the log has, and what the tables are to be made by.

    `other_log`: their last entry was not in the log; on SQLite it may have come while that was looked at.
    """

    state: sql.State
    size: int
    rules: Rules
    mark: int
    made_by: str
    other_log: bool


def watermark() -> int:
    """Entries below this index are in the graph."""
    with direct.cursor(connection) as cursor:
        state = sql.read_state(cursor)
    return 0 if state is None else state.projected


def rules() -> Rules:
    """The status rules of this installation."""
    return Rules(roots=storages.roots())


def fingerprint() -> str:
    """What the tables are made by: the status rules, and which bytes the log still has.

    Where a redaction took some away the graph is made anew, as it is without them.
    """
    return _fingerprint(storages.roots(), redactions.mark())


@lru_cache(maxsize=8)
def _fingerprint(roots: tuple[Root, ...], mark: int) -> str:
    return Rules(roots=roots).fingerprint() + (f" redacted {mark}" if mark else "")


def is_by_these_rules() -> bool:
    """Whether the tables are made by what `fingerprint` says now."""
    with direct.cursor(connection) as cursor:
        state = sql.read_state(cursor)
    return state is not None and state.rules == fingerprint()


def project_pending(limit: int = 500) -> int:
    """Bring the next batch of at most `limit` entries into the graph; returns how many, 0 when it is level.

    Starts over from entry 0 where the graph was made by other rules than this process has. 0 as well while
    another process makes the whole graph anew.

    Raises: LogIntegrityError where the log has a hole.
    """
    while True:
        try:
            look = _look()
        except _FillingError:
            return 0
        if look.state.projected >= look.size:
            return 0
        left = project_kept.take(look.state)
        standing = left.standing if left is not None else project_entries.standing(look.state.projected)
        entries = project_entries.read(look.state.projected, limit, standing)
        if not entries:
            return 0
        try:
            with tracing.span("lineage.project", entries=len(entries)):
                _project(look, entries, standing, left)
        except _OvertakenError:
            continue
        return len(entries)


def rebuild(progress: Callable[[int, int], None] | None = None) -> int:
    """Empty the graph and project the log from entry 0; returns the number of entries.

    Readers see a graph that is behind meanwhile, and a killed rebuild is taken up by the next projection.
    `progress` is called with entries done and entries in all.

    Raises: ConflictError where another process makes it anew at this moment.
    """
    total = LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0
    done = 0
    try:
        state = _look().state
    except _FillingError:
        raise ConflictError(_BUSY, hint="Look at it in a minute.") from None
    if total < fill.LEAST_ENTRIES:
        _reset(state)
    else:
        done = _fill(state, lambda at: progress(min(at, total), total) if progress is not None else None)
    while done < total and project_pending():
        done = watermark()
        if progress is not None:
            progress(min(done, total), total)
    return done


def _fill(state: sql.State, progress: Callable[[int], None]) -> int:
    with fill.lock() as mine:
        if not mine:
            raise ConflictError(_BUSY, hint="Look at it in a minute.")
        return fill.fill(state, fingerprint(), rules(), progress)


def _look() -> _Look:
    """The tables as they stand, made by this process's rules; whatever others made is emptied first.

    Raises: _FillingError while another process makes them anew.
    """
    while True:
        look = _read_look()
        if look is None:
            with connection.cursor() as cursor:
                sql.start(cursor, fingerprint())
            continue
        state, made_by = look.state, look.made_by
        if look.other_log and _left_another_log(state):
            logger.warning("The graph was another log's, or of a later state of it: it is made anew.")
            continue
        if state.rules == made_by:
            return look
        if state.rules.startswith(fill.FILLING):
            with fill.lock() as mine:
                if not mine:
                    raise _FillingError
                logger.warning("Making the graph anew was broken off: it starts over.")
                fill.mend(state, made_by)
            continue
        if _stands(look):
            _relabel(state, made_by)
            continue
        logger.warning(
            "Rules, storages or redactions have changed: the graph of %d entries is rebuilt from the log.",
            state.projected,
        )
        _reset(state)


def _read_look() -> _Look | None:
    """None before the first projection."""
    rows = prepared.fetch(_LOOK)
    if not rows:
        return None
    projected, generation, made_by, size, other_log, mark, *_ = rows[0]
    roots = storages.roots_of((name, uri) for *_, name, uri in rows if name is not None)
    state = sql.State(projected, generation, made_by)
    mark = mark or 0
    return _Look(state, size or 0, Rules(roots=roots), mark, _fingerprint(roots, mark), bool(other_log))


def _stands(look: _Look) -> bool:
    """Whether only the storages have changed, and that moves nothing."""
    before = roots_of(look.state.rules)
    if before is None or _fingerprint(before, look.mark) != look.state.rules:
        return False
    return not storage_changes.moves(before, look.rules.roots)


def _relabel(state: sql.State, made_by: str) -> None:
    """The tables are as the storages of now would have made them. Whoever was quicker, looks again."""
    with sql.unsynced(connection), direct.cursor(connection) as cursor:
        sql.relabel(cursor, state, made_by)


def _reset(state: sql.State) -> None:
    """Empty the tables so that no name of what was redacted is left in their file."""
    with overwriting(connection), sql.unsynced(connection), direct.cursor(connection) as cursor:
        sql.reset(cursor, state, fingerprint())


def _left_another_log(state: sql.State) -> bool:
    """Empty the tables if they are another log's, which is looked at while nobody else writes to them."""
    with overwriting(connection), sql.unsynced(connection), direct.cursor(connection) as cursor:
        return sql.is_of_other_log(cursor) and sql.reset(cursor, state, fingerprint())


def _project(
    look: _Look, entries: list[project_entries.Judged], standing: Standing, left: project_kept.Left | None
) -> None:
    state, end = look.state, entries[-1].index + 1
    believed_until = {signer_key(key_id): index for key_id, index in cutoffs(entries[-1].ring).items()}
    belief = Belief(believed_until, entries[-1].withdrawn)
    nodes = left.nodes if left is not None and left.belief == belief else {}
    with sql.snapshot(connection) as cursor:
        batch = Batch(cursor, entries, look.rules, believed_until, nodes)
        rows = batch.fold()
    state = _write(state, end, rows)
    if not entries[-1].alone:  # which changes how the log stands, and nodes that it does not name
        project_kept.leave(project_kept.Left(state, standing, belief, nodes), batch.states)
    if end.bit_length() > max(look.state.projected, ANALYZED_FROM).bit_length():
        sql.analyze(connection, roughly=True)  # the graph has doubled


def _write(state: sql.State, until: int, rows: sql.Rows) -> sql.State:
    with sql.unsynced(connection), direct.cursor(connection) as cursor:
        if not sql.advance(cursor, state, until):
            raise _OvertakenError
        sql.apply(cursor, rows)
    return replace(state, projected=until)

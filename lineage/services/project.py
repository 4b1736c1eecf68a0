"""The projector: follows the log by index and keeps the graph tables, in batches.

Owns: the watermark, one short write transaction a batch, and starting over. Any process may call it at any
time: reading and computing happen outside the transaction, and whoever was overtaken meanwhile throws its
work away. Does not own: what entries say (`project_entries`), what follows from it (`project_batch`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import connection, transaction

from lineage import tracing
from lineage.db.erasure import overwriting
from lineage.db.models import LogHead
from lineage.graph import sql
from lineage.graph.model import signer_key
from lineage.graph.status import Rules
from lineage.services import project_entries, redactions, storages
from lineage.services.project_batch import Batch
from lineage.services.trust_cutoffs import cutoffs

logger = logging.getLogger(__name__)

ANALYZED_FROM = 128
"""Entries; of a smaller graph any plan is good."""


class _OvertakenError(Exception):
    """Another process moved the watermark first. Never leaves this module."""


def watermark() -> int:
    """Entries below this index are in the graph."""
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
    return 0 if state is None else state.projected


def rules() -> Rules:
    """The status rules of this installation."""
    return Rules(roots=storages.roots())


def fingerprint() -> str:
    """What the tables are made by: the status rules, and which bytes the log still has.

    Where a redaction took some away the graph is made anew, as it is without them.
    """
    mark = redactions.mark()
    return rules().fingerprint() + (f" redacted {mark}" if mark else "")


def project_pending(limit: int = 500) -> int:
    """Bring the next batch of at most `limit` entries into the graph; returns how many, 0 when it is level.

    Starts over from entry 0 where the graph was made by other rules than this process has.

    Raises: LogIntegrityError where the log has a hole.
    """
    while True:
        state = _state()
        entries = project_entries.read(state.projected, limit)
        if not entries:
            return 0
        try:
            with tracing.span("lineage.project", entries=len(entries)):
                _project(state, entries)
        except _OvertakenError:
            continue
        return len(entries)


def rebuild(progress: Callable[[int, int], None] | None = None) -> int:
    """Empty the graph and project the log from entry 0; returns the number of entries.

    Readers see a graph that is behind meanwhile, and a killed rebuild is taken up by the next projection.
    `progress` is called with entries done and entries in all.
    """
    _reset(_state())
    total = LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0
    done = 0
    while done < total and project_pending():
        done = watermark()
        if progress is not None:
            progress(min(done, total), total)
    return done


def _state() -> sql.State:
    """The tables' state, made by this process's rules; whatever others made is emptied first."""
    made_by = fingerprint()
    while True:
        with connection.cursor() as cursor:
            state = sql.read_state(cursor)
            if state is None:
                sql.start(cursor, made_by)
                continue
        if state.rules == made_by:
            return state
        logger.warning(
            "Rules, storages or redactions have changed: the graph of %d entries is rebuilt from the log.",
            state.projected,
        )
        _reset(state)


def _reset(state: sql.State) -> None:
    """Empty the tables so that no name of what was redacted is left in their file."""
    with overwriting(connection), transaction.atomic(durable=True), connection.cursor() as cursor:
        sql.reset(cursor, state, fingerprint())


def _project(state: sql.State, entries: list[project_entries.Judged]) -> None:
    believed_until = {signer_key(key_id): index for key_id, index in cutoffs(entries[-1].ring).items()}
    with sql.snapshot(connection) as cursor:
        rows = Batch(cursor, entries, rules(), believed_until).fold()
    end = entries[-1].index + 1
    with sql.unsynced(connection), connection.cursor() as cursor:
        if not sql.advance(cursor, state, end):
            raise _OvertakenError
        sql.apply(cursor, rows)
    if end.bit_length() > max(state.projected, ANALYZED_FROM).bit_length():
        sql.analyze(connection)  # the graph has doubled

"""The fence around what a job appends: token, step and result, in the transaction of its entry.

Owns: that an entry of a job is written under its newest lease or not at all, and once a step; rows of other
tables that a step leaves beside it. Does not own: leases (`job_lease`), or the entry itself (`log_batch`,
which calls this under the head lock). Head row first, then the job's: nobody takes them in the other order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from lineage.errors import FencedError
from lineage.services.clock import now_us

_JOB = "SELECT state, token FROM job WHERE id = %s"
_STEP = "SELECT entry_index FROM job_step WHERE job_id = %s AND step = %s"
_RECORD = "INSERT INTO job_step (job_id, step, entry_index) VALUES (%s, %s, %s)"
_FINISH = "UPDATE job SET state = 'done', result = %s, error = '', finished_us = %s WHERE id = %s"

Beside = Callable[[CursorWrapper, int], None]
"""Writes what belongs to an entry, of which it is told the index, in the entry's transaction; quickly."""


@dataclass(frozen=True, slots=True)
class JobStep:
    """Which step of which job a statement is, under which lease; no step "": only the lease counts.

    `result` given: the job is done with this entry, in the same transaction. JSON values only. `beside`:
    called once a step, when it is written first.
    """

    job_id: int
    token: int
    step: str
    result: Mapping[str, object] | None = None
    beside: Beside | None = None


class Fence:
    """What one transaction knows of jobs."""

    def __init__(self, database: BaseDatabaseWrapper) -> None:
        self._database = database
        self._lock = " FOR UPDATE" if database.features.has_select_for_update else ""
        self._held: dict[int, tuple[str, int]] = {}
        self._recorded: dict[tuple[int, str], int] = {}

    def known(self, step: JobStep) -> int | None:
        """The entry that this step has made already, None where it has not; the job's row stays locked.

        Raises: FencedError where the lease is lost, or the job over.
        """
        self._check(step)
        place = (step.job_id, step.step)
        if not step.step:
            return None
        if place not in self._recorded:
            with self._database.cursor() as cursor:
                cursor.execute(_STEP, place)
                row = cursor.fetchone()
            if row is None:
                return None
            self._recorded[place] = row[0]
        return self._recorded[place]

    def record(self, step: JobStep, index: int) -> None:
        """Write that `step` is entry `index`, once, and the job's result where it has one."""
        place = (step.job_id, step.step)
        with self._database.cursor() as cursor:
            if step.step and place not in self._recorded:
                cursor.execute(_RECORD, [*place, index])
                self._recorded[place] = index
                if step.beside is not None:
                    step.beside(cursor, index)
            if step.result is not None:
                cursor.execute(_FINISH, [json.dumps(step.result), now_us(), step.job_id])
                self._held[step.job_id] = ("done", step.token)

    def _check(self, step: JobStep) -> None:
        if step.job_id not in self._held:
            with self._database.cursor() as cursor:
                cursor.execute(_JOB + self._lock, [step.job_id])
                self._held[step.job_id] = cursor.fetchone() or ("gone", -1)
        if self._held[step.job_id] != ("running", step.token):
            raise FencedError(f"Job {step.job_id} is not this worker's any more; its statement is dropped.")

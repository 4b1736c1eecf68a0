"""Looks that reached nothing: was it that one copy, or its whole storage?

A server that fails for one file looks as one that is away: its gateway answers 503, it refuses credentials
that it takes elsewhere, or nothing comes at all. So such a look counts for nothing until the storage itself
was asked after it. Where that answers, the look is inconclusive, as any other that could not be carried out.
Where it does not, the storage is gone, and nothing is known of any copy in it.

Owns: keeping such looks until then, and when the storage is asked. Does not own: looking (`check_looks`),
what becomes of a storage that is gone (`reverify`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future

from lineage.artifacts.storage import GoneError, Storage
from lineage.errors import InconclusiveError
from lineage.services import check_looks
from lineage.services.check_looks import Look
from lineage.services.copies import Copy

PROBE_SECONDS = 5.0
"""From an answer of the storage to the next question: a thousand files that fail are not as many questions,
and one that goes meanwhile is noticed soon."""


class Unreached:
    """What one sweep could not reach in `storage`. All of it is called from the job's own thread.

    `gone`: why the storage is; None while it is not known to be.
    """

    def __init__(self, storage: Storage) -> None:
        self.gone: GoneError | None = None
        self._storage = storage
        self._waiting: dict[Copy, tuple[Look, int]] = {}
        self._asked: dict[Copy, tuple[Look, int]] = {}
        self._question: Future[None] | None = None
        self._next_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether something waits for an answer of the storage."""
        return self.gone is None and bool(self._waiting or self._question)

    def keep(self, copy: Copy, error: GoneError, at: int) -> None:
        """A look at `copy` says that the storage is gone, at so many µs."""
        why = InconclusiveError(f"The storage can be reached, and this could not be read: {error.message}")
        self._waiting[copy] = check_looks.inconclusive(copy, why), at

    def ask(self, pool: Executor, *, now: bool) -> list[Future[None]]:
        """Ask the storage in a thread of `pool`, if it is time to, or `now`; what is under way."""
        if self.is_open and self._question is None and (now or time.monotonic() >= self._next_at):
            self._asked, self._waiting = self._waiting, {}
            self._question = pool.submit(self._storage.probe)
        return [] if self._question is None else [self._question]

    def settled(self) -> Iterator[tuple[Copy, tuple[Look, int]]]:
        """Once the storage has answered, what could not be read, and when: each is given once."""
        if self._question is None or not self._question.done():
            return
        question, self._question = self._question, None
        self._next_at = time.monotonic() + PROBE_SECONDS
        try:
            question.result()
        except GoneError as error:
            self.gone = error
        except InconclusiveError as error:  # an answer that is none, as of a listing that breaks off
            self.gone = GoneError(error.message, hint=error.hint)
        else:
            yield from self._asked.items()

    def stop(self) -> None:
        """Ask nothing that was not begun."""
        if self._question is not None:
            self._question.cancel()

"""Ask something that may never answer, and have an answer within a moment all the same.

Owns: the deadline, that at most one question to each is under way, and how long its answer is kept. A
question that hangs keeps its own thread until it ends, and everybody else is told at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from lineage.errors import UnavailableError

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """`look` runs in a thread of its own, with `seconds` to answer. An answer counts for `keep_seconds`."""

    def __init__(self, look: Callable[[], Answer], *, seconds: float, keep_seconds: float = 0.0) -> None:
        self._look = look
        self._seconds = seconds
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._question: _Question[Answer] | None = None

    def ask(self) -> Answer:
        """Raises: UnavailableError after the deadline; what `look` raises."""
        question = self._current()
        left = question.started + self._seconds - time.monotonic()
        if not question.answered.wait(max(0.0, left)):
            raise UnavailableError(f"It has not answered within {self._seconds:g} s.")
        return question.answer()

    def begin(self) -> None:
        """Have the question under way, for `ask` to wait for."""
        self._current()

    def forget(self) -> None:
        """Have the next caller ask anew."""
        with self._lock:
            self._question = None

    def _current(self) -> _Question[Answer]:
        with self._lock:
            if self._question is None or self._question.older_than(self._keep_seconds):
                self._question = _Question(self._look)
            return self._question


class _Question(Generic[Answer]):
    def __init__(self, look: Callable[[], Answer]) -> None:
        self.started = time.monotonic()
        self.answered = threading.Event()
        self._ended = 0.0
        self._answer: list[Answer] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, args=(look,), name="probe", daemon=True).start()

    def older_than(self, seconds: float) -> bool:
        return self.answered.is_set() and time.monotonic() >= self._ended + seconds

    def answer(self) -> Answer:
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def _run(self, look: Callable[[], Answer]) -> None:
        from django.db import connections

        try:
            self._answer.append(look())
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()  # this thread's own; a pool keeps them
            self._ended = time.monotonic()
            self.answered.set()

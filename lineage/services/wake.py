"""Wake Celery's workers: something was appended, or a job is in line.

Owns: one thread a process that sends wake-ups, so that no request waits for Redis. Does not own: how it is
sent (`wake_sender`), or the work, which workers find in the database: a wake-up that is lost costs latency
alone, because beat wakes them too. Without a broker nothing is sent: the embedded worker looks for itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from lineage import broker, lean
from lineage.config import current

METERS = ("opentelemetry.metrics", "opentelemetry.sdk.metrics")
"""What Redis's client would meter itself by, if it is installed and asked to; it is not asked. 2 MB."""
PAUSE_SECONDS = 0.1
"""Between two sendings: whatever is appended meanwhile is one wake-up, and the first is sent at once. Sending
one and executing it takes more than a millisecond in all."""
STREAM_PAUSE_SECONDS = 0.5
"""Instead of it under a stream of appends: who follows one stays for longer (`follow.STAY_SECONDS`)."""
STREAM = 5
"""So many rings for the same within a pause are a stream."""

log = logging.getLogger(__name__)

Message = tuple[str, str, tuple[str, ...]]
"""Task, queue, arguments."""


def soon() -> None:
    """Have the graph projected. Called after each commit to the log; returns at once, and never fails."""
    config = current()
    if not config.broker:
        return
    _bell.ring((broker.PROJECT, broker.GRAPH, ()))
    if config.graph is not None:
        _bell.ring((broker.PROJECT_NEO4J, broker.GRAPH, ()))


def job(queue: str) -> None:
    """Have the jobs of a queue drained. Called after a job is in line; returns at once, and never fails."""
    if current().broker:
        _bell.ring((broker.DRAIN, queue, (queue,)))


def load() -> None:
    """Load what sends, before the first request needs it: Celery takes a third of a second.

    To be called before there are threads.
    """
    if current().broker:
        with lean.without(METERS):
            from lineage.services import wake_sender  # noqa: F401


class _Bell:
    """What is to be sent, and the thread that sends it: started at the first ring, asleep without news."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[Message, int] = {}
        self._streams: set[Message] = set()
        self._rung = threading.Event()
        self._at_once = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self, message: Message) -> None:
        with self._lock:
            self._wanted[message] = self._wanted.get(message, 0) + 1
            if self._thread is None:
                self._start()
            followed = message in self._streams
        self._rung.set()
        if not followed:
            self._at_once.set()

    def _start(self) -> None:
        thread = threading.Thread(target=self._send_for_ever, name="wake", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads, or the process is ending: the next ring tries again
            log.warning("Workers can't be woken: %s", error)
        else:
            self._thread = thread

    def _send_for_ever(self) -> None:
        # Loaded here, because Celery takes a while to load and most processes wake nobody.
        from lineage.services.wake_sender import Sender

        sender = Sender(current().broker)
        while True:
            self._rung.wait()
            self._rung.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, {}
                self._streams = {message for message, rings in wanted.items() if rings >= STREAM}
                self._at_once.clear()
            sender.send(list(wanted))
            time.sleep(PAUSE_SECONDS)
            if self._streams:  # whatever else there is does not wait for longer than ever
                self._at_once.wait(STREAM_PAUSE_SECONDS - PAUSE_SECONDS)


_bell = _Bell()


def _start_anew() -> None:
    """A forked child has no thread: what its parent wanted, its parent sends."""
    global _bell  # noqa: PLW0603
    _bell = _Bell()


os.register_at_fork(after_in_child=_start_anew)

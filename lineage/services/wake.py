"""Wake Celery's workers: something was appended, or a job is in line.

Owns: one thread a process that sends wake-ups, so that no request waits for Redis. The web processes have
their parent send (`Pipe`), so none of them loads Celery. Does not own: how it is sent (`wake_sender`), or the
work, which workers find in the database: a wake-up that is lost costs latency alone, because beat wakes them
too. Without a broker nothing is sent: the embedded worker looks for itself.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from lineage import broker, lean
from lineage.config import current

UNASKED = ("opentelemetry.metrics", "opentelemetry.sdk.metrics", "yaml")
"""What Redis's client would meter itself by, and Celery's write messages in, if it is installed and asked to;
it is not asked. 3 MB."""
PAUSE_SECONDS = 0.1
"""Between two sendings: whatever is appended meanwhile is one wake-up, and the first is sent at once. Sending
one and executing it takes more than a millisecond in all."""
STREAM_PAUSE_SECONDS = 0.5
"""Instead of it under a stream of appends: who follows one stays for longer (`follow.STAY_SECONDS`)."""
LISTEN_PAUSE_SECONDS = 0.05
"""Between two looks at what children have told their parent: what comes within is sent after PAUSE_SECONDS
at the soonest anyway, and a process woken by each of some hundred appends a second is in their way."""
STREAM = 5
"""So many rings for the same within a pause are a stream."""

log = logging.getLogger(__name__)

Message = tuple[str, str, tuple[str, ...]]
"""Task, queue, arguments."""
_MESSAGES: tuple[Message, ...] = (
    (broker.PROJECT, broker.GRAPH, ()),
    (broker.PROJECT_NEO4J, broker.GRAPH, ()),
    *((broker.DRAIN, queue, (queue,)) for queue in broker.QUEUES),
)
"""All that there are. In a pipe each is a byte: its place here."""
_LOAD = len(_MESSAGES)
"""In a pipe: what sends will be needed."""


def soon() -> None:
    """Have the graph projected. Called after each commit to the log; returns at once, and never fails."""
    config = current()
    if not config.broker:
        return
    _ring((broker.PROJECT, broker.GRAPH, ()))
    if config.graph is not None:
        _ring((broker.PROJECT_NEO4J, broker.GRAPH, ()))


def job(queue: str) -> None:
    """Have the jobs of a queue drained. Called after a job is in line; returns at once, and never fails."""
    if current().broker:
        _ring((broker.DRAIN, queue, (queue,)))


def load() -> None:
    """Load what sends, before anything is to be sent: Celery takes a third of a second.

    To be called while no other thread loads anything.
    """
    with lean.without(UNASKED):
        from lineage.services import wake_sender  # noqa: F401


class Pipe:
    """From processes that are forked to their parent, which sends their wake-ups.

    One that finds it full writes nothing: tens of thousands wait in it then, while Redis is away.
    """

    def __init__(self) -> None:
        """In the parent, before it forks: a thread reads, and does nothing until a child has written."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        threading.Thread(target=self._listen, name="wake-pipe", daemon=True).start()

    def _listen(self) -> None:
        # Modules are loaded once the children are there, who would have half of them otherwise.
        while told := os.read(self._read, 1 << 16):
            for place in told:
                if place == _LOAD:
                    load()
                else:
                    _bell.ring(_MESSAGES[place])
            time.sleep(LISTEN_PAUSE_SECONDS)

    def use(self) -> None:
        """In a child that is ready: have the parent send from now on."""
        global _pipe  # noqa: PLW0603
        os.close(self._read)
        _pipe = self
        self.tell(_LOAD)

    def ring(self, message: Message) -> None:
        self.tell(_MESSAGES.index(message))

    def tell(self, place: int) -> None:
        try:
            os.write(self._write, bytes((place,)))
        except BlockingIOError:
            pass
        except OSError as error:
            log.warning("Workers can't be woken: %s", error)


_pipe: Pipe | None = None


def _ring(message: Message) -> None:
    (_pipe or _bell).ring(message)


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
            self._rung.set()
            if message not in self._streams:
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

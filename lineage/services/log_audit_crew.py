"""Parts of the log read by several processes at once, their findings in the order of the parts.

Owns: starting those processes, handing out parts, that none outlives the audit, and that one which ends
before it has answered is an error and never a finding. Does not own: what is read (`log_audit_part`).

Processes of their own, not of `multiprocessing`: a Celery worker may have no children of that kind, and a
process that is forked from one with threads and connections has theirs. They are told everything by a pipe,
and end with it: when this process ends, however that is, there is nothing more to read from.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import msgspec

import lineage
from lineage import processes
from lineage.errors import UnavailableError
from lineage.services import log_audit_part
from lineage.services.log_audit_part import Part, PartRead

Found = Iterator[tuple[Part, PartRead]]
Read = Callable[[Iterable[Part]], Found]

ALONE_ENTRIES = 8_192
"""So few are read by this process alone before others have started."""
_AHEAD = 2
"""Parts a process, handed out before the first of them is joined."""
_END_SECONDS = 5.0


class Answer(msgspec.Struct, frozen=True):
    """What a reading process says of one part: what it found, or why it could not read."""

    found: PartRead | None = None
    failed: str = ""


@contextmanager
def reading(jobs: int, entries: int) -> Iterator[Read]:
    """A function that reads parts by `jobs` processes at once; no process of its own where that doesn't pay.

    It raises UnavailableError where one of them ended, or could not read.
    """
    if jobs < 2 or entries <= ALONE_ENTRIES:
        yield _alone
        return
    crew = [_Reader() for _ in range(jobs)]
    try:
        yield lambda parts: _together(crew, parts)
    finally:
        for reader in crew:
            reader.kill()


def _alone(parts: Iterable[Part]) -> Found:
    for part in parts:
        yield part, log_audit_part.read(part)


def _together(crew: list[_Reader], parts: Iterable[Part]) -> Found:
    idle: SimpleQueue[_Reader] = SimpleQueue()
    for reader in crew:
        idle.put(reader)

    def ask(part: Part) -> PartRead:
        reader = idle.get()
        try:
            return reader.ask(part)
        finally:
            idle.put(reader)

    to_read, waiting = iter(parts), deque[tuple[Part, Future[PartRead]]]()
    with ThreadPoolExecutor(len(crew)) as threads:
        try:
            while True:
                for part in islice(to_read, _AHEAD * len(crew) - len(waiting)):
                    waiting.append((part, threads.submit(ask, part)))
                if not waiting:
                    return
                part, found = waiting.popleft()
                yield part, found.result()
        except GeneratorExit:  # enough was read: what was begun is read to its end
            raise
        except BaseException:  # Ctrl-C too: whoever waits for a process that reads waits no more
            for reader in crew:
                reader.kill()
            raise
        finally:
            for _, each in waiting:
                each.cancel()


class _Reader:
    """One process; parts go in and findings come out a line each."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lineage.services.log_audit_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
        )

    def ask(self, part: Part) -> PartRead:
        """Raises: UnavailableError where it ended, or could not read."""
        given, taken = self._process.stdin, self._process.stdout
        assert given is not None
        assert taken is not None
        try:
            given.write(msgspec.json.encode(part) + b"\n")
            given.flush()
            answer = msgspec.json.decode(taken.readline(), type=Answer)
        except (OSError, ValueError):  # among them a line that is none, or cut off
            raise self._ended() from None
        if answer.found is None:
            raise UnavailableError(f"The log could not be read to its end: {answer.failed}")
        return answer.found

    def _ended(self) -> UnavailableError:
        how = processes.ended(self._process, _END_SECONDS)
        return UnavailableError(
            f"A process that read the log ended {how} before it had said what it found."
            " So nothing is known of the log.",
            hint="Run the audit again; with `--jobs 1` it needs no other process.",
        )

    def kill(self) -> None:
        """End it at once; it writes nothing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written to it goes nowhere


def _environment() -> dict[str, str]:
    """Ours, and this very package, wherever one stands."""
    known = os.environ.get("PYTHONPATH", "")
    here = str(Path(lineage.__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, known)))}

"""Hand signed envelopes over without waiting for the server: first to disk, then to the server by a thread.

Owns: when the spool is sent, what is logged of it, how long the end of a process waits for it. Does not own:
the files (`spool`), the request (`sending`).
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from lineage.client.sending import Client, Receipt
from lineage.client.spool import Spool, default_folder
from lineage.errors import ConfigurationError, LineageError, UnavailableError

log = logging.getLogger(__name__)

EXIT_SECONDS = 5.0
"""How long the end of a process waits for what is on its way; the rest is sent by the next one."""

_AGAIN_SECONDS = 60.0
_BUSY_SECONDS = 0.2
_FIRST_PAUSE_SECONDS = 1.0


class Delivery:
    """Sends the spool of one server from a thread of its own.

    Without a token nothing is sent: what is handed over waits for `lineage send-spooled`.
    Raises: ConfigurationError where the address is none or there is no place for a spool.
    """

    def __init__(self, url: str, token: str, *, folder: Path | None = None) -> None:
        self._client = Client(url, token, attempts=0) if token else None
        self.spool = Spool(url, folder)
        self._reset()
        _ALL.add(self)

    def _reset(self) -> None:
        """As in a process that has sent nothing: a child has neither the thread nor its locks."""
        self._news = threading.Condition()
        self._wanted = True
        self._handed: set[str] = set()
        self._receipts: dict[str, Receipt] = {}
        self._failures: dict[str, str] = {}
        self._reason = ""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send, first what earlier processes left. Does nothing where that is under way."""
        with self._news:
            if self._client is None or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, name="lineage-delivery", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter ends: the next process sends it
                self._thread = None

    def hand(self, envelope: bytes) -> str:
        """Take an envelope over; it is on disk when this returns, and its name in the spool is given.

        Raises: TooLargeError where the spool is full, ConfigurationError where it can't be written.
        """
        name = self.spool.keep(envelope)
        with self._news:
            self._handed.add(name)
            self._wanted = True
            self._news.notify_all()
        self.start()
        return name

    def settle(self, name: str, seconds: float) -> Receipt:
        """Wait for the server's receipt of what was handed over as `name`.

        Raises:
            UnavailableError: the server did not have it within `seconds`; it stays in the spool.
            LineageError: the server refused it for good.
        """
        deadline = time.monotonic() + seconds
        with self._news:
            while name not in self._receipts and name not in self._failures:
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None or not self._news.wait(left):
                    raise UnavailableError(
                        f"The server at {self.spool.url} has not got the statement:"
                        f" {self._reason or 'it did not answer in time'}."
                    )
            if name in self._failures:
                raise LineageError(f"The server refused the statement: {self._failures[name]}")
            return self._receipts[name]

    def close(self, seconds: float = EXIT_SECONDS) -> int:
        """Wait until all that this process handed over is sent, `seconds` at the most.

        Gives how many still wait; one line is logged of them.
        """
        deadline = time.monotonic() + seconds
        with self._news:
            while left := self._handed - set(self._receipts) - set(self._failures):
                remaining = deadline - time.monotonic()
                if remaining <= 0 or self._thread is None or (self._reason and not self._wanted):
                    break
                self._news.wait(remaining)
        if left:
            why = self._reason or ("no API key" if self._client is None else "it did not answer in time")
            log.warning(
                "%d signed statement(s) wait in %s, because the server at %s has not got them: %s. The next"
                " run sends them, or `lineage send-spooled`.",
                len(left),
                self.spool.folder,
                self.spool.url,
                why.rstrip("."),
            )
        return len(left)

    def _work(self) -> None:
        assert self._client is not None
        pause: float | None = None
        while True:
            with self._news:
                if not self._wanted:
                    self._news.wait(pause)
                self._wanted, self._reason = False, ""
            try:
                done = self.spool.deliver(self._client)
            except (LineageError, OSError) as error:
                self._note({}, {}, str(error))
                pause = _longer(pause)
                continue
            busy = done.reason == "another process is sending"
            pause = _BUSY_SECONDS if busy else _longer(pause) if done.waiting else None
            self._note(done.receipts, done.refused, "" if busy else done.reason)
            for name, reason in done.refused.items():
                log.warning(
                    "The server refused a signed statement, which is put aside as %s: %s", name, reason
                )

    def _note(self, receipts: dict[str, Receipt], refused: dict[str, str], reason: str) -> None:
        with self._news:
            self._receipts |= {name: each for name, each in receipts.items() if name in self._handed}
            self._failures |= refused
            self._reason = reason
            self._news.notify_all()


def _longer(pause: float | None) -> float:
    return min(_AGAIN_SECONDS, max(_FIRST_PAUSE_SECONDS, 2 * (pause or 0)))


_ALL: weakref.WeakSet[Delivery] = weakref.WeakSet()


def _forked() -> None:
    for each in _ALL:
        each._reset()


os.register_at_fork(after_in_child=_forked)


def destination(url: str | None, token: str | None, folder: Path | None) -> Delivery:
    """Where to send, from what was given or else the environment (`LINEAGE_URL`, `LINEAGE_TOKEN`).

    Raises: ConfigurationError where there is no address, or a password in it: addresses are logged.
    """
    url, token = url or os.environ.get("LINEAGE_URL"), token or os.environ.get("LINEAGE_TOKEN")
    if not url:
        raise ConfigurationError("There is no server to send to: give url, or set LINEAGE_URL.")
    if "@" in urlsplit(url).netloc:
        raise ConfigurationError("The server's address must hold no user or password; give the API key.")
    return _shared(url, token or "", folder or default_folder())


@lru_cache(maxsize=16)
def _shared(url: str, token: str, folder: Path) -> Delivery:
    """One thread a server, however many runs a process has."""
    return Delivery(url, token, folder=folder)

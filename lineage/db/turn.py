"""Whose turn it is to write to SQLite's file, among all processes of an installation.

SQLite has one lock to write and no line before it: who finds it taken asks again after a while, and who has
just let it go takes it again before anyone else has looked. Two web processes under load then wait for each
other for a hundred milliseconds. Here who waits says so, and whoever has just written lets it go first.

Owns: that order. Does not own: that one alone writes. SQLite's own lock sees to that, also among those who
don't ask here, and for whoever asked here in vain. There are two files to lock beside the database; the
system takes back what a killed process had. Source: flock(2).
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.000_15
"""Between two looks whether it is free. A look takes a microsecond, waking up for it some fifty."""
STEP_BACK_SECONDS = 0.000_3
"""How long who has written stays away where others wait: two looks of theirs."""
LONGEST_SECONDS = 1.0
"""A stopped process may have it: SQLite's own lock decides then, and how long that is waited for."""
SUFFIXES = ("-turn", "-wanted")
"""Of the files beside the database: one is locked by whoever writes, one is shared by who waits."""


class Turn:
    """One asker's: what its threads write, they write one after the other.

    `modest_seconds`: for so long it takes what is free and asks nobody to step back; and where somebody
    waited while it wrote, it rests as long as it wrote, at most that long. Who follows the log leaves the
    lock to those who append to it, but not for ever.
    """

    def __init__(self, modest_seconds: float = 0.0) -> None:
        self._modest_seconds = modest_seconds
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._mine = threading.Lock()
        self._database = ""
        self._files: list[int] = []
        self._rests_until = 0.0

    @contextmanager
    def at(self, database: BaseDatabaseWrapper) -> Iterator[None]:
        """The block in its turn, or after `LONGEST_SECONDS` without one. At once where it is not SQLite."""
        if database.vendor != "sqlite":
            yield
            return
        with self._mine:
            taken = self._open(str(database.settings_dict["NAME"])) and self._take()
            begin = time.monotonic()
            try:
                yield
            finally:
                if taken:
                    self._give(time.monotonic() - begin)

    def _take(self) -> bool:
        writing, wanting = self._files
        # To sleep for no time at all takes 60 µs as well, and Python's lock anew.
        if (rest := self._rests_until - time.monotonic()) > 0:
            time.sleep(rest)
        if self._is_wanted():
            time.sleep(STEP_BACK_SECONDS)
        begin, said = time.monotonic(), False
        try:
            while not _free(writing):
                waited = time.monotonic() - begin
                if waited > LONGEST_SECONDS:
                    return False
                if not said and waited >= self._modest_seconds:
                    said = _free(wanting, fcntl.LOCK_SH)
                time.sleep(LOOK_SECONDS)
            return True
        finally:
            if said:
                fcntl.flock(wanting, fcntl.LOCK_UN)

    def _give(self, wrote_seconds: float) -> None:
        """`wrote_seconds`: how long others could not."""
        if self._modest_seconds and self._is_wanted():
            self._rests_until = time.monotonic() + min(self._modest_seconds, wrote_seconds)
        fcntl.flock(self._files[0], fcntl.LOCK_UN)

    def _is_wanted(self) -> bool:
        """Whether somebody waits who may ask others to step back."""
        wanting = self._files[1]
        if not _free(wanting):
            return True
        fcntl.flock(wanting, fcntl.LOCK_UN)
        return False

    def _open(self, name: str) -> bool:
        """Whether the database has such files: one in memory has none, a full disk no room for them."""
        if name != self._database:
            self.close()
            self._database = name
        if not self._files and Path(name).is_file():
            try:
                for suffix in SUFFIXES:
                    self._files.append(os.open(name + suffix, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError as error:
                logger.warning("Writers to %s don't wait in line: %s.", name, error.strerror)
                self.close()
        return bool(self._files)

    def close(self) -> None:
        """Close the files; the next turn opens them again."""
        while self._files:
            os.close(self._files.pop())


_all = weakref.WeakSet[Turn]()


def _free(file: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock the file so, if that is possible at once."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_anew() -> None:
    """A forked child shares its parent's locks: it would keep them when the parent is killed."""
    for turn in _all:
        turn.close()
        turn._begin()


os.register_at_fork(after_in_child=_start_anew)

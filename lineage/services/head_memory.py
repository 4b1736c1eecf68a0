"""What this process has seen of the log itself: a database that is put back beneath it is noticed at once.

Owns: the largest head, the epoch and the database's file that this process has seen, and which signers and
predicate types it has seen listed, which is true as long as the rest is. Does not own: what outlives the
process (`high_water`).

A process that has seen entries which are gone remembers more of them than their number: keys, rights and
decisions by their indexes. So it takes nothing any more until it is started again, whatever is decided.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Protocol

from django.db import DEFAULT_DB_ALIAS, connections

from lineage.errors import RollbackError
from lineage.trust.epochs import Epoch

HINT = "Stop the server, look which database is the right one, and start it again: docs/operate.md."


class Head(Protocol):
    """What is looked at of a head, however it was read."""

    @property
    def origin(self) -> str: ...
    @property
    def size(self) -> int: ...


@dataclass(slots=True)
class _Memory:
    """`size`: the largest head, in entries. `file`: device and inode of SQLite's. `wrong`: in a sentence.

    `signers`: ids of those that have a number in the database; `predicate_types`: names of those that have.
    """

    origin: str = ""
    size: int = 0
    epoch: int = 0
    file: tuple[int, int] | None = None
    wrong: str = ""
    signers: set[str] = field(default_factory=set)
    predicate_types: set[str] = field(default_factory=set)


_memory = _Memory()


def forget() -> None:
    """As a process that has just begun."""
    global _memory  # noqa: PLW0603 one reference, swapped whole
    _memory = _Memory()


def saw(head: Head) -> None:
    """The log has had this head: it is committed."""
    memory = _memory
    memory.origin = head.origin
    memory.size = max(memory.size, head.size)


def signers() -> set[str]:
    """Those that are known to be listed. Whoever commits adds more; whoever fails to commit forgets them."""
    return _memory.signers


def predicate_types() -> set[str]:
    """As `signers`, of predicate types."""
    return _memory.predicate_types


def forget_listed() -> None:
    """What was thought to be listed may not be."""
    _memory.signers.clear()
    _memory.predicate_types.clear()


def now() -> int:
    """The largest head, in entries. To be asked before a head is read outside of its lock: others go on."""
    return _memory.size


def wrong() -> str:
    """What was noticed so far, in a sentence."""
    return _memory.wrong


def outdated(words: str) -> None:
    """What this process remembers is of entries that were given up as lost."""
    _memory.wrong = _memory.wrong or words


def confirm(head: Head, seen: int | None = None) -> None:
    """That the log goes on from what this process has seen.

    `seen`: by `now`, asked before the head was read; without it the head is read under its lock.
    Raises: RollbackError.
    """
    if words := _compare(head, _memory.size if seen is None else seen):
        raise RollbackError(words, hint=HINT, extra={"log_size": head.size})


def look(head: Head, epoch: Epoch, seen: int) -> str:
    """The same at any time, in words, "" where it does. `seen`: by `now`, asked before the head was read."""
    memory = _memory
    if epoch.number < memory.epoch:
        outdated(
            f"The database now holds epoch {epoch.number}, and this server has seen epoch {memory.epoch}: an"
            " older state of it was put back beneath the running server."
        )
    elif 0 < memory.epoch < epoch.number and memory.size > epoch.from_size:
        outdated(
            f"The log began epoch {epoch.number} with entry {epoch.from_size:,}, and this process remembers"
            " what was there before."
        )
    words = _compare(head, seen)
    if not words:
        saw(head)
        memory.epoch = epoch.number
    return words


def _compare(head: Head, seen: int) -> str:
    memory = _memory
    if memory.wrong:
        return memory.wrong
    if memory.origin and head.origin != memory.origin:
        outdated(f"The database held the log {memory.origin}, and now holds the log {head.origin}.")
    elif head.size < seen:
        outdated(
            f"This server has seen {seen:,} entries, and the database now holds {head.size:,}: an"
            " older state of it was put back beneath the running server."
        )
    elif _exchanged(memory):
        outdated("The database's file was exchanged beneath the running server.")
    return memory.wrong


def _exchanged(memory: _Memory) -> bool:
    """Whether SQLite's file is another one: what is open goes on in the old one, which nobody will find."""
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "sqlite":
        return False
    try:
        found = os.stat(database.settings_dict["NAME"])
    except OSError:
        return memory.file is not None
    file = found.st_dev, found.st_ino
    if memory.file is None:
        memory.file = file
    return file != memory.file

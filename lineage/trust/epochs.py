"""Epochs: under which name the log's key speaks, after an older state of the log was put back.

Two trees under one name and key are two stories told by one log, which is what checkpoints exist to exclude.
So a log that lost entries it had already published goes on under another name: its own, and after it
`/epoch-<n>`. A verifier key holds the name, so whoever pinned the old one is not led on unasked.

Owns: the names, and which of them a checkpoint of some size carries. Pure. Does not own: the decision that
begins an epoch (`epoch_decisions`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_NUMBER = 999_999
_NAME = re.compile(r"(?P<origin>.+)/epoch-(?P<number>[1-9][0-9]{0,5})", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lost:
    """A published checkpoint that this log doesn't hold any more. `root` is 32 raw bytes."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Began:
    """An epoch that log entry `from_size` began: the log goes on from that many entries, without `lost`."""

    number: int
    from_size: int
    lost: Lost


@dataclass(frozen=True, slots=True)
class Epoch:
    """`origin` is the name on checkpoints of more than `from_size` entries, up to the next epoch's."""

    number: int
    origin: str
    from_size: int


def name(origin: str, number: int) -> str:
    """What checkpoints of an epoch of the log `origin` carry; the first carries the log's own name."""
    return origin if number == 1 else f"{origin}/epoch-{number}"


def number_of(origin: str, text: str) -> int | None:
    """Which epoch of the log `origin` the name stands for; None where it is another log's."""
    if text == origin:
        return 1
    found = _NAME.fullmatch(text)
    number = int(found["number"]) if found and found["origin"] == origin else 1
    return number if number > 1 else None


def split(text: str) -> tuple[str, int]:
    """Log and number of the epoch that a name seems to stand for. A log may be called so itself."""
    found = _NAME.fullmatch(text)
    if found is None or int(found["number"]) < 2:
        return text, 1
    return found["origin"], int(found["number"])


def at(origin: str, begun: Sequence[Began], size: int) -> Epoch:
    """The epoch whose name a checkpoint of `size` entries carries; `begun` in log order.

    It is the newest whose decision the checkpoint covers.
    """
    number, since = 1, 0
    for each in begun:
        if each.from_size < size:
            number, since = each.number, each.from_size
    return Epoch(number, name(origin, number), since)


def newest(origin: str, begun: Sequence[Began]) -> Epoch:
    """The one that the log is in: its next checkpoint carries that name."""
    return at(origin, begun, 1 << 63)

"""How the high-water file stands, for officers: what it holds, since when, and what it can't show.

A file that is not there, or was begun anew, shows nothing of what was put back before: that is said, and not
shown as well. Owns: words. Does not own: whether the log was rolled back (`high_water`).
"""

from __future__ import annotations

from dataclasses import dataclass

from lineage.db.models import Checkpoint, LogHead
from lineage.errors import LogIntegrityError
from lineage.services import epochs, high_water, publish
from lineage.services.clock import now_us
from lineage.services.high_water import HighWater
from lineage.trust.leaf import rfc3339

LATE_US = 60 * 1_000_000
"""How long the file may be behind the newest checkpoint, which it follows within moments."""
TOLD_US = 86_400 * 1_000_000
"""How long it is told that the file was begun anew."""


@dataclass(frozen=True, slots=True)
class State:
    """`wrong`: why nothing is appended or published. `weak`: what the file can't show now. `words`: what it
    holds. Sentences, "" where there is nothing to say. `size`: entries under its checkpoint, or 0.
    """

    wrong: str = ""
    weak: str = ""
    words: str = ""
    size: int = 0


NOTHING = State()


def state() -> State:
    """Before the first start nothing is wrong."""
    wrong = high_water.warning()
    try:
        high = high_water.unverified()
    except LogIntegrityError:
        high = None
    if wrong or not LogHead.objects.filter(pk=1).exists():
        return State(wrong, "", "", high.size if high else 0)
    newest = publish.newest()
    if high is None:
        return State("", *_absent(newest), 0)
    return State("", _late(high, newest) or _anew(high), _holds(high), high.size)


def _absent(newest: Checkpoint | None) -> tuple[str, str]:
    if newest is None:
        return "", "It is begun with the first checkpoint."
    return (
        "There is no high-water file: nothing would show that an older database was put back. It is begun"
        " with the next checkpoint; if it isn't, its folder is not there or can't be written.",
        "",
    )


def _holds(high: HighWater) -> str:
    return (
        f"It holds the checkpoint of {_entries(high.size)}; kept since {_minute(high.since_us)}, from"
        f" {_entries(high.from_size)} on."
    )


def _late(high: HighWater, newest: Checkpoint | None) -> str:
    if newest is None or newest.root_hash == high.root.hex():
        return ""
    lost = high.named in epochs.lost(LogHead.objects.get(pk=1))
    rows = Checkpoint.objects.order_by("size")
    first = newest if lost else rows.filter(size__gt=high.size).first() or newest
    if now_us() - first.published_us < LATE_US:
        return ""
    return (
        f"The high-water file holds {_entries(high.size)}, and {newest.size:,} are published: it could not be"
        f" written since {_minute(first.published_us)}."
    )


def _anew(high: HighWater) -> str:
    """A file that began with the log's first checkpoint has seen everything."""
    if not 0 <= now_us() - high.since_us < TOLD_US:
        return ""
    if not Checkpoint.objects.filter(size__lt=high.from_size).exists():
        return ""
    return (
        f"The high-water file was begun anew at {_minute(high.since_us)}, with {_entries(high.from_size)}:"
        " nothing shows whether an older database was put back before. Compare with a checkpoint that was"
        " kept elsewhere."
    )


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _minute(at_us: int) -> str:
    return f"{rfc3339(at_us)[:16].replace('T', ' ')} UTC"

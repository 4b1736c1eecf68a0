"""Whether this machine's clock can be relied on: beside a clock that nobody sets, and beside the log's time.

Owns: noticing that it was set, and words for it. Does not own: what time it is (`clock`), or log time, which
never goes back (`log_batch`).

Keys, checks and waivers are judged by log time. A clock that jumps ahead takes it along: what was checked a
moment ago is then overdue, and what ends soon has ended.
"""

from __future__ import annotations

from datetime import timedelta

from lineage.db.models import Entry, WorkerBeat
from lineage.services import clock
from lineage.trust.leaf import rfc3339

AHEAD, BACK = "clock-ahead", "clock-back"
"""Names of rows of `WorkerBeat` that say when it was set, by the clock as it was then."""
NAMES = (AHEAD, BACK)
JUMP_US = 600 * 1_000_000
"""Set by less, it harms little; clocks are corrected by seconds all the time."""
LOG_AHEAD_US = 60 * 1_000_000
"""By how much the newest entry may be later than the clock of this machine, where others append too."""
TOLD_US = 86_400 * 1_000_000

_before: dict[str, int] = {}


def watch() -> None:
    """Compare with a clock that only runs, since this process last did; to be called now and then."""
    now, steady = clock.now_us(), clock.steady_us()
    moved = (now - _before["now"]) - (steady - _before["steady"]) if _before else 0
    _before.update(now=now, steady=steady)
    if abs(moved) >= JUMP_US:
        WorkerBeat.objects.update_or_create(name=AHEAD if moved > 0 else BACK, defaults={"at_us": now})


def trouble() -> str:
    """Why it can't be relied on, in sentences; empty where nothing is known against it."""
    now = clock.now_us()
    newest = Entry.objects.order_by("-index").values_list("received_us", flat=True).first() or 0
    if newest > now + LOG_AHEAD_US:
        return (
            f"The log's newest entry is of {_minute(newest)}, {_words(newest - now)} later than this "
            "machine's clock, which was ahead then or is behind now. Log time never goes back: until the "
            "clock has come to it, new entries get that time, and keys and checks are judged by it."
        )
    told = WorkerBeat.objects.filter(name__in=NAMES, at_us__gt=now - TOLD_US, at_us__lte=now)
    last = told.order_by("-at_us").first()
    if last is None:
        return ""
    way = "ahead" if last.name == AHEAD else "back"
    return (
        f"This machine's clock was set {way} by more than {JUMP_US // 60_000_000} minutes at "
        f"{_minute(last.at_us)}. Between what came into the log before and after, more time or less has "
        "passed than it says."
    )


def _minute(at_us: int) -> str:
    return f"{rfc3339(at_us)[:16].replace('T', ' ')} UTC"


def _words(us: int) -> str:
    """Of a duration, so exact as people need it."""
    whole = timedelta(microseconds=us)
    if whole.days >= 2:
        return f"{whole.days:,} days"
    minutes = max(1, round(whole.total_seconds() / 60))
    return f"{minutes // 60} hours" if minutes >= 120 else f"{minutes} minutes"

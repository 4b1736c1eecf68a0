"""When each queue was last looked after: the sign that beat, broker and workers are all there.

A queue's worker writes its beat whenever it is woken, and while it works. An old beat is an alarm, because
something between the schedule and the work has stopped, whichever it is.
"""

from __future__ import annotations

import time

import msgspec

from lineage.broker import QUEUES
from lineage.db.models import WorkerBeat
from lineage.services import clock_watch
from lineage.services.clock import now_us

WRITE_SECONDS = 5.0
"""Between two writes of one process: a look for work costs no write to the database."""
ALARM_SECONDS = 30.0

_written: dict[str, float] = {}


class Beat(msgspec.Struct, frozen=True):
    """`at_us` and `age_seconds` None: never seen, as far as can be told. `late`: older than ALARM_SECONDS."""

    name: str
    at_us: int | None
    age_seconds: float | None
    late: bool


def beat(name: str) -> None:
    """Say that queue `name` is looked after now. At most one write in WRITE_SECONDS.

    It has an eye on this machine's clock as well.
    """
    now = time.monotonic()
    if now < _written.get(name, float("-inf")) + WRITE_SECONDS:
        return
    _written[name] = now
    clock_watch.watch()
    WorkerBeat.objects.update_or_create(name=name, defaults={"at_us": now_us()})


def beats() -> list[tuple[str, int]]:
    """Names and times (µs since the epoch) of all that was seen, by name."""
    rows = WorkerBeat.objects.exclude(name__in=clock_watch.NAMES)
    return list(rows.order_by("name").values_list("name", "at_us"))


def condition() -> list[Beat]:
    """Each queue's beat, whether it was ever seen or not."""
    seen, now = dict(beats()), now_us()
    return [_judged(name, seen.get(name), now) for name in QUEUES]


def _judged(name: str, at_us: int | None, now: int) -> Beat:
    # By a clock that was far ahead: nothing tells when that was. Whoever lives writes another one soon.
    if at_us is None or at_us > now + clock_watch.JUMP_US:
        return Beat(name, None, None, late=True)
    age = max(0.0, (now - at_us) / 1e6)
    return Beat(name, at_us, age, late=age > ALARM_SECONDS)

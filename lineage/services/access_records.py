"""Who looked at, exported or decided what: noted with each answer, written a moment later, kept for a time.

Owns: what is noted of a request, that a look repeated within a minute is one record, and how long records
are kept. Does not own: which requests are noted (`lineage.web.pages` and `api.base` note all of theirs;
statements that pipelines send are in the log), nor when records are written (`afterwards`).

A record names the page or call and what its address names. Query strings and bodies are never kept: they may
hold a secret or a search for one.
"""

from __future__ import annotations

import time
from collections import deque
from contextvars import ContextVar
from threading import Lock

from django.db import connection, transaction
from django.db.models import QuerySet

from lineage import logs
from lineage.config import current
from lineage.db import bulk
from lineage.db.bulk import Table
from lineage.db.models import AccessRecord
from lineage.services.clock import now_us

REPEAT_SECONDS = 60.0
"""The same look by the same caller within this time is one record."""
MAX_WAITING = 10_000
"""With so many unwritten the request that notes one more writes them itself, so none is dropped."""
MAX_SUBJECT = 300
_CHUNK = 5_000
_MAX_SEEN = 50_000
DAY_US = 86_400_000_000

Action = AccessRecord.Action

_RECORDS = Table(
    "access_record",
    (
        ("at_us", "int8"),
        ("who", "text"),
        ("action", "varchar"),
        ("route", "text"),
        ("subject", "text"),
        ("status", "int4"),
        ("entry_index", "int8"),
        ("address", "text"),
    ),
)

_waiting: deque[tuple[int, str, str, str, str, int, int | None, str]] = deque()
"""Rows of `_RECORDS`."""
_seen: dict[tuple[str, ...], float] = {}
_lock = Lock()
_decided: ContextVar[tuple[str, int]] = ContextVar("lineage_decided", default=("", -1))


def decided(index: int) -> None:
    """The request that is being answered has recorded a decision, as entry `index` of the log."""
    _decided.set((logs.request_id.get(), index))


def note(
    who: str, method: str, route: str, subject: str, status: int, address: str, *, export: bool = False
) -> None:
    """A request was answered. `export`: the answer is a file to take away."""
    request, index = _decided.get()
    if request and request == logs.request_id.get():
        _decided.set(("", -1))
        add(Action.DECIDE, who, route, subject, status, address, entry_index=index)
    elif status in (401, 403, 429):
        add(Action.REFUSED, who, route, subject, status, address)
    elif method not in ("GET", "HEAD"):
        add(Action.CHANGE, who, route, subject, status, address)
    else:
        add(Action.EXPORT if export else Action.LOOK, who, route, subject, status, address)


def add(
    action: AccessRecord.Action,
    who: str,
    route: str,
    subject: str,
    status: int,
    address: str,
    *,
    entry_index: int | None = None,
) -> None:
    """One record, in memory until it is written; a repeated look or refusal is none."""
    subject = subject[:MAX_SUBJECT].replace("\0", "\N{SYMBOL FOR NULL}")
    with _lock:
        if action in (Action.LOOK, Action.REFUSED) and _repeated(
            action, who, route, subject, str(status), address
        ):
            return
        _waiting.append((now_us(), who, action.value, route, subject, status, entry_index, address))
        full = len(_waiting) > MAX_WAITING
    if full:
        write()


def _repeated(*what: str) -> bool:
    """Whether the same was seen within REPEAT_SECONDS; else it is now."""
    now = time.monotonic()
    if now < _seen.get(what, float("-inf")) + REPEAT_SECONDS:
        return True
    if len(_seen) >= _MAX_SEEN:
        _seen.clear()
    _seen[what] = now
    return False


def write() -> int:
    """Write what waits; returns how many records that were. What the database refuses waits on."""
    with _lock:
        rows = list(_waiting)
        _waiting.clear()
    try:
        if rows:
            with transaction.atomic():
                bulk.insert(connection, _RECORDS, rows)
    except BaseException:
        with _lock:
            _waiting.extendleft(reversed(rows))
        raise
    return len(rows)


def listed(
    *,
    who: str = "",
    action: str = "",
    subject: str = "",
    from_us: int | None = None,
    to_us: int | None = None,
) -> QuerySet[AccessRecord]:
    """Records, newest first, of whoever has `who` in the name, about exactly `subject`; [from_us, to_us)."""
    rows = AccessRecord.objects.order_by("-pk")
    if who:
        rows = rows.filter(who__icontains=who)
    if action:
        rows = rows.filter(action=action)
    if subject:
        rows = rows.filter(subject=subject)
    if from_us is not None:
        rows = rows.filter(at_us__gte=from_us)
    if to_us is not None:
        rows = rows.filter(at_us__lt=to_us)
    return rows


def forget_old() -> int:
    """Delete what is older than LINEAGE_ACCESS_DAYS, in chunks; returns how many records that were."""
    end, gone = now_us() - current().people.access_days * DAY_US, 0
    while True:
        old = AccessRecord.objects.filter(at_us__lt=end).order_by("pk").values_list("pk", flat=True)
        numbers = list(old[:_CHUNK])
        if not numbers:
            return gone
        gone += AccessRecord.objects.filter(pk__in=numbers).delete()[0]


def forget_waiting() -> None:
    """Nothing was noted: for a process that goes on with another database."""
    with _lock:
        _waiting.clear()
        _seen.clear()

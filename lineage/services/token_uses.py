"""When each API key was used last, to the minute.

Owns: noting a use in memory, once a minute for each key and process, and writing what was noted. Does not
own: when it is written (`afterwards`), so that no request waits for it.
"""

from __future__ import annotations

import time
from datetime import datetime
from threading import Lock

from django.db.models import Q
from django.utils import timezone

from lineage.db.models import ApiToken

NOTE_SECONDS = 60.0
"""Between two notes of one key."""

_noted: dict[int, float] = {}
_unwritten: dict[int, datetime] = {}
_lock = Lock()


def note(token: int) -> None:
    """The key of this row was used now. Costs a look into memory."""
    now = time.monotonic()
    if now < _noted.get(token, float("-inf")) + NOTE_SECONDS:
        return
    with _lock:
        _noted[token] = now
        _unwritten[token] = timezone.now()


def write() -> int:
    """Write what was noted since the last call; returns how many keys that were. A later use stays."""
    with _lock:
        uses = dict(_unwritten)
        _unwritten.clear()
    try:
        for token, at in uses.items():
            before = Q(last_used_at=None) | Q(last_used_at__lt=at)
            ApiToken.objects.filter(before, pk=token).update(last_used_at=at)
    except BaseException:
        with _lock:
            _unwritten.update({token: at for token, at in uses.items() if token not in _unwritten})
        raise
    return len(uses)


def forget() -> None:
    """Nothing was noted: for a process that goes on with another database."""
    with _lock:
        _noted.clear()
        _unwritten.clear()

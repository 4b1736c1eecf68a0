"""What a task does where a service is away: say so now and then, and leave it to the next wake-up.

Beat asks again within seconds, so a task need not wait or try again itself, and the log not be filled.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, close_old_connections

from lineage.errors import LineageError

SAY_SECONDS = 30.0

log = logging.getLogger(__name__)
_said: dict[str, float] = {}


@contextmanager
def survived(what: str) -> Iterator[None]:
    """Say that `what` failed, at most once in SAY_SECONDS a process. A defect is raised as ever."""
    try:
        yield
    except (LineageError, DatabaseError, OSError) as error:
        close_old_connections()
        now = time.monotonic()
        if now >= _said.get(what, float("-inf")) + SAY_SECONDS:
            _said[what] = now
            log.error(
                "%s could not go on, and is tried again until it can: %s: %s",
                what,
                type(error).__name__,
                error,
            )

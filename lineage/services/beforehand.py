"""What nearly every request rests on is looked at beside requests: high water, API keys, redactions.

A request that looked would wait for the database, and those beside it for Python's lock meanwhile: at 400 a
second one in fifty did. Owns: the thread that looks, in each web process. Does not own: what is looked at,
how long that is good, and that a request looks by itself where it is good no more.
"""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error as DatabaseFailure

from lineage.errors import LineageError
from lineage.services import forgetting, high_water, log_connection, tokens

logger = logging.getLogger(__name__)

EVERY_SECONDS = 0.7
LOOKS = (high_water.renew, forgetting.renew, tokens.renew)
"""Each does nothing where nobody has asked lately."""


def look_for_ever() -> None:
    """Start the thread of this process."""
    threading.Thread(target=_run, name="beforehand", daemon=True).start()


def look_all() -> str:
    """Look at all of it; what failed, in words, "" where nothing did. Requests look themselves then."""
    failed = []
    for look in LOOKS:
        try:
            look()
        except (DatabaseFailure, LineageError) as error:
            failed.append(f"{type(error).__name__}: {error}")
    log_connection.hand_back()
    return "; ".join(failed)


def _run() -> None:
    before = ""
    while True:
        time.sleep(EVERY_SECONDS)
        failed = look_all()
        if failed and not before:  # said once: requests tell it again and again
            logger.warning("Nothing can be looked at beforehand: %s", failed)
        before = failed

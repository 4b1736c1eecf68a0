"""What a process measures of itself: request times, open waits, its pool of database connections.

Owns: these meters. The web processes of one server put theirs together (`lineage.meter_folder`), so that
whichever is asked for `/metrics` answers for all. Does not own: figures of the installation, which come from
the database (`lineage.services.metrics`), or the format.

Source: prometheus_client, "Multiprocess Mode".
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from lineage import meter_files, meter_folder

meter_files.use()

logger = logging.getLogger(__name__)

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds."""
SAMPLE_SECONDS = 1.0
_OWN = CollectorRegistry()
_OF_PROCESS = re.compile(r"gauge_live\w+_(\d+)\.db")

_requests = Histogram(
    "lineage_request_seconds",
    "Time from a request's arrival in the application to its answer, by method, route and class of status.",
    ("method", "route", "status"),
    buckets=BUCKETS,
    registry=_OWN,
)
_children: dict[tuple[str, str, int], Histogram] = {}

waits = Gauge(
    "lineage_open_waits",
    "Requests with ?wait= that hold a thread until the graph or a checkpoint has come so far.",
    multiprocess_mode="livesum",
    registry=_OWN,
)
_pool = Gauge(
    "lineage_database_pool_connections",
    "Connections to PostgreSQL of one process: open, available, the most there may be.",
    ("state",),
    multiprocess_mode="liveall",
    registry=_OWN,
)
_pool_waiting = Gauge(
    "lineage_database_pool_waiting",
    "Requests of one process that wait for a connection to PostgreSQL.",
    multiprocess_mode="liveall",
    registry=_OWN,
)


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer. `route` is a URL pattern's name: a closed set, unlike a path.

    On a full disk an answer of a kind that there was none of before is not counted.
    """
    key = (method, route, status // 100)
    child = _children.get(key)
    if child is None:
        try:
            child = _children[key] = _requests.labels(method, route, f"{status // 100}xx")
        except OSError as error:
            logger.warning("An answer is not counted: %s", error)
            return
    child.observe(seconds)


def registry() -> CollectorRegistry:
    """The meters of this process, or of all web processes of this server where they share a folder."""
    folder = os.environ.get(meter_folder.VARIABLE)
    if not folder:
        return _OWN
    _forget_the_dead(Path(folder))
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def sample_for_ever() -> None:
    """Start the thread that looks at this process's pool each second. Only PostgreSQL has one."""
    from django.db import connection

    if connection.vendor == "postgresql":
        threading.Thread(target=_sample_for_ever, name="pool meter", daemon=True).start()


def pool_stats() -> dict[str, int]:
    """size, available, most, waiting of this process's pool; empty where there is none."""
    from django.db import connection

    pool = getattr(connection, "pool", None)
    if pool is None:
        return {}
    found = pool.get_stats()
    return {
        "size": found.get("pool_size", 0),
        "available": found.get("pool_available", 0),
        "most": found.get("pool_max", 0),
        "waiting": found.get("requests_waiting", 0),
    }


def _sample_for_ever() -> None:
    while True:
        found = pool_stats()
        for state in ("size", "available", "most"):
            _pool.labels(state).set(found[state])
        _pool_waiting.set(found["waiting"])
        time.sleep(SAMPLE_SECONDS)


def _forget_the_dead(folder: Path) -> None:
    """A process that ended counts no longer among those that live. Its histograms stay: they add up."""
    for path in folder.glob("gauge_live*.db"):
        found = _OF_PROCESS.fullmatch(path.name)
        if found and not _lives(int(found[1])):
            mark_process_dead(int(found[1]), str(folder))  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

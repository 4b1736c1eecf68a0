"""What each process begins with that follows the log or works off jobs, under Celery or without."""

from __future__ import annotations

from lineage import giving_way, memory, tracing
from lineage.config import current
from lineage.db.sqlite.mapping import map_nothing
from lineage.service_urls import Sqlite


def begin() -> None:
    """To be called once everything is loaded, in the process that does the work and in its own thread."""
    tracing.start("lineage-worker")
    memory.collect_seldom()
    map_nothing()
    giving_way.start(rests=not isinstance(current().database, Sqlite))

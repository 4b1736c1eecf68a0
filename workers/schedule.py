"""When beat wakes whom: often enough that a lost wake-up costs a second or a few.

Owns: the periods, and that beat keeps no file and never fills a queue that nobody empties. Does not own: what
is due by the clock (`lineage.services.jobs`).
"""

from __future__ import annotations

from typing import Any

from celery.beat import ScheduleEntry
from celery.beat import Scheduler as InMemory

from lineage import broker
from lineage.config import Config

PROJECT_SECONDS = 1.0
DRAIN_SECONDS = 5.0
RECURRING_SECONDS = 10.0


def entries(config: Config) -> dict[str, dict[str, Any]]:
    """Celery's `beat_schedule`."""
    schedule = {
        "project": _entry(broker.PROJECT, PROJECT_SECONDS, broker.GRAPH),
        "publish": _entry(broker.PUBLISH, config.checkpoint_seconds, broker.GRAPH),
        "drain short": _entry(broker.DRAIN, DRAIN_SECONDS, broker.SHORT, broker.SHORT),
        "drain sync": _entry(broker.DRAIN, DRAIN_SECONDS, broker.SYNC, broker.SYNC),
        "drain long": _entry(broker.DRAIN, DRAIN_SECONDS, broker.LONG, broker.LONG),
        "recurring": _entry(broker.BEAT, RECURRING_SECONDS, broker.SHORT),
    }
    if config.graph is not None:
        schedule["project neo4j"] = _entry(broker.PROJECT_NEO4J, PROJECT_SECONDS, broker.GRAPH)
    return schedule


def _entry(task: str, seconds: float, queue: str, *arguments: str) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "args": arguments, "options": {"queue": queue}}


class Scheduler(InMemory):
    """Beat's schedule in memory: after a pause everything is due, which is all that a file could say too."""

    def apply_async(
        self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **options: Any
    ) -> Any:
        """Send the entry's task, unless its queue is full because nobody works."""
        if not broker.has_room(self.connection, str((entry.options or {})["queue"])):
            return self.reserve(entry) if advance else None
        return super().apply_async(entry, producer=producer, advance=advance, **options)

"""Follow the log until it is level: the loops behind every wake-up.

Owns: one follower at a time, and that no wake-up is lost to that. Does not own: the steps (`project`,
`project_neo4j`, `publish`), which compare and set, so that two followers do no harm either.
"""

from __future__ import annotations

from collections.abc import Callable

from lineage.db.models import LogHead
from lineage.services import project as sql_graph
from lineage.services import publish as checkpoints
from lineage.services.alone import alone

BATCH = 500
"""Entries a transaction."""


def project() -> int:
    """Bring the SQL graph level; returns how many entries this call has projected."""
    return _until_level("project", sql_graph.watermark, lambda: sql_graph.project_pending(BATCH))


def project_neo4j() -> int:
    """Bring Neo4j level; returns how many entries this call has projected."""
    from lineage.services import project_neo4j as neo4j

    return _until_level("project neo4j", neo4j.watermark, lambda: neo4j.project_pending(BATCH))


def publish() -> None:
    """Sign checkpoints until all that is integrated is published."""
    while checkpoints.publish_once() is not None:
        pass


def _until_level(what: str, watermark: Callable[[], int], step: Callable[[], int]) -> int:
    """Step until there is nothing left.

    Who finds another at it leaves. So whoever lets go looks once more: an entry may have come after its last
    look, and whom its wake-up woke may have left before it let go.
    """
    total, fruitless = 0, 0
    while fruitless < 2:
        with alone(what) as mine:
            if not mine:
                break
            done = _exhaust(step)
        total += done
        if watermark() >= _size():
            break
        fruitless = 0 if done else fruitless + 1
    return total


def _exhaust(step: Callable[[], int]) -> int:
    total = 0
    while done := step():
        total += done
    return total


def _size() -> int:
    return LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0

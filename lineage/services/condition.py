"""In what condition the installation is: what `/health/ready` and `/metrics` tell.

Owns: the figures. Does not own: their form on the wire (`api.health`).
"""

from __future__ import annotations

import msgspec
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from lineage.db.models import LogHead, ProjectionState, RefusalCount
from lineage.services import publish

_seen = {"migrated": False}


class Condition(msgspec.Struct, frozen=True):
    """`ready`: requests can be answered. The graph may be `lag` entries behind the log, and says so."""

    ready: bool
    database: str
    migrations: str
    log: str
    size: int
    published: int
    projected: int
    lag: int


def now() -> Condition:
    """Never raises for a database that is away: that is what it reports."""
    try:
        migrations = _migrations()
        if migrations != "ok":
            return Condition(False, "ok", migrations, "unknown", 0, 0, 0, 0)
        size = LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0
        projected = ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0
        published = publish.published_size()
    except DatabaseError:
        return Condition(False, "does not answer", "unknown", "unknown", 0, 0, 0, 0)
    log = "ok" if size else "not bootstrapped"
    return Condition(bool(size), "ok", "ok", log, size, published, projected, size - projected)


def refusals() -> dict[str, int]:
    """Refused envelopes since the beginning, by slug of the reason."""
    totals: dict[str, int] = {}
    for slug, count in RefusalCount.objects.values_list("slug", "count"):
        totals[slug] = totals.get(slug, 0) + count
    return totals


def _migrations() -> str:
    """Once all are applied they stay so for the life of the process; until then each call looks again."""
    if not _seen["migrated"]:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if waiting:
            return f"{len(waiting)} not applied; run `lineage up` or `manage.py migrate`"
        _seen["migrated"] = True
    else:
        connection.ensure_connection()
    return "ok"

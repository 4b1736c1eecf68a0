"""How large the graph is, counted in its tables."""

from __future__ import annotations

import msgspec
from django.db.models import Count, Model

from lineage.db.models import Claim, Edge, LogHead, Node, ProjectionState, SkippedEntry, StatusInterval


class GraphStats(msgspec.Struct, frozen=True):
    """Rows by kind. `entries` is the log's size, `projected` how far the graph has followed it."""

    entries: int
    projected: int
    skipped: int
    nodes: dict[str, int]
    edges: dict[str, int]
    claims: dict[str, int]
    statuses: int


def read() -> GraphStats:
    """Count everything: it reads whole indexes, which takes seconds on millions of rows."""
    return GraphStats(
        entries=LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0,
        projected=ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0,
        skipped=SkippedEntry.objects.count(),
        nodes=_by(Node, "kind"),
        edges=_by(Edge, "type"),
        claims=_by(Claim, "kind"),
        statuses=StatusInterval.objects.count(),
    )


def _by(table: type[Model], column: str) -> dict[str, int]:
    rows = table._default_manager.values_list(column).annotate(count=Count("*")).order_by(column)
    return {str(value): count for value, count in rows}

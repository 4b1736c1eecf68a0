"""Copies as they stand now: which there are, and which are due.

Owns: reading them from the graph, in the order in which they are to be checked. Does not own: which locations
are copies (`graph.status_copies`), opening them (`storage_access`), or one artifact's as of a moment
(`copy_records`).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from lineage.db.models import Copy as Row
from lineage.services import as_of, lineage_closure
from lineage.services.clock import now_us


@dataclass(frozen=True, slots=True, order=True)
class Copy:
    """`key` is the artifact's node key, `method` of `graph.check_policy` by which it is to be checked."""

    key: str
    location: str
    storage: str
    method: str


_FIELDS = ("node__key", "location", "storage", "method")


def of_node(key: str) -> list[Copy]:
    """The node's copies, by location. Raises: NotFoundError where the graph has no such node."""
    number, _ = lineage_closure.find(key, as_of.resolve(""))
    return [
        Copy(*row) for row in Row.objects.filter(node_id=number).order_by("location").values_list(*_FIELDS)
    ]


def of_storage(storage: str, *, limit: int) -> list[Copy]:
    """All copies in a storage, by artifact and location."""
    rows = Row.objects.filter(storage=storage).order_by("node__key", "location")
    return [Copy(*row) for row in rows.values_list(*_FIELDS)[:limit]]


def due(storage: str, *, limit: int, at_us: int | None = None) -> list[Copy]:
    """Copies in a storage that are to be checked by now, the longest due first."""
    now = now_us() if at_us is None else at_us
    rows = Row.objects.filter(storage=storage, due_us__lte=now).order_by("due_us", "id")
    return [Copy(*row) for row in rows.values_list(*_FIELDS)[:limit]]


def unsettled(storage: str, *, limit: int, at_us: int | None = None) -> list[Copy]:
    """Copies without a match that counts, whenever they were looked at last, and those that are due."""
    now = now_us() if at_us is None else at_us
    rows = Row.objects.filter(storage=storage).filter(Q(due_us__lte=now) | ~Q(outcome="match"))
    return [Copy(*row) for row in rows.order_by("due_us", "id").values_list(*_FIELDS)[:limit]]


def due_by_storage(at_us: int) -> dict[str, int]:
    """How many are due in each storage that has any."""
    rows = Row.objects.filter(due_us__lte=at_us).values_list("storage").annotate(count=Count("pk"))
    return dict(rows.order_by("storage"))

"""Copies as they stand now: which there are, and which are due.

Owns: reading them from the graph, in the order in which they are to be checked. Does not own: which locations
are copies (`graph.status_copies`), opening them (`storage_access`), or one artifact's as of a moment
(`copy_records`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

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


PAGE = 10_000
_FIELDS = ("node__key", "location", "storage", "method")


def of_node(key: str) -> list[Copy]:
    """The node's copies, by location. Raises: NotFoundError where the graph has no such node."""
    number, _ = lineage_closure.find(key, as_of.resolve(""))
    return [
        Copy(*row) for row in Row.objects.filter(node_id=number).order_by("location").values_list(*_FIELDS)
    ]


def due(storage: str, *, limit: int, at_us: int | None = None) -> list[Copy]:
    """Copies in a storage that are to be checked by now, the longest due first."""
    now = now_us() if at_us is None else at_us
    rows = Row.objects.filter(storage=storage, due_us__lte=now).order_by("due_us", "id")
    return [Copy(*row) for row in rows.values_list(*_FIELDS)[:limit]]


def pages(storage: str, *, unsettled: bool, at_us: int) -> Iterator[list[Copy]]:
    """All copies in a storage, by artifact and location, PAGE at a time.

    `unsettled`: only those without a match that counts, whenever they were looked at last, and those that are
    due at `at_us`. Each page is asked for anew: what is checked meanwhile moves nothing to another page.
    """
    rows = _standing(storage, unsettled, at_us).order_by("node__key", "location")
    last: Copy | None = None
    while True:
        after = rows
        if last is not None:
            after = rows.filter(node__key__gte=last.key).exclude(
                node__key=last.key, location__lte=last.location
            )
        page = [Copy(*row) for row in after.values_list(*_FIELDS)[:PAGE]]
        if not page:
            return
        yield page
        last = page[-1]


def count(storage: str, *, unsettled: bool, at_us: int) -> int:
    """How many copies `pages` has."""
    return _standing(storage, unsettled, at_us).count()


def _standing(storage: str, unsettled: bool, at_us: int) -> QuerySet[Row]:
    rows = Row.objects.filter(storage=storage)
    return rows.filter(Q(due_us__lte=at_us) | ~Q(outcome="match")) if unsettled else rows


def is_any_due(storage: str, at_us: int) -> bool:
    """Whether a copy in a storage is due: what the schedule asks of each, and often."""
    return Row.objects.filter(storage=storage, due_us__lte=at_us).exists()


def count_due(storage: str, at_us: int) -> int:
    """How many copies in a storage are due."""
    return Row.objects.filter(storage=storage, due_us__lte=at_us).count()

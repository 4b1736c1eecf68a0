"""What has become failed, expired or unverified between two moments, and still is.

Compares statuses, not single changes: what failed and was mended in between is not listed, and what only
changed its reasons keeps the status that it had. Reads only.
"""

from __future__ import annotations

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from lineage.db.models import Entry, StatusInterval
from lineage.services.as_of import AsOf
from lineage.services.lineage import ExceptionRecord
from lineage.services.lineage_nodes import Reader
from lineage.trust.leaf import rfc3339

WORST_FIRST = ("failed", "expired", "unverified")
_SEVERITY = Case(*(When(status=status, then=Value(place)) for place, status in enumerate(WORST_FIRST)))


def new(as_of: AsOf, before: AsOf, *, limit: int) -> tuple[list[ExceptionRecord], int]:
    """At most `limit` of them, worst and newest first, and how many there are.

    `ExceptionRecord.before` is the status at the moment `before`, `at` when the present one set in.
    """
    rows = _rows(as_of, before)
    was = StatusInterval.objects.filter(_holds(before), node=OuterRef("node")).values("status")[:1]
    listed = rows.annotate(was=Subquery(was)).order_by(_SEVERITY, "-from_index", "node")
    chosen = list(listed.values_list("node_id", "was", "from_us", "from_index")[:limit])
    received = dict(
        Entry.objects.filter(index__in=[index for *_, index in chosen]).values_list("index", "received_us")
    )
    nodes = Reader(as_of).summaries([node for node, *_ in chosen])
    records = [
        ExceptionRecord(nodes[node], was or "", rfc3339(max(from_us, received[index])), index)
        for node, was, from_us, index in chosen
    ]
    return records, rows.count()


def _holds(moment: AsOf) -> Q:
    """The one piece of each node's status history that holds at a moment."""
    return (
        Q(from_index__lt=moment.size)
        & (Q(to_index=None) | Q(to_index__gte=moment.size))
        & Q(from_us__lte=moment.at_us, until_us__gt=moment.at_us)
    )


def _rows(as_of: AsOf, before: AsOf) -> QuerySet[StatusInterval]:
    same = StatusInterval.objects.filter(_holds(before), node=OuterRef("node"), status=OuterRef("status"))
    # A piece that is older than `before` held then too: only the younger ones need the look back.
    younger = Q(from_index__gte=before.size) | Q(from_us__gt=before.at_us)
    now = StatusInterval.objects.filter(_holds(as_of), younger, status__in=WORST_FIRST)
    return now.exclude(Exists(same))

"""The difference of two moments: what entered the log between them, which nodes are new or stand otherwise.

Compares what was believed at the one with what was believed at the other: what failed and was mended in
between is no difference. Owns: putting it together. Does not own: the comparison (`graph.sql_changes`), what
one entry did (`consequences`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
from django.db.models import Count

from lineage.db.models import Entry
from lineage.errors import MalformedError
from lineage.graph import sql_changes
from lineage.graph.sql_changes import START, WORST_FIRST, Place
from lineage.graph.sql_consequences import Turned
from lineage.services import as_of as moments
from lineage.services import records
from lineage.services.as_of import AsOf
from lineage.services.consequences import NodeChange, StatusCount
from lineage.services.lineage_nodes import Reader
from lineage.services.records import AttestationSummary
from lineage.trust.leaf import rfc3339

Readers = tuple[Reader, Reader]
DAY_US = 86_400_000_000
PAGE = 50
FILE_PAGE = 500


class MomentRecord(msgspec.Struct, frozen=True):
    """What is compared: what entries below `tree_size` say, judged by the time `at`."""

    tree_size: int
    at: str


class Changes(msgspec.Struct, frozen=True):
    """One page of the nodes and one of the entries, with the counts of all.

    Attributes:
        projected: how far the graph has followed the log; a later moment is compared as far as that.
        statuses: nodes by kind and status before and after; a status before of "" is a node that is new.
        nodes: those of `statuses`, worst first.
        nodes_added: how many nodes of each kind the entries were the first to name.
        entries_by_kind: how many there are of each kind; `entries` are the newest, newest first.
        next, next_entry: what continues the list of nodes and that of entries, None at its end.
    """

    before: MomentRecord
    after: MomentRecord
    projected: int
    statuses: tuple[StatusCount, ...]
    total: int
    nodes: tuple[NodeChange, ...]
    next: str | None
    nodes_added: dict[str, int]
    entries_total: int
    entries_by_kind: dict[str, int]
    entries: tuple[AttestationSummary, ...]
    next_entry: str | None

    @property
    def next_node(self) -> str | None:
        return self.next


def resolve(before: str | None, after: str | None) -> tuple[AsOf, AsOf]:
    """The moments that two texts name, as for `as_of`: now, and a day before the later one, where empty.

    Raises: MalformedError for a text that names none, and where the first is the later one.
    """
    later = _named(after, "to")
    earlier = _named(before or rfc3339(max(later.at_us - DAY_US, 0)), "from")
    if earlier.size > later.size or earlier.at_us > later.at_us:
        raise MalformedError("The moment to compare with lies after the other one.", where="from")
    return earlier, later


def _named(text: str | None, where: str) -> AsOf:
    try:
        return moments.resolve(text)
    except MalformedError as error:
        raise MalformedError(error.message, hint=error.hint, where=where) from None


def between(
    earlier: AsOf,
    later: AsOf,
    *,
    after: str | None = None,
    after_entry: str | None = None,
    limit: int = PAGE,
    readers: Readers | None = None,
) -> Changes:
    """What is different at `later`. Raises: MalformedError for a cursor that is none.

    `readers`: of the same two, where the caller has them. It lists the nodes itself then.
    """
    then, reader = readers or readers_of(earlier, later)
    statuses = tuple(StatusCount(*row) for row in sql_changes.counts(then.moment, reader.moment))
    found = list[Turned]()
    if readers is None:
        found = sql_changes.changed(then.moment, reader.moment, _place(after), limit + 1)
    listed = records.listed(
        later, after=after_entry or "", limit=max(1, min(limit, records.log_size(later) - earlier.size))
    )
    entries = tuple(entry for entry in listed.attestations if entry.index >= earlier.size)
    more = listed.next if listed.next and int(listed.next) > earlier.size else None
    kinds = Entry.objects.filter(index__gte=earlier.size, index__lt=records.log_size(later)).values("kind")
    by_kind = dict(kinds.annotate(count=Count("index")).order_by("kind").values_list("kind", "count"))
    return Changes(
        before=MomentRecord(earlier.size, rfc3339(earlier.at_us)),
        after=MomentRecord(later.size, rfc3339(later.at_us)),
        projected=later.projected,
        statuses=statuses,
        total=sum(each.count for each in statuses),
        nodes=_nodes(found[:limit], then, reader),
        next=_cursor(sql_changes.place(found[limit - 1])) if len(found) > limit else None,
        nodes_added=sql_changes.added(then.moment.size, reader.moment.size),
        entries_total=sum(by_kind.values()),
        entries_by_kind=by_kind,
        entries=entries,
        next_entry=more,
    )


def nodes(
    readers: Readers, *, new: bool, after: str | None = None, limit: int = PAGE
) -> tuple[Sequence[NodeChange], str | None]:
    """A page of the nodes that are new, or of those that stand otherwise, worst first, and what continues it.

    Raises: MalformedError for a cursor that is none.
    """
    then, reader = readers
    found = sql_changes.changed(then.moment, reader.moment, _place(after), limit + 1, new=new)
    more = _cursor(sql_changes.place(found[limit - 1])) if len(found) > limit else None
    return _nodes(found[:limit], then, reader), more


def all_nodes(earlier: AsOf, later: AsOf) -> Iterator[NodeChange]:
    """Every node that is new or stands otherwise: first these, then those, each worst first. For a file."""
    readers = readers_of(earlier, later)
    for new in (False, True):
        after: str | None = ""
        while after is not None:
            found, after = nodes(readers, new=new, after=after, limit=FILE_PAGE)
            yield from found


def decisions(
    earlier: AsOf, later: AsOf, *, after: str = "", limit: int = PAGE
) -> tuple[Sequence[AttestationSummary], str | None]:
    """What persons decided between the two, newest first, and what continues the list.

    Keys, policies, layouts, waivers, incidents: what statements are judged by.
    """
    listed = records.listed(later, kind="decision", after=after, limit=limit)
    found = [entry for entry in listed.attestations if entry.index >= earlier.size]
    more = listed.next if listed.next and int(listed.next) > earlier.size else None
    return found, more if len(found) == limit else None


def readers_of(earlier: AsOf, later: AsOf) -> Readers:
    """Of both moments, as far as the graph has followed."""
    first, end = min(earlier.size, later.projected), min(later.size, later.projected)
    return Reader(replace(earlier, size=first)), Reader(replace(later, size=end))


def _nodes(found: list[Turned], then: Reader, now: Reader) -> tuple[NodeChange, ...]:
    """By the names that they had: what changed may be that nobody is believed any more who named them."""
    known = now.summaries([each.node for each in found if not each.before])
    known |= then.summaries([each.node for each in found if each.before])
    return tuple(
        NodeChange.of(each, known[each.node].key, known[each.node].roles, known[each.node].name)
        for each in found
    )


def _cursor(place: Place) -> str:
    return f"{place.rank}.{place.node}"


def _place(text: str | None) -> Place:
    if not text:
        return START
    rank, _, node = text.partition(".")
    if not (
        node.isascii() and node.isdigit() and len(node) < 19 and rank in map(str, range(len(WORST_FIRST)))
    ):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    return Place(int(rank), int(node))

"""The difference of what two things were made from, or of what one was made from by two moments.

Owns: comparing the two closures, and how what is in both stands at either moment. Does not own: the walks (a
`graph.backend`), or how everything else changed between two moments (`changes`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineage.errors import MalformedError
from lineage.graph import sql_nodes
from lineage.graph.backend import Direction, Walk
from lineage.graph.sql_backend import SqlBackend
from lineage.services import graph_choice, lineage_closure
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary
from lineage.services.moment_cursor import continued, cursor

PARTS = ("from", "to", "both")
PAGE = 50
FILE_PAGE = 500


class Side(msgspec.Struct, frozen=True):
    """A node as it stood at a moment, and how many nodes it was made from by then."""

    node: NodeSummary
    tree_size: int
    total: int


class Part(msgspec.Struct, frozen=True):
    """Nodes of one part with their counts, one page of them as the log first named them, or none.

    Statuses are those of the side that the part is of, of `both` those of `to`. `next` continues the list
    when asked for with this `part`; None at its end. In `both` what stands otherwise comes first.
    """

    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    nodes: tuple[NodeSummary, ...]
    next: str | None


class Difference(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What only the one was made from, only the other, and both. Neither root counts as its own.

    `turned_total` of `both` have another status at the one moment than at the other, or are tainted at one of
    them; `turned` are those on this page, as they stood at the moment of `from`.
    """

    from_: Side
    to: Side
    projected: int
    backend: str
    only_from: Part
    only_to: Part
    both: Part
    turned_total: int = 0
    turned: tuple[NodeSummary, ...] = ()


def difference(
    one: tuple[str, AsOf],
    other: tuple[str, AsOf],
    *,
    part: str | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> Difference:
    """Compare two nodes, each at its moment. `part`: list the nodes of this one alone; `after`: go on in it.

    Raises: NotFoundError where one of them was not known at its moment; MalformedError for an unknown part, a
        cursor that is none or comes without a part; ConflictError for one of another moment.
    """
    if part is not None and part not in PARTS:
        raise MalformedError(f"The part is one of {', '.join(PARTS)}.", where="part")
    if after and part is None:
        raise MalformedError("A list is continued with its `part`.", where="part")
    was_live = one[1].live and other[1].live
    moment, start = continued(other[1], after)
    other = other[0], moment
    if was_live and after:
        one = one[0], moment
    return graph_choice.in_database(
        max(one[1], moment, key=lambda as_of: as_of.size),
        lambda backend, _: _Compared(backend, one, other).told(part, start, limit),
    )


def every(one: tuple[str, AsOf], other: tuple[str, AsOf]) -> Iterator[tuple[str, NodeSummary, NodeSummary]]:
    """All of it, for a file: the part, the node as it stands on the side that the part is of, of `both` on
    that of `to`; and, of `both`, as it stood at the moment of `from`, else the same again.

    Raises: NotFoundError at once, not while it is read.
    """
    moment = max(one[1], other[1], key=lambda as_of: as_of.size)
    return graph_choice.in_database(moment, lambda backend, _: _Compared(backend, one, other)).each()


class _Compared:
    """Both closures as row ids."""

    def __init__(self, backend: SqlBackend, one: tuple[str, AsOf], other: tuple[str, AsOf]) -> None:
        self._backend = backend
        self._sides = (one, other)
        self._readers = (Reader(one[1]), Reader(other[1]))
        self._roots = [
            lineage_closure.find(key, as_of, where)[0]
            for where, (key, as_of) in zip(PARTS, self._sides, strict=False)
        ]
        old, new = (
            set(backend.rows(Walk(key, Direction.ANCESTORS, as_of.size))) for key, as_of in self._sides
        )
        self._totals = len(old), len(new)
        self._turned = self._differing(old & new)
        self._parts = {
            "from": sorted(old - new),
            "to": sorted(new - old),
            "both": sorted(old & new, key=lambda node: (node not in self._turned, node)),
        }

    def _differing(self, nodes: set[int]) -> set[int]:
        """Those that have another status, or are tainted on one side alone."""
        then, now = (reader.moment for reader in self._readers)
        if not nodes or (then.size, then.at_us) == (now.size, now.at_us):
            return set()
        before, after = (sql_nodes.statuses(nodes, moment.size, moment.at_us) for moment in (then, now))
        tainted = self._readers[0].tainted ^ self._readers[1].tainted
        return {node for node in nodes if node in tainted or before.get(node) != after.get(node)}

    def told(self, part: str | None, start: int, limit: int) -> Difference:
        parts = {
            name: self._part(name, nodes, start, limit if part in (None, name) else 0)
            for name, nodes in self._parts.items()
        }
        listed = self._parts["both"][start : start + limit] if part in (None, "both") else []
        turned = [node for node in listed if node in self._turned]
        return Difference(
            from_=self._side(0),
            to=self._side(1),
            projected=self._sides[1][1].projected,
            backend=self._backend.name,
            only_from=parts["from"],
            only_to=parts["to"],
            both=parts["both"],
            turned_total=len(self._turned),
            turned=tuple(self._readers[0].summaries(turned).values()),
        )

    def each(self) -> Iterator[tuple[str, NodeSummary, NodeSummary]]:
        for name, nodes in self._parts.items():
            for start in range(0, len(nodes), FILE_PAGE):
                chunk = nodes[start : start + FILE_PAGE]
                found = self._reader(name).summaries(chunk)
                before = self._readers[0].summaries([node for node in chunk if node in self._turned])
                for node, summary in found.items():
                    yield name, summary, before.get(node, summary)

    def _side(self, number: int) -> Side:
        root, size = self._roots[number], self._sides[number][1].size
        return Side(self._readers[number].summaries([root])[root], size, self._totals[number])

    def _reader(self, part: str) -> Reader:
        return self._readers[0 if part == "from" else 1]

    def _part(self, name: str, listed: list[int], start: int, limit: int) -> Part:
        reader = self._reader(name)
        counts = sql_nodes.counts(listed, reader.moment)
        shown = listed[start : start + limit]
        more = limit and start + limit < len(listed)
        return Part(
            total=len(listed),
            counts_by_kind=sql_nodes.sums((kind, count) for (kind, _), count in counts.items()),
            counts_by_status=sql_nodes.sums((status, count) for (_, status), count in counts.items()),
            nodes=tuple(reader.summaries(shown).values()),
            next=cursor(self._sides[1][1], start + limit) if more else None,
        )

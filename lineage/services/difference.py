"""The difference of what two things were made from, or of what one was made from by two moments.

Owns: comparing the two closures. Does not own: the walks (a `graph.backend`), or how statuses differ
(`changes`).
"""

from __future__ import annotations

from collections.abc import Collection

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


class Side(msgspec.Struct, frozen=True):
    """A node as it stood at a moment, and how many nodes it was made from by then."""

    node: NodeSummary
    tree_size: int
    total: int


class Part(msgspec.Struct, frozen=True):
    """Nodes of one part with their counts, one page of them as the log first named them, or none.

    Statuses are those of the side that the part is of, of `both` those of `to`. `next` continues the list
    when asked for with this `part`; None at its end.
    """

    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    nodes: tuple[NodeSummary, ...]
    next: str | None


class Difference(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What only the one was made from, only the other, and both. Neither root counts as its own."""

    from_: Side
    to: Side
    projected: int
    backend: str
    only_from: Part
    only_to: Part
    both: Part


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
        self._parts = {"from": old - new, "to": new - old, "both": old & new}

    def told(self, part: str | None, start: int, limit: int) -> Difference:
        parts = {
            name: self._part(name, nodes, start, limit if part in (None, name) else 0)
            for name, nodes in self._parts.items()
        }
        return Difference(
            from_=self._side(0),
            to=self._side(1),
            projected=self._sides[1][1].projected,
            backend=self._backend.name,
            only_from=parts["from"],
            only_to=parts["to"],
            both=parts["both"],
        )

    def _side(self, number: int) -> Side:
        root, size = self._roots[number], self._sides[number][1].size
        return Side(self._readers[number].summaries([root])[root], size, self._totals[number])

    def _part(self, name: str, nodes: Collection[int], start: int, limit: int) -> Part:
        reader, listed = self._readers[0 if name == "from" else 1], sorted(nodes)
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

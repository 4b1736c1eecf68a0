"""A closure as the lineage pages show it: whole where it can be drawn, else counted and page by page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nsmallest
from typing import Any, TypedDict

from lineage.graph.lane_boxes import (
    VERIFIED_RANK,
    Lane,
    LaneNode,
    Link,
    Surroundings,
    lane_of,
    rank,
    sort_lanes,
    surroundings,
)
from lineage.graph.lanes import Layout, layout
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.services import closure_beside, lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import Closure, NodeSummary
from lineage.services.lineage_whole import Whole, whole
from lineage.web.closure_filter import ClosureFilter
from lineage.web.lineage_query import STATUSES, Asked
from lineage.web.picture import lane_title

MAX_DRAWN = 10_000
"""Nodes of a closure that is still drawn."""

ROWS = 20
"""Nodes on a page of the list: with more, a page with a lane opened has over 1,400 elements."""

SIDE_EDGES = (EdgeType.WAS_ASSOCIATED_WITH, EdgeType.WAS_ATTRIBUTED_TO)
DRAWN_KINDS = tuple(kind for kind in NodeKind if kind not in (NodeKind.SIGNER, NodeKind.PLACE))
OPENING_SCHEMES = frozenset({"key", "identity", "supplier", "place", "hw"})
"""Keys of nodes that no lineage edge touches: from them the service takes the first step over other edges."""

_SORTS: Mapping[str, Callable[[LaneNode], Any]] = {
    "name": lambda node: (node.name, node.key),
    "kind": lambda node: (node.kind, () if node.kind == NodeKind.RUN else node.roles),
    "first": lambda node: node.first_index,
    "status": lambda node: STATUSES.index(node.status),
}
"""By `Asked.sort`; what is alike stays in the usual order."""


def _exceptions_first(node: LaneNode) -> tuple[int, str, str]:
    return rank(node), node.name, node.key


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of the list; `total` counts what the filter leaves, `next` is empty on the last page."""

    nodes: Sequence[NodeSummary]
    total: int
    next: str


@dataclass(frozen=True, slots=True)
class WallLane:
    title: str
    nodes: Sequence[LaneNode]


@dataclass(frozen=True)
class ClosureView:
    """`page` is the part of the list that was asked for where the closure is too big to draw, else None.

    Counts and `total` leave the root out. `isolated` are the keys that lie on the ways between root and focus
    where only those are shown.
    """

    asked: Asked
    closure: Whole
    page: Closure | None
    as_of: AsOf
    isolated: frozenset[str] | None = None

    @classmethod
    def read(cls, asked: Asked, as_of: AsOf) -> ClosureView:
        """Raises: NotFoundError where the node was not known at that moment."""
        followed = followed_by(asked)
        closure = whole(asked.key, asked.direction, as_of, depth=asked.depth, **followed, most=MAX_DRAWN)
        if not closure.complete:
            return cls(asked, closure, ask(asked, as_of, after=asked.after or None, limit=ROWS), as_of)
        return cls(asked, closure, None, as_of)

    def only(self, keys: Collection[str]) -> ClosureView:
        """With these nodes alone, and the root."""
        return replace(self, isolated=frozenset(keys))

    @cached_property
    def reader(self) -> Reader:
        """Of the page's own moment: a backend may have answered as of one a little before."""
        read = self.closure.reader
        return read if read.as_of == self.as_of else Reader(self.as_of)

    @cached_property
    def filter(self) -> ClosureFilter:
        """Who signed and where things lie is read once for all nodes, so that it can be chosen."""
        rows = {node.row: node.key for node in self.lane_nodes.values() if node.row is not None}
        beside = {
            "signer": closure_beside.signers(rows, self.reader, self.asked.signer),
            "place": closure_beside.places(rows, self.links, self.reader, self.asked.place),
        }
        return ClosureFilter(self.asked, beside if self.drawable else {})

    @cached_property
    def kept(self) -> frozenset[str]:
        """Keys of the nodes that are drawn and listed; the root is drawn besides."""
        if self.isolated is not None:
            return self.isolated & self.lane_nodes.keys()
        return self.filter.kept(self.lane_nodes) if self.asked.filters else frozenset(self.lane_nodes)

    @property
    def narrowed(self) -> bool:
        """Whether some nodes are left out of picture and list."""
        return self.isolated is not None or bool(self.asked.filters)

    @cached_property
    def around(self) -> Surroundings:
        """Of all nodes, whatever is left out: a lane is the same under every filter."""
        return surroundings(self.lane_nodes.values(), self.links)

    @property
    def lane_nodes(self) -> Mapping[str, LaneNode]:
        """All nodes by key, the root too; none where there are too many to draw."""
        return self.closure.nodes

    @property
    def drawable(self) -> bool:
        return self.page is None

    @property
    def root(self) -> NodeSummary:
        return self.closure.root

    @property
    def links(self) -> Sequence[Link]:
        return self.closure.links

    @property
    def total(self) -> int:
        return self.closure.total

    @property
    def machines(self) -> int:
        return self.closure.counts_by_kind.get(NodeKind.HARDWARE, 0)

    @property
    def suppliers(self) -> int:
        return self.closure.counts_by_kind.get(NodeKind.SUPPLIER, 0)

    @property
    def made_of(self) -> int:
        """Nodes of the lineage itself, without the machines and suppliers beside it."""
        return self.total - self.machines - self.suppliers

    @property
    def beside(self) -> bool:
        """Whether the root is no part of lineage itself, as a machine or a supplier."""
        return self.asked.key.partition(":")[0] in OPENING_SCHEMES

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Statuses with their numbers, the worst first, without those that nobody has."""
        by_status: Mapping[str, int] = self.closure.counts_by_status
        return [(status, by_status[status]) for status in STATUSES if by_status.get(status)]

    @cached_property
    def tainted(self) -> int:
        return sum(node.tainted for key, node in self.lane_nodes.items() if key != self.asked.key)

    def layout(self, pins: Sequence[str]) -> Layout:
        """The picture's layout; `pins` are shown as boxes of their own."""
        root = self.asked.key
        nodes = [node for key, node in self.lane_nodes.items() if key in self.kept or key == root]
        opened = self.asked.opened or self.asked.lane
        return layout(nodes, self.links, root, pins=pins, expanded=opened, around=self.around)

    def rows(self) -> Rows:
        """The page of the list that was asked for; where there is too much to draw, of all, in no order."""
        if self.page is not None:
            return Rows(self.page.nodes, self.total, self.page.next or "")
        listed = self._listed()
        start = int(self.asked.after) if self.asked.after.isdigit() else 0
        end = start + ROWS
        chosen = self._sorted(listed) if self.asked.sort else nsmallest(end, listed, key=_exceptions_first)
        shown = self.closure.summaries(chosen[start:end])
        return Rows(shown, len(listed), str(end) if end < len(listed) else "")

    def chosen(self) -> list[LaneNode]:
        """The whole list, filtered and sorted. Only of what can be drawn."""
        return self._sorted(self._listed())

    def _listed(self) -> list[LaneNode]:
        listed = [n for key, n in self.lane_nodes.items() if key in self.kept and key != self.asked.key]
        if self.asked.lane is not None or self.asked.show:
            listed = [n for n in listed if self._is_listed(n)]
        return listed

    def _sorted(self, listed: Iterable[LaneNode]) -> list[LaneNode]:
        chosen = sorted(listed, key=_exceptions_first)
        field = self.asked.sort.removeprefix("-")
        if field in _SORTS:
            chosen.sort(key=_SORTS[field], reverse=self.asked.sort.startswith("-"))
        return chosen

    def _is_listed(self, node: LaneNode) -> bool:
        if self.asked.lane is not None and lane_of(node, self.around) is not self.asked.lane:
            return False
        show = self.asked.show
        if show == "tainted":
            return node.tainted
        if show in ("exceptions", "verified"):
            return (rank(node) < VERIFIED_RANK) == (show == "exceptions")
        return not show or node.status == show

    def wall(self) -> list[WallLane]:
        """Every node lane by lane, the worst first; empty where there are too many."""
        lanes = sort_lanes(self.lane_nodes.values(), self.links, self.asked.key) if self.drawable else {}
        return [WallLane(lane_title(lane, lanes[lane]), lanes[lane]) for lane in Lane if lane in lanes]


class Followed(TypedDict):
    """What a walk follows and keeps, as the services take it."""

    edges: tuple[EdgeType, ...]
    kinds: tuple[NodeKind, ...]


def followed_by(asked: Asked) -> Followed:
    """The lineage, and beside it the machines and suppliers of what something was made from."""
    if asked.direction == "ancestors" and asked.key.partition(":")[0] not in OPENING_SCHEMES:
        return Followed(edges=(*LINEAGE_EDGES, *SIDE_EDGES), kinds=DRAWN_KINDS)
    return Followed(edges=(), kinds=())


def ask(asked: Asked, as_of: AsOf, *, after: str | None = None, limit: int) -> Closure:
    """A page of the same closure as in the picture."""
    return lineage.closure(
        asked.key,
        asked.direction,
        as_of,
        depth=asked.depth,
        **followed_by(asked),
        after=after,
        limit=limit,
    )

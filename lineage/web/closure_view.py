"""A closure as the lineage pages show it: whole where it can be drawn, else counted and page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.lane_boxes import (
    VERIFIED_RANK,
    Lane,
    LaneNode,
    Link,
    lane_of,
    made_nodes,
    rank,
    sort_lanes,
)
from lineage.graph.lanes import Layout, layout
from lineage.services import lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import Closure, NodeRecord, NodeSummary
from lineage.web.lineage_query import Asked
from lineage.web.picture import LANE_TITLES

MAX_DRAWN = 10_000
"""Nodes of a closure that is still drawn."""

STATUSES = ("failed", "expired", "unverified", "verified")


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


@dataclass(frozen=True, slots=True)
class ClosureView:
    """`closure.nodes` are all of its nodes where `drawable`, else the page asked for.

    `counts` are by status; with `total` they leave the root out.
    """

    asked: Asked
    root: NodeRecord
    closure: Closure
    drawable: bool

    @classmethod
    def read(cls, asked: Asked, root: NodeRecord, as_of: AsOf) -> ClosureView:
        closure = lineage.closure(asked.key, asked.direction, as_of, depth=asked.depth, limit=MAX_DRAWN)
        return cls(asked, root, closure, closure.next is None)

    @property
    def total(self) -> int:
        return self.closure.total

    @property
    def links(self) -> int:
        return len(self.closure.edges)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Statuses with their numbers, the worst first, without those that nobody has."""
        by_status: Mapping[str, int] = self.closure.counts_by_status
        return [(status, by_status[status]) for status in STATUSES if by_status.get(status)]

    @property
    def tainted(self) -> int:
        return sum(node.tainted for node in self.closure.nodes) if self.drawable else 0

    def layout(self, pins: Sequence[str]) -> Layout:
        """The picture's layout; `pins` are shown as boxes of their own."""
        nodes = [lane_node(node) for node in (self.root, *self.closure.nodes)]
        return layout(nodes, self._links(), self.root.key, pins=pins, expanded=self.asked.lane)

    def _links(self) -> list[Link]:
        return [(edge.source, edge.type, edge.target) for edge in self.closure.edges]

    def rows(self, size: int) -> Rows:
        """The page of the list that was asked for, exceptions first, filtered by lane and status."""
        if not self.drawable:
            return Rows(self.closure.nodes[:size], self.total, "")
        made = made_nodes(self._links())
        chosen = [node for node in self.closure.nodes if self._is_asked_for(lane_node(node), made)]
        chosen.sort(key=lambda node: (rank(lane_node(node)), node.name, node.key))
        start = int(self.asked.after) if self.asked.after.isdigit() else 0
        more = start + size < len(chosen)
        return Rows(chosen[start : start + size], len(chosen), str(start + size) if more else "")

    def _is_asked_for(self, node: LaneNode, made: frozenset[str]) -> bool:
        if self.asked.lane is not None and lane_of(node, made) is not self.asked.lane:
            return False
        show = self.asked.show
        if show == "tainted":
            return node.tainted
        if show in ("exceptions", "verified"):
            return (rank(node) < VERIFIED_RANK) == (show == "exceptions")
        return not show or node.status == show

    def wall(self) -> list[WallLane]:
        """Every node lane by lane, the worst first; empty where there are too many."""
        if not self.drawable:
            return []
        nodes = [lane_node(node) for node in (self.root, *self.closure.nodes)]
        lanes = sort_lanes(nodes, self._links(), self.root.key)
        return [WallLane(LANE_TITLES[lane], lanes[lane]) for lane in Lane if lane in lanes]


def lane_node(node: NodeSummary | NodeRecord) -> LaneNode:
    return LaneNode(node.key, node.kind, node.name, node.status, node.tainted, tuple(node.roles))

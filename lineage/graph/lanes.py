"""The lineage picture: a closure of any size as lanes of at most 120 boxes, exceptions first.

Owns: `layout`, which puts `graph.lane_boxes` and `graph.lane_drawing` together. Pure and deterministic.
Does not own: reading the closure (`services.lineage`), drawing (`templates/lineage/`). It finds no paths
either: a box may stand for many nodes, so that a walk from box to box can pass where no lineage is. Paths
come from the node graph, as keys; `trace` only says which boxes and lines show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lineage.graph import lane_boxes, lane_drawing
from lineage.graph.lane_boxes import BoxKind, Lane, LaneNode, Link, Surroundings
from lineage.graph.lane_drawing import BOX_HEIGHT, Box, Curve, LaneHead

__all__ = [
    "BOX_HEIGHT",
    "MAX_BOXES",
    "Box",
    "BoxKind",
    "Curve",
    "Lane",
    "LaneHead",
    "LaneNode",
    "Layout",
    "layout",
]

MAX_BOXES = 120
"""What a picture may have; `lane_boxes.ROWS` and its neighbours keep it by construction."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A path of nodes as the picture shows it: places of its boxes, and the curves of its steps."""

    boxes: frozenset[int]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawn closure. `counts` are nodes by status (they add up to `total`), `tainted` overlaps them."""

    root: str
    heads: tuple[LaneHead, ...]
    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: int
    height: int
    total: int
    links: int
    counts: dict[str, int]
    tainted: int

    def places(self) -> dict[str, int]:
        """For every node's key the place of its box in `boxes`."""
        return {node.key: i for i, box in enumerate(self.boxes) for node in box.group.nodes}

    def trace(self, steps: Sequence[str]) -> Trace:
        """Show a path, given as the keys of its nodes in order.

        A step is drawn only where the picture has both its ends: a gap stays a gap.
        """
        places = self.places()
        shown = [places.get(key) for key in steps]
        drawn = {
            lane_drawing.curve_path(self.boxes[a], self.boxes[b]): None
            for a, b in pairwise(shown)
            if a is not None and b is not None and a != b
        }
        return Trace(frozenset(i for i in shown if i is not None), tuple(drawn))


def layout(
    nodes: Sequence[LaneNode],
    links: Iterable[Link],
    root: str,
    *,
    pins: Sequence[str] = (),
    expanded: Lane | None = None,
    around: Surroundings | None = None,
) -> Layout:
    """Lay out a closure.

    Args:
        nodes: the root and every node of the closure, each once, in any order.
        links: its edges, from effect to cause; one whose end is not among `nodes` is not drawn.
        root: key of the node asked for: always a box of its own.
        pins: keys of further nodes to show by themselves, the most wanted first.
        expanded: the lane whose exceptions get more rows.
        around: of the whole closure, where `nodes` are only a part of it: lanes stay what they are.
    """
    known = {node.key for node in nodes}
    drawn = [link for link in links if link[0] in known and link[2] in known]
    lanes = lane_boxes.sort_lanes(nodes, drawn, root, around)
    wanted = [root, *(key for key in dict.fromkeys(pins) if key != root and key in known)]
    grouped = lane_boxes.group(lanes, wanted, expanded)
    counted = lane_drawing.count_links((each for members in grouped.values() for each in members), drawn)
    groups = lane_drawing.order(grouped, counted)
    heads, boxes, width, height = lane_drawing.place(groups)
    return Layout(
        root=root,
        heads=tuple(heads),
        boxes=tuple(boxes),
        curves=tuple(lane_drawing.curves(boxes, counted)),
        width=width,
        height=height,
        total=len(nodes),
        links=len(drawn),
        counts=dict(Counter(node.status for node in nodes)),
        tainted=sum(node.tainted for node in nodes),
    )

"""The lineage picture as a template draws it: words, links and marks added to `graph.lanes`.

Owns: lane titles, labels, what is highlighted, the limit on DOM elements. Does not own: which nodes share
a box or where it lies (`graph.lanes`), nor which path is shown: that is found on the node graph and given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.lane_boxes import BoxKind, Lane, LaneNode
from lineage.graph.lane_drawing import TARGET_WIDTH
from lineage.graph.lanes import Box, Curve, LaneHead, Layout, Trace
from lineage.graph.model import NodeKind
from lineage.web import words

MAX_ELEMENTS = 1_300
"""DOM elements that the picture may have; curves past it share one path element."""

LONG = 10
"""Characters above which a name may have to be shortened."""

TAIL = 5
"""Characters at its end that are kept then."""

LAST_WORD = 12
"""Characters that the last word may have to be kept whole instead, with the space before it."""

ROOMY = 140
"""Pixels from which on a box has room for that."""

WIDE = 165
"""Pixels from which on a box has room for the words "more exceptions"."""

_PER_BOX = 9
_PER_LANE = 3
_PER_CURVE = 2

LANE_TITLES: Mapping[Lane, str] = {
    Lane.SUPPLIERS: "Suppliers",
    Lane.SOURCES: "Source data",
    Lane.PREPARED: "Prepared data",
    Lane.CODE: "Code and config",
    Lane.RUNS: "Training runs",
    Lane.MODELS: "Models",
    Lane.OTHER: "Evaluations, other",
    Lane.DEPLOYMENTS: "Deployments",
    Lane.HARDWARE: "Hardware",
}

TRAININGS = frozenset({"training", "pre-training", "fine-tuning"})
"""Activities that make a lane of runs one of training runs."""

CODE_ROLES = frozenset({"code", "config"})

_STATUS_ORDER = ("failed", "expired", "unverified", "verified")


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """`mark` is on (part of what is traced), off (dimmed) or empty; `own` marks the box of one node.

    `label` and `tail` together are the text: where it is too long, the label alone is shortened, because
    names often differ at their end. `folder` is what a path says before its last "/"; it is shown after the
    text, and only where there is room.
    """

    id: str
    x: int
    y: int
    width: int
    label: str
    tail: str
    folder: str
    spoken: str
    href: str
    status: str
    tainted: bool
    own: bool
    mark: str
    current: bool


@dataclass(frozen=True, slots=True)
class DrawnLane:
    slug: str
    title: str
    x: int
    y: int
    total: int
    exceptions: int
    boxes: tuple[DrawnBox, ...]


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """`weight` 1 to 3 says how thick; `title` tells the number of links."""

    path: str
    weight: int
    title: str


@dataclass(frozen=True, slots=True)
class Picture:
    """`fits`: it has the wanted width, so that a narrower page may shrink it and it stays legible."""

    width: int
    height: int
    lanes: tuple[DrawnLane, ...]
    curves: tuple[DrawnCurve, ...]
    thin: str
    """Path data of the curves for which there was no element left: the lightest ones, without titles."""
    traced: tuple[str, ...]
    fits: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What the picture shows beside the closure.

    Attributes:
        focus: key of the node whose details are shown.
        trace: the path to highlight, as `Layout.trace` gives it; None dims nothing.
        node_href: the address that puts a node, by key, into focus.
        lane_href: the address of the list behind a gathered box, by lane and `exceptions` or `verified`.
    """

    focus: str
    trace: Trace | None
    node_href: Callable[[str], str]
    lane_href: Callable[[str, str], str]

    def mark(self, place: int) -> str:
        """Of the box at that place in the layout: on, off, or empty where nothing is traced."""
        if self.trace is None or not self.trace.boxes:
            return ""
        return "on" if place in self.trace.boxes else "off"


def draw(layout: Layout, scene: Scene) -> Picture:
    lanes = []
    for head in layout.heads:
        inside = [node for box in layout.boxes if box.group.lane is head.lane for node in box.group.nodes]
        title = lane_title(head.lane, inside)
        boxes = tuple(
            _box(box, title, scene, scene.mark(i))
            for i, box in enumerate(layout.boxes)
            if box.group.lane is head.lane
        )
        lanes.append(_lane(head, title, boxes))
    drawn, thin = _curves(layout)
    traced = scene.trace.paths if scene.trace else ()
    fits = layout.width <= TARGET_WIDTH
    return Picture(layout.width, layout.height, tuple(lanes), drawn, thin, traced, fits)


def _lane(head: LaneHead, title: str, boxes: tuple[DrawnBox, ...]) -> DrawnLane:
    return DrawnLane(head.lane.value, title, head.x, head.y, head.total, head.exceptions, boxes)


def lane_title(lane: Lane, nodes: Iterable[LaneNode]) -> str:
    """The lane's name; three lanes are named more widely where they hold more than their name says."""
    if lane is Lane.RUNS and not all(TRAININGS.intersection(node.roles) for node in nodes):
        return "Runs"
    if lane is Lane.CODE and not all(CODE_ROLES.intersection(node.roles) for node in nodes):
        return "Code, other inputs"
    if lane is Lane.SUPPLIERS and any(node.kind != "supplier" for node in nodes):
        return "Suppliers, keys, places"
    return LANE_TITLES[lane]


def _box(box: Box, lane: str, scene: Scene, mark: str) -> DrawnBox:
    group, node = box.group, box.node
    label = _label(group.kind, group.nodes)
    shown = label if node or box.width >= WIDE else label.removesuffix(" exceptions")
    folder, shown = _split(shown) if node and node.kind == NodeKind.ARTIFACT else ("", shown)
    cut = len(shown) - _kept(shown, box.width) if node else len(shown)
    return DrawnBox(
        id=f"box-{group.id}",
        x=box.x,
        y=box.y,
        width=box.width,
        label=shown[:cut],
        tail=shown[cut:],
        folder=folder,
        spoken=_spoken_node(label, node) if node else _spoken_group(label, lane, group.counts(), group.nodes),
        href=scene.node_href(node.key) if node else scene.lane_href(group.lane.value, group.kind.value),
        status=_worst(group.nodes),
        tainted=any(n.tainted for n in group.nodes),
        own=node is not None,
        mark=mark,
        current=node is not None and node.key == scene.focus,
    )


def _split(name: str) -> tuple[str, str]:
    """A path as its folder and its last part: names in a lane often begin alike."""
    folder, slash, last = name.rpartition("/")
    return (folder, last) if slash and folder and last else ("", name)


def _kept(name: str, width: int) -> int:
    """How many characters at the end of a name are kept where it must be shortened to fit the box."""
    if len(name) <= LONG:
        return 0
    last = len(name) - name.rfind(" ")
    return last if width >= ROOMY and TAIL < last <= min(LAST_WORD, len(name) // 2) else TAIL


def _label(kind: BoxKind, nodes: Sequence[LaneNode]) -> str:
    if kind is BoxKind.NODE:
        return nodes[0].name or nodes[0].key
    return f"{len(nodes)} verified" if kind is BoxKind.VERIFIED else f"{len(nodes)} more exceptions"


def _worst(nodes: Sequence[LaneNode]) -> str:
    return min((node.status for node in nodes), key=_STATUS_ORDER.index)


def _spoken_node(label: str, node: LaneNode) -> str:
    kind = ", ".join(node.roles) or words.KINDS.get(node.kind, node.kind).lower()
    taint = ", tainted" if node.tainted else ""
    return f"{label}, {kind}, {words.STATUSES[node.status].word.lower()}{taint}"


def _spoken_group(label: str, lane: str, counts: Mapping[str, int], nodes: Sequence[LaneNode]) -> str:
    parts = [f"{counts[status]} {status}" for status in _STATUS_ORDER if status in counts]
    tainted = sum(node.tainted for node in nodes)
    if tainted:
        parts.append(f"{tainted} tainted")
    return f"{label} in {lane}: {', '.join(parts)}; show them in the list"


def _curves(layout: Layout) -> tuple[tuple[DrawnCurve, ...], str]:
    room = MAX_ELEMENTS - _PER_BOX * len(layout.boxes) - _PER_LANE * len(layout.heads)
    own = max(room // _PER_CURVE, 0)
    cut = max(len(layout.curves) - own, 0)
    return tuple(map(_curve, layout.curves[cut:])), "".join(curve.path for curve in layout.curves[:cut])


def _curve(curve: Curve) -> DrawnCurve:
    weight = 1 if curve.count == 1 else 2 if curve.count < 10 else 3
    return DrawnCurve(curve.path, weight, "1 link" if curve.count == 1 else f"{curve.count} links")

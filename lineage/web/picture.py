"""The lineage picture as a template draws it: words, links and marks added to `graph.lanes`.

Owns: lane titles, labels, what is highlighted. Does not own: which nodes share
a box or where it lies (`graph.lanes`), nor which path is shown: that is found on the node graph and given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.lane_boxes import BoxKind, Group, Lane, LaneNode
from lineage.graph.lane_drawing import TARGET_WIDTH
from lineage.graph.lanes import Box, LaneHead, Layout, Trace
from lineage.graph.model import NodeKind
from lineage.web import words

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

LEAST_WIDTH = 880
"""Pixels to which a page may shrink it, as css/lineage.css says; a narrower one is shown as it is."""

BAND_PADDING = 10
"""Pixels above the title of the hardware band that belong to it."""

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
    text, and only where there is room; so is `suffix`, a file's ending, which says little.
    `boosted`: its link changes the picture in place; otherwise it leads to the list.
    """

    id: str
    x: int
    y: int
    width: int
    label: str
    tail: str
    folder: str
    suffix: str
    spoken: str
    href: str
    status: str
    tainted: bool
    own: bool
    boosted: bool
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
    opened: bool
    boxes: tuple[DrawnBox, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """`fits`: it is about as wide as wanted, so that a narrower page may shrink it and it stays legible."""

    width: int
    height: int
    lanes: tuple[DrawnLane, ...]
    curves: tuple[tuple[int, str], ...]
    """Weight 1 to 3, which says how thick, with the path data of all curves of that weight: one element."""
    band: tuple[int, int, int, int] | None
    """Where the band of machines lies: x, y, width, height. None where there are none."""
    traced: tuple[str, ...]
    fits: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What the picture shows beside the closure.

    Attributes:
        focus: key of the node whose details are shown.
        trace: the path to highlight, as `Layout.trace` gives it; None dims nothing.
        node_href: the address that puts a node, by key, into focus.
        list_href: the address of the list behind a gathered box, by lane and `exceptions` or `verified`.
        open_href: the address of the picture with that lane opened.
        opened: the lane that is.
    """

    focus: str
    trace: Trace | None
    node_href: Callable[[str], str]
    list_href: Callable[[str, str], str]
    open_href: Callable[[str], str]
    opened: Lane | None = None

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
        lanes.append(_lane(head, title, head.lane is scene.opened, boxes))
    traced = scene.trace.paths if scene.trace else ()
    fits = LEAST_WIDTH <= layout.width <= TARGET_WIDTH
    return Picture(layout.width, layout.height, tuple(lanes), _curves(layout), _band(layout), traced, fits)


def _lane(head: LaneHead, title: str, opened: bool, boxes: tuple[DrawnBox, ...]) -> DrawnLane:
    return DrawnLane(head.lane.value, title, head.x, head.y, head.total, head.exceptions, opened, boxes)


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
    folder, shown, suffix = _split(shown) if node and node.kind == NodeKind.ARTIFACT else ("", shown, "")
    cut = len(shown) - _kept(shown, box.width) if node else len(shown)
    opens = node is None and group.lane is not scene.opened
    return DrawnBox(
        id=f"box-{group.id}",
        x=box.x,
        y=box.y,
        width=box.width,
        label=shown[:cut],
        tail=shown[cut:],
        folder=folder,
        suffix=suffix,
        spoken=_spoken_node(label, node) if node else _spoken_group(label, lane, group, opens),
        href=scene.node_href(node.key) if node else _group_href(group, scene, opens),
        status=_worst(group.nodes),
        tainted=any(n.tainted for n in group.nodes),
        own=node is not None,
        boosted=node is not None or opens,
        mark=mark,
        current=node is not None and node.key == scene.focus,
    )


def _group_href(group: Group, scene: Scene, opens: bool) -> str:
    """Opens its lane; of a lane that is open already, the list of what doesn't fit."""
    lane = group.lane.value
    return scene.open_href(lane) if opens else scene.list_href(lane, group.kind.value)


def _split(name: str) -> tuple[str, str, str]:
    """A path as its folder, its last part and a file's ending: names in a lane often begin and end alike."""
    folder, slash, last = name.rpartition("/")
    if not (slash and folder and last):
        folder, last = "", name
    stem, dot, ending = last.rpartition(".")
    if stem and ending.isalpha() and ending.isascii() and len(stem) > LONG:
        return folder, stem, dot + ending
    return folder, last, ""


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


def _spoken_group(label: str, lane: str, group: Group, opens: bool) -> str:
    counts = group.counts()
    parts = [f"{counts[status]} {status}" for status in _STATUS_ORDER if status in counts]
    tainted = sum(node.tainted for node in group.nodes)
    if tainted:
        parts.append(f"{tainted} tainted")
    does = "show more of them here" if opens else "show them in the list"
    return f"{label} in {lane}: {', '.join(parts)}; {does}"


def _curves(layout: Layout) -> tuple[tuple[int, str], ...]:
    """By weight: one link, some, ten and more between the same two boxes."""
    paths: dict[int, list[str]] = {}
    for curve in layout.curves:
        weight = 1 if curve.count == 1 else 2 if curve.count < 10 else 3
        paths.setdefault(weight, []).append(curve.path)
    return tuple((weight, "".join(paths[weight])) for weight in sorted(paths))


def _band(layout: Layout) -> tuple[int, int, int, int] | None:
    machines = [box for box in layout.boxes if box.group.lane is Lane.HARDWARE]
    lanes = any(box.group.lane is not Lane.HARDWARE for box in layout.boxes)
    if not machines or not lanes:
        return None
    top = min(head.y for head in layout.heads if head.lane is Lane.HARDWARE) - BAND_PADDING
    return 0, top, layout.width, layout.height - top

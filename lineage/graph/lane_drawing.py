"""Where boxes and curves of the lineage picture lie, in CSS pixels.

Owns: the order of boxes within a lane (so that curves cross little), coordinates, and SVG path data.
Pure. Does not own: which node is in which box (`graph.lane_boxes`), colours, words, links.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.lane_boxes import BoxKind, Group, Lane, LaneNode, Link, rank

BOX_HEIGHT = 32
ROW_PITCH = 42
HEADER_HEIGHT = 56
MARGIN = 8
BAND_GAP = 60
"""Between the last row of the lanes and the first of the hardware band: its title stands in it."""

TARGET_WIDTH = 1040
"""The picture's room on a page of 1,440 px beside the detail column."""

PITCH_RANGE = (148, 296)
"""Narrowest and widest distance between two lanes. Below it names can't be read, and the picture scrolls;
three lanes at the widest fit a page of 1,280 px."""

GUTTER = 24
"""Between a lane's boxes and the next lane's: where the curves bend."""

SWEEPS = 4

_COLUMNS = tuple(lane for lane in Lane if lane is not Lane.HARDWARE)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle. `group` says whom it stands for; `node` is set where it stands for one node."""

    group: Group
    x: int
    y: int
    width: int

    @property
    def node(self) -> LaneNode | None:
        return self.group.nodes[0] if self.group.kind is BoxKind.NODE else None

    @property
    def middle(self) -> int:
        return self.y + BOX_HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Curve:
    """All links between two boxes. `source` (effect) and `target` (cause) are places in the list of boxes.

    Links inside one box are counted nowhere: there is no line to draw for them.
    """

    source: int
    target: int
    count: int
    path: str


@dataclass(frozen=True, slots=True)
class LaneHead:
    """A lane's title. `total` and `exceptions` count nodes, not boxes."""

    lane: Lane
    x: int
    y: int
    total: int
    exceptions: int


def count_links(groups: Iterable[Group], links: Iterable[Link]) -> dict[tuple[str, str], int]:
    """How many links run between two groups, as (id of the effect's, id of the cause's)."""
    ids: dict[str, str] = {}
    for group in groups:
        ids.update(dict.fromkeys([node.key for node in group.nodes], group.id))
    id_of = ids.get
    pairs = Counter([(id_of(source), id_of(target)) for source, _, target in links])
    return {(a, b): count for (a, b), count in pairs.items() if a is not None and b is not None and a != b}


def order(
    lanes: Mapping[Lane, Sequence[Group]], counted: Mapping[tuple[str, str], int]
) -> dict[Lane, list[Group]]:
    """Sort the boxes of one rank within each lane by the mean place of their neighbours (barycenter).

    Exceptions stay above the rest, gathered boxes at the end: rank decides before the lines do. `counted`:
    of `count_links`.
    """
    groups = [group for members in lanes.values() for group in members]
    at = {group.id: i for i, group in enumerate(groups)}
    neighbours: list[list[tuple[int, int]]] = [[] for _ in groups]
    for (effect, cause), count in counted.items():
        a, b = at[effect], at[cause]
        neighbours[a].append((b, count))
        neighbours[b].append((a, count))
    columns = _columns_of(lanes)
    row = [float(i) for column in columns for i in range(len(column))]
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            keys = {i: (_standing(groups[i]), _mean_row(neighbours[i], row, row[i]), i) for i in column}
            column.sort(key=keys.__getitem__)
            for place, i in enumerate(column):
                row[i] = float(place)
    return {lane: [groups[i] for i in column] for lane, column in zip(lanes, columns, strict=True)}


def _columns_of(lanes: Mapping[Lane, Sequence[Group]]) -> list[list[int]]:
    columns, start = [], 0
    for members in lanes.values():
        columns.append(list(range(start, start + len(members))))
        start += len(members)
    return columns


def _standing(group: Group) -> int:
    """Node boxes by rank, then the gathered ones, the verified last."""
    if group.kind is BoxKind.NODE:
        return rank(group.nodes[0])
    return 10 if group.kind is BoxKind.EXCEPTIONS else 11


def _mean_row(neighbours: Sequence[tuple[int, int]], row: Sequence[float], own: float) -> float:
    weight = sum(count for _, count in neighbours)
    return sum(row[i] * count for i, count in neighbours) / weight if weight else own


def pitch_of(columns: int) -> int:
    """The distance between two lanes' left edges for that many lanes."""
    low, high = PITCH_RANGE
    return max(low, min(high, (TARGET_WIDTH - 2 * MARGIN + GUTTER) // max(columns, 1)))


def place(lanes: Mapping[Lane, Sequence[Group]]) -> tuple[list[LaneHead], list[Box], int, int]:
    """Titles, boxes, and the picture's width and height."""
    columns = [lane for lane in _COLUMNS if lane in lanes]
    pitch = pitch_of(len(columns))
    heads: list[LaneHead] = []
    boxes: list[Box] = []
    for number, lane in enumerate(columns):
        x = MARGIN + number * pitch
        heads.append(_head(lane, lanes[lane], x, MARGIN))
        for row, group in enumerate(lanes[lane]):
            boxes.append(Box(group, x, HEADER_HEIGHT + row * ROW_PITCH, pitch - GUTTER))
    rows = max((len(lanes[lane]) for lane in columns), default=0)
    bottom = HEADER_HEIGHT + rows * ROW_PITCH
    if Lane.HARDWARE in lanes:
        head, band = _place_band(lanes[Lane.HARDWARE], columns, pitch, bottom)
        heads.append(head)
        boxes.extend(band)
        bottom = band[-1].y + ROW_PITCH
    width = MARGIN * 2 + max(len(columns), 1) * pitch - GUTTER
    return heads, boxes, width, bottom + MARGIN


def _place_band(
    groups: Sequence[Group], columns: Sequence[Lane], pitch: int, top: int
) -> tuple[LaneHead, list[Box]]:
    """The machines, in rows under the lanes, the first row centred under the runs."""
    per_row = max(len(columns), 1)
    centre = columns.index(Lane.RUNS) if Lane.RUNS in columns else 0
    first = max(0, min(centre - min(len(groups), per_row) // 2, per_row - len(groups)))
    y = top + BAND_GAP if columns else HEADER_HEIGHT
    band = []
    for number, group in enumerate(groups):
        row, column = divmod(number, per_row)
        band.append(Box(group, MARGIN + (first + column) * pitch, y + row * ROW_PITCH, pitch - GUTTER))
    return _head(Lane.HARDWARE, groups, MARGIN + first * pitch, y - HEADER_HEIGHT + MARGIN), band


def _head(lane: Lane, groups: Sequence[Group], x: int, y: int) -> LaneHead:
    nodes = [node for group in groups for node in group.nodes]
    return LaneHead(lane, x, y, len(nodes), sum(rank(node) < 4 for node in nodes))


def curves(boxes: Sequence[Box], counted: Mapping[tuple[str, str], int]) -> list[Curve]:
    """One cubic curve a pair of boxes that any link joins, the heaviest last (drawn on top).

    `counted`: of `count_links`, of the same groups.
    """
    at = {box.group.id: i for i, box in enumerate(boxes)}
    pairs = [(at[effect], at[cause], count) for (effect, cause), count in counted.items()]
    found = [Curve(a, b, n, curve_path(boxes[b], boxes[a])) for a, b, n in pairs]
    return sorted(found, key=lambda c: (c.count, c.source, c.target))


def curve_path(cause: Box, effect: Box) -> str:
    """SVG path data of the curve from a cause to its effect, attached to the sides that face each other."""
    cause_right, effect_right = cause.x + cause.width, effect.x + effect.width
    if cause.group.lane is Lane.HARDWARE or effect.group.lane is Lane.HARDWARE:
        return _drop(cause, effect)
    if cause.x < effect.x:
        return _cubic(cause_right, cause.middle, effect.x, effect.middle)
    if cause.x > effect.x:
        return _cubic(cause.x, cause.middle, effect_right, effect.middle)
    bulge = cause_right + GUTTER * 2 // 3
    start, end = f"{cause_right} {cause.middle}", f"{effect_right} {effect.middle}"
    return f"M{start}C{bulge} {cause.middle} {bulge} {effect.middle} {end}"


def _cubic(x1: int, y1: int, x2: int, y2: int) -> str:
    bend = (x2 - x1) // 2
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _drop(a: Box, b: Box) -> str:
    """Between a lane and the band: out of the upper box's nearer side, down into the lower one's top."""
    upper, lower = (a, b) if a.y <= b.y else (b, a)
    y1, x2, y2 = upper.middle, lower.x + lower.width // 2, lower.y
    if upper.group.lane is lower.group.lane:
        return _cubic(upper.x + upper.width // 2, upper.y + BOX_HEIGHT, x2, y2)
    if x2 < upper.x:
        x1, bend = upper.x, upper.x - GUTTER
    else:
        x1, bend = upper.x + upper.width, upper.x + upper.width + GUTTER
    if upper.x <= x2 <= upper.x + upper.width:
        x2 = lower.x + lower.width - GUTTER // 2
    return f"M{x1} {y1}C{bend} {y1} {x2} {y2 - BAND_GAP} {x2} {y2}"

"""Which lane a node of a closure belongs to, and which box of that lane shows it.

Owns: the lanes, the order "exceptions first", and the gathering of thousands of nodes into a few boxes.
Pure. Does not own: where a box is drawn (`graph.lane_drawing`) or what a status is (`graph.status`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from lineage.graph.model import EdgeType, NodeKind

ROWS = 9
"""Boxes of a lane: seven exceptions, "more exceptions", "verified"."""

EXPANDED_ROWS = 24
"""Boxes of the one lane that the reader opened."""

BAND_RANGE = (4, 7)
"""Boxes of the hardware band: as many as there are lanes above it, within these bounds."""

MAX_PINS = 20
"""Nodes that are their own box whatever their status: the root, the node in focus, the path between them."""


class Lane(StrEnum):
    """From causes on the left to effects on the right; hardware is a band under the others."""

    SUPPLIERS = "suppliers"
    SOURCES = "source-data"
    PREPARED = "prepared-data"
    CODE = "code"
    RUNS = "runs"
    MODELS = "models"
    OTHER = "other"
    DEPLOYMENTS = "deployments"
    HARDWARE = "hardware"


class BoxKind(StrEnum):
    NODE = "node"
    EXCEPTIONS = "exceptions"
    VERIFIED = "verified"


class LaneNode(NamedTuple):
    """What the picture needs to know of a node. `status` is one of the four; `kind` a `NodeKind` value.

    `roles` are an artifact's claimed roles, or the activity kinds of a run. `first_index` is the log index
    that first named it, `row` its id in the database's tables, where that is known: both for lists. A tuple,
    because a picture needs up to 10,000 of them, and frozen dataclasses take four times as long to make.
    """

    key: str
    kind: str
    name: str
    status: str
    tainted: bool = False
    roles: tuple[str, ...] = ()
    first_index: int = 0
    row: int | None = None


Link = tuple[str, str, str]
"""An edge: effect's key, edge type, cause's key."""

_SEVERITY = {"failed": 1, "expired": 2, "unverified": 3, "verified": 4}
VERIFIED_RANK = 4

_ROLE_LANES: tuple[tuple[frozenset[str], Lane], ...] = (
    (frozenset({"model", "adapter"}), Lane.MODELS),
    (frozenset({"dataset"}), Lane.SOURCES),
    (frozenset({"code", "config"}), Lane.CODE),
)
"""The first role that matches decides, so that a model which is also evaluated as a dataset stays a model."""

_KIND_LANES: Mapping[str, Lane] = {
    NodeKind.SUPPLIER: Lane.SUPPLIERS,
    NodeKind.SIGNER: Lane.SUPPLIERS,
    NodeKind.PLACE: Lane.SUPPLIERS,
    NodeKind.HARDWARE: Lane.HARDWARE,
    NodeKind.DEPLOYMENT: Lane.DEPLOYMENTS,
}

_MADE_BY = frozenset({EdgeType.WAS_GENERATED_BY.value, EdgeType.WAS_DERIVED_FROM.value})
_INPUT_BY = frozenset({EdgeType.USED.value, EdgeType.WAS_DERIVED_FROM.value})


def rank(node: LaneNode) -> int:
    """0 tainted, 1 failed, 2 expired, 3 unverified, 4 verified: the order in which a lane lists its nodes."""
    return 0 if node.tainted else _SEVERITY[node.status]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node's links say of its place: which nodes have their origin in the closure (`made`), which
    are somebody's input there (`used`), and the roles that a node shares with its `SAME_AS` (`shared`).
    """

    made: frozenset[str]
    used: frozenset[str]
    shared: Mapping[str, tuple[str, ...]]


def surroundings(nodes: Iterable[LaneNode], links: Sequence[Link]) -> Surroundings:
    made = {source for source, kind, _ in links if kind in _MADE_BY}
    used = {target for _, kind, target in links if kind in _INPUT_BY}
    same = [(source, target) for source, kind, target in links if kind == EdgeType.SAME_AS]
    shared: dict[str, tuple[str, ...]] = {}
    if same:
        roles = {node.key: node.roles for node in nodes}
        for a, b in (*same, *((b, a) for a, b in same)):
            made.update({a} if b in made else ())
            used.update({a} if b in used else ())
            if not roles.get(a):
                shared[a] = roles.get(b, ())
    return Surroundings(frozenset(made), frozenset(used), shared)


def lane_of(node: LaneNode, around: Surroundings) -> Lane:
    """The lane of a node. A dataset with an origin is *prepared*; what has no telling role is an input of
    some other kind where somebody used it, and *other* where nobody did.
    """
    shares = not node.roles and node.kind != NodeKind.RUN
    lane = _lane_told(node.kind, around.shared.get(node.key, ()) if shares else node.roles)
    if lane is None:
        return Lane.CODE if node.key in around.used else Lane.OTHER
    return Lane.PREPARED if lane is Lane.SOURCES and node.key in around.made else lane


@lru_cache(maxsize=1_024)
def _lane_told(kind: str, roles: tuple[str, ...]) -> Lane | None:
    """What kind and roles alone say; few of them are different, of the thousands in a picture."""
    if kind in _KIND_LANES:
        return _KIND_LANES[kind]
    if kind == NodeKind.RUN:
        return Lane.OTHER if "evaluation" in roles else Lane.RUNS
    return next((lane for names, lane in _ROLE_LANES if not names.isdisjoint(roles)), None)


def hops_from(root: str, links: Sequence[Link]) -> dict[str, int]:
    """Edges between the root and every node that hangs together with it, whatever their direction."""
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for source, _, target in links:
        neighbours[source].append(target)
        neighbours[target].append(source)
    hops, level, distance = {root: 0}, [root], 0
    while level:
        distance += 1
        found = set[str]().union(*map(neighbours.__getitem__, level)).difference(hops)
        hops.update(dict.fromkeys(found, distance))
        level = list(found)
    return hops


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of one box, worst and nearest first."""

    lane: Lane
    kind: BoxKind
    nodes: tuple[LaneNode, ...]

    @property
    def id(self) -> str:
        """A node's key, or `<lane>/exceptions`, `<lane>/verified`: unique in a picture."""
        return self.nodes[0].key if self.kind is BoxKind.NODE else f"{self.lane}/{self.kind}"

    def counts(self) -> dict[str, int]:
        """Nodes by status; the four add up to all."""
        return dict(Counter(node.status for node in self.nodes))


def sort_lanes(
    nodes: Collection[LaneNode], links: Sequence[Link], root: str, around: Surroundings | None = None
) -> dict[Lane, tuple[LaneNode, ...]]:
    """The nodes of every lane that has any, exceptions first: by rank, nearness to the root, name, key."""
    around = around or surroundings(nodes, links)
    hops = hops_from(root, links)
    far = len(hops)
    lanes: dict[Lane, list[LaneNode]] = {lane: [] for lane in Lane}
    for node in nodes:
        lanes[lane_of(node, around)].append(node)
    for members in lanes.values():
        members.sort(
            key=lambda n: (0 if n.tainted else _SEVERITY[n.status], hops.get(n.key, far), n.name, n.key)
        )
    return {lane: tuple(members) for lane, members in lanes.items() if members}


def _node_groups(lane: Lane, nodes: Iterable[LaneNode]) -> list[Group]:
    return [Group(lane, BoxKind.NODE, (node,)) for node in nodes]


def _gathered(lane: Lane, kind: BoxKind, nodes: Sequence[LaneNode]) -> list[Group]:
    """One box for all of them; a lone node is shown as itself, "1 more" would only hide its name."""
    if len(nodes) == 1:
        return _node_groups(lane, nodes)
    return [Group(lane, kind, tuple(nodes))] if nodes else []


def group_lane(lane: Lane, nodes: Sequence[LaneNode], pins: frozenset[str], rows: int) -> list[Group]:
    """Put the sorted nodes of a lane into at most `rows` boxes, besides those of the pinned ones.

    A lane that fits is shown node by node. Otherwise the verified ones become one box, and of the
    exceptions as many as fit keep a box of their own; the rest becomes "N more exceptions". A tainted
    node is an exception even when its own status is verified.
    """
    if len(nodes) <= rows:
        return _node_groups(lane, nodes)
    pinned = [node for node in nodes if node.key in pins]
    free = [node for node in nodes if node.key not in pins]
    bad = [node for node in free if rank(node) < VERIFIED_RANK]
    good = [node for node in free if rank(node) == VERIFIED_RANK]
    room = max(rows - bool(good) - len(pinned), 1)
    shown = room if len(bad) <= room else room - 1
    own = {node.key for node in (*pinned, *bad[:shown])}
    return [
        *_node_groups(lane, (node for node in nodes if node.key in own)),
        *_gathered(lane, BoxKind.EXCEPTIONS, bad[shown:]),
        *_gathered(lane, BoxKind.VERIFIED, good),
    ]


def group(
    lanes: Mapping[Lane, Sequence[LaneNode]], pins: Sequence[str], expanded: Lane | None
) -> dict[Lane, list[Group]]:
    """Every lane's boxes. Of `pins` the first `MAX_PINS` count; the root comes first in it."""
    kept = frozenset(pins[:MAX_PINS])
    band = max(BAND_RANGE[0], min(BAND_RANGE[1], len(lanes.keys() - {Lane.HARDWARE})))

    def rows(lane: Lane) -> int:
        if lane is expanded:
            return EXPANDED_ROWS
        return band if lane is Lane.HARDWARE else ROWS

    return {lane: group_lane(lane, nodes, kept, rows(lane)) for lane, nodes in lanes.items()}

"""What a graph backend must answer, in plain Python over the entries: slow, short, and obviously right.

From meaning.md and the words of `lineage.graph.backend.Backend` alone; nothing of a backend is used here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from lineage.graph.backend import Direction, EdgeRef, GraphEntry, Link, NodeRef, Supporter, Walk
from lineage.graph.model import ClaimKind

LINEAGE = ("USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS")
OPENING = ("WAS_ASSOCIATED_WITH", "WAS_ATTRIBUTED_TO", "AT_LOCATION")
OPENING_KINDS = ("signer", "supplier", "place", "hardware")


class Reference:
    """The graph of the entries below tree size `size`."""

    def __init__(self, entries: Sequence[GraphEntry], size: int) -> None:
        self.size = size
        self.kinds: dict[str, str] = {}
        self.first: dict[str, int] = {}
        self.roles: dict[str, set[str]] = {}
        self.names: dict[str, set[str]] = {}
        self.support: dict[Link, set[Supporter]] = {}
        for entry in entries:
            if entry.index < size:
                self._take(entry)
        self._nodes = {key: NodeRef(key, kind, self.first[key]) for key, kind in self.kinds.items()}
        self._reached: dict[Walk, dict[str, int]] = {}
        self._out: dict[str, list[Link]] = {}
        self._in: dict[str, list[Link]] = {}
        for link in self.support:
            self._out.setdefault(link[0], []).append(link)
            self._in.setdefault(link[2], []).append(link)

    def _take(self, entry: GraphEntry) -> None:
        for signer, delta in entry.contributions:
            for key, kind in delta.nodes.items():
                self.kinds.setdefault(key, kind.value)
                self.first.setdefault(key, entry.index)
            for edge in delta.edges:
                link = (edge.source, edge.type.value, edge.target)
                self.support.setdefault(link, set()).add(Supporter(entry.index, signer, entry.trust))
            for claim in delta.claims:
                if claim.kind is ClaimKind.ROLE:
                    self.roles.setdefault(claim.node, set()).add(claim.value)
                if claim.kind is ClaimKind.NAME:
                    self.names.setdefault(claim.node, set()).add(claim.value)

    def node(self, key: str) -> NodeRef | None:
        return self._nodes.get(key)

    def edge(self, link: Link) -> EdgeRef:
        support = tuple(sorted(self.support[link]))
        return EdgeRef(*link, support[0].index, support)

    def step(self, key: str, direction: Direction, types: Collection[str]) -> set[str]:
        """One edge away; `SAME_AS` goes both ways."""
        up = direction is Direction.ANCESTORS
        onward, backward = (self._out, self._in) if up else (self._in, self._out)
        far = 2 if up else 0
        found = {link[far] for link in onward.get(key, ()) if link[1] in types}
        if "SAME_AS" in types:
            found |= {link[2 - far] for link in backward.get(key, ()) if link[1] == "SAME_AS"}
        return found

    def _machines(self, place: str) -> set[str]:
        return {
            link[0]
            for link in self._in.get(place, ())
            if link[1] == "AT_LOCATION" and self.kinds[link[0]] == "hardware"
        }

    def _opening(self, walk: Walk) -> dict[int, set[str]]:
        """What the wider first step reaches, by the number of edges away."""
        kind = self.kinds[walk.root]
        if walk.types or kind not in OPENING_KINDS:
            return {}
        found = {1: self.step(walk.root, walk.direction, OPENING)}
        if kind == "place" and walk.direction is Direction.DESCENDANTS:
            found[2] = {
                run
                for machine in self._machines(walk.root)
                for run in self.step(machine, walk.direction, ["WAS_ASSOCIATED_WITH"])
            }
        return found

    def distances(self, walk: Walk) -> dict[str, int]:
        """Edges from the root to everything that its closure reaches within the depth, the root at 0.

        What is kept of it makes no difference, so walks that differ in that alone are walked once.
        """
        plain = Walk(walk.root, walk.direction, walk.size, walk.types, depth=walk.depth)
        if plain not in self._reached:
            self._reached[plain] = self._walked(plain)
        return self._reached[plain]

    def _walked(self, walk: Walk) -> dict[str, int]:
        opening, followed = self._opening(walk), walk.followed
        found, level, away = {walk.root: 0}, {walk.root}, 0
        while away < walk.depth and (level or away < max(opening, default=0)):
            away += 1
            reached = {far for near in level for far in self.step(near, walk.direction, followed)}
            level = (reached | opening.get(away, set())) - found.keys()
            found |= dict.fromkeys(level, away)
        return found

    def closure(self, walk: Walk) -> set[NodeRef]:
        keys = self.distances(walk).keys() - {walk.root}
        if walk.kinds:
            keys = {k for k in keys if {self.kinds[k], *self.roles.get(k, ())} & set(walk.kinds)}
        if walk.roles:
            keys = {k for k in keys if self.roles.get(k, set()) & set(walk.roles)}
        if walk.place:
            keys = {k for k in keys if self.places(k) & self.within(walk.place)}
        return {self._nodes[key] for key in keys}

    def within(self, place: str) -> set[str]:
        """The place and those that lie in it, over three edges at most."""
        found = {place}
        for _ in range(3):
            lying = {far for each in found for far in self.step(each, Direction.DESCENDANTS, ["AT_LOCATION"])}
            found |= {key for key in lying if self.kinds[key] == "place"}
        return found

    def places(self, key: str) -> set[str]:
        """Where it lies; of a run where its machines do; of what a run or thing there generated that too."""
        down = Direction.ANCESTORS
        found = self.located(key)
        for run in self.step(key, down, ["WAS_GENERATED_BY"]):
            found |= self.located(run)
        return found

    def located(self, key: str) -> set[str]:
        down = Direction.ANCESTORS
        found = self.step(key, down, ["AT_LOCATION"])
        for machine in self.step(key, down, ["WAS_ASSOCIATED_WITH"]):
            if self.kinds[machine] == "hardware":
                found |= self.step(machine, down, ["AT_LOCATION"])
        return found

    def edges_among(self, keys: Collection[str], types: Collection[str]) -> list[EdgeRef]:
        return [
            self.edge(link)
            for link in self.support
            if link[0] in keys and link[2] in keys and link[1] in types
        ]

    def neighbours(self, key: str, types: Collection[str], *, causes: bool) -> list[EdgeRef]:
        touching = (self._out if causes else self._in).get(key, ())
        return [self.edge(link) for link in touching if link[1] in types]

    def onward(self, key: str, cause: str) -> set[str]:
        """The next nodes of a path to `cause`."""
        found = self.step(key, Direction.ANCESTORS, LINEAGE)
        if self.kinds[cause] in OPENING_KINDS:
            others = self.step(key, Direction.ANCESTORS, OPENING)
            machines = self._machines(cause) if self.kinds[cause] == "place" else set()
            found |= others & {cause}
            found |= self.step(key, Direction.ANCESTORS, ["WAS_ASSOCIATED_WITH"]) & machines
        return found

    def paths(self, effect: str, cause: str) -> Iterator[tuple[str, ...]]:
        """Every simple path from effect to cause, shortest first."""
        queue: deque[tuple[str, ...]] = deque([(effect,)])
        while queue:
            path = queue.popleft()
            if path[-1] == cause:
                if len(path) > 1:
                    yield path
                continue
            queue.extend((*path, far) for far in self.onward(path[-1], cause) if far not in path)

    def is_path(self, path: Sequence[str], effect: str, cause: str) -> bool:
        return (
            (path[0], path[-1]) == (effect, cause)
            and len(set(path)) == len(path) > 1
            and all(far in self.onward(near, cause) for near, far in pairwise(path))
        )

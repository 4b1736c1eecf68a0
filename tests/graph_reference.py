"""What the graph's reads must answer, in plain Python over plain lists: slow, short, and obviously right."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tests.graph_rows import GraphRows

LINEAGE = ("USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS")
OPENING = ("WAS_ASSOCIATED_WITH", "WAS_ATTRIBUTED_TO", "AT_LOCATION")
OPENING_KINDS = ("signer", "supplier", "place", "hardware")


class Reference:
    """The graph of `rows` as of a tree size."""

    def __init__(self, rows: GraphRows, size: int) -> None:
        self.rows, self.size = rows, size
        self.edges = [
            (source, kind, target)
            for (source, kind, target), number in rows.edges.items()
            if rows.edge_first[number - 1] < size
        ]

    def step(self, node: int, up: bool, types: Collection[str]) -> set[int]:
        found = set()
        for source, kind, target in self.edges:
            if kind in types:
                near, far = (source, target) if up else (target, source)
                if near == node:
                    found.add(far)
                if kind == "SAME_AS" and far == node:
                    found.add(near)
        return found

    def opening(self, root: int, up: bool) -> list[tuple[int, int]]:
        """(node, edges away) that the wider first step reaches."""
        kind = self.rows.kinds[root]
        if kind not in OPENING_KINDS:
            return []
        first = self.step(root, up, OPENING)
        found = [(node, 1) for node in first]
        if kind == "place" and not up:
            for node in self.machines(root):
                found += [(run, 2) for run in self.step(node, up, ["WAS_ASSOCIATED_WITH"])]
        return found

    def machines(self, place: int) -> set[int]:
        here = self.step(place, False, ["AT_LOCATION"])
        return {node for node in here if self.rows.kinds[node] == "hardware"}

    def distances(self, root: int, up: bool, types: Collection[str] = ()) -> dict[int, int]:
        """Edges from the root to everything that its closure reaches, the root at 0."""
        best = {root: 0}
        pending = [(root, 0), *([] if types else self.opening(root, up))]
        while pending:
            pending.sort(key=lambda item: -item[1])
            node, away = pending.pop()
            if away > best.get(node, away):
                continue
            best[node] = min(away, best.get(node, away))
            for far in self.step(node, up, types or LINEAGE):
                if away + 1 < best.get(far, 10**9):
                    best[far] = away + 1
                    pending.append((far, away + 1))
        return best

    def closure(self, root: int, up: bool, depth: int = 10**9, types: Collection[str] = ()) -> list[int]:
        return sorted(n for n, away in self.distances(root, up, types).items() if 0 < away <= depth)

    def paths(self, effect: int, cause: int) -> Iterator[tuple[int, ...]]:
        """Every simple path from the effect to the cause."""
        special = self.rows.kinds[cause] in OPENING_KINDS
        entering = {node for node, away in self.opening(cause, up=False) if away == 1} if special else set()
        machines = self.machines(cause) if self.rows.kinds[cause] == "place" else set()

        def onward(node: int) -> set[int]:
            far = self.step(node, True, LINEAGE)
            if node in entering:
                far = far | {cause}
            return far | (self.step(node, True, ["WAS_ASSOCIATED_WITH"]) & machines)

        stack: list[tuple[int, ...]] = [(effect,)]
        while stack:
            path = stack.pop()
            if path[-1] == cause:
                if len(path) > 1:
                    yield path
                continue
            stack += [(*path, far) for far in onward(path[-1]) if far not in path]

    def status(self, node: int, at_us: int) -> str:
        for number, from_index, to_index, since, until, status, _ in self.rows.statuses:
            if (
                number == node
                and from_index < self.size
                and (to_index is None or self.size <= to_index)
                and since <= at_us < until
            ):
                return status
        return "unverified"

    def known(self) -> list[int]:
        return sorted(node for node, first in self.rows.first.items() if first < self.size)

    def roles(self, node: int) -> set[str]:
        return {
            value
            for number, kind, value, index, _, _ in self.rows.claims
            if number == node and kind == "role" and index < self.size
        }

    def names(self, node: int) -> list[str]:
        """In log order."""
        found = [
            (index, value)
            for number, kind, value, index, _, _ in self.rows.claims
            if number == node and kind == "name" and index < self.size
        ]
        return [value for _, value in sorted(found, key=lambda item: item[0])]

"""Taint in plain Python, by the rules as they are written: what the tables and the index have to say too.

Times are µs. Entry number `index` was received at the time `index`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lineage.graph.model import LINEAGE_EDGES, ClaimKind, NodeKind
from tests.conformance.story import kind_of

ALL_BYTES = 2
"""How closely a check has to look to clear a mismatch, at least; the artifact's own digest is 3."""
SOURCES = {NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.DEPLOYMENT, NodeKind.HARDWARE}


@dataclass(frozen=True)
class Believed:
    """Of a moment: from which entry on a key's word is void, which of them are in other hands, and which
    entries were taken back."""

    size: int
    at_us: int
    cutoffs: Mapping[str, int] = field(default_factory=dict)
    compromised: frozenset[str] = frozenset()
    withdrawn: frozenset[int] = frozenset()

    def stolen(self, signer: str, index: int) -> bool:
        return signer in self.compromised and index >= self.cutoffs[signer]

    def holds(self, signer: str, index: int) -> bool:
        return index not in self.withdrawn and index < self.cutoffs.get(signer, self.size)


@dataclass(frozen=True)
class Used:
    """A statement that a run used an artifact; `where`: the locations that it states for it."""

    index: int
    signer: str
    run: str
    artifact: str
    where: frozenset[str]


@dataclass(frozen=True)
class Checked:
    index: int
    signer: str
    artifact: str
    location: str
    outcome: str
    strength: int
    at: int
    own: bool


@dataclass
class Plain:
    """What the entries say; each list has the index first, then who says it where that matters."""

    edges: list[tuple[int, str, str, str]] = field(default_factory=list)
    decisions: list[tuple[int, str, str, ClaimKind, int]] = field(default_factory=list)
    attested: list[tuple[int, str, str]] = field(default_factory=list)
    stated: list[tuple[int, str, str, str]] = field(default_factory=list)
    starts: list[tuple[int, str, str, int]] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    bound: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Two digests of the same bytes."""
    checks: list[Checked] = field(default_factory=list)
    copies: frozenset[str] = frozenset()
    """Locations under a storage."""

    def decided(self, then: Believed) -> tuple[set[str], set[str]]:
        """What is designated and what is waived: the newest decision of each counts, while it lasts."""
        designated: dict[str, bool] = {}
        waived: dict[str, bool] = {}
        for index, signer, node, kind, until in self.decisions:
            if index < then.size and then.holds(signer, index):
                lasts = until == 0 or then.at_us < until
                if kind is ClaimKind.UNTAINTED:
                    waived[node] = lasts
                else:
                    designated[node] = kind is ClaimKind.DESIGNATED and lasts
        return {n for n, on in designated.items() if on}, {n for n, on in waived.items() if on}

    def of_thieves(self, then: Believed) -> set[str]:
        """What compromised keys alone vouch for, after the compromise."""
        said = [row for row in self.attested if row[0] < then.size and kind_of(row[2]) in SOURCES]
        suspects = {node for index, signer, node in said if then.stolen(signer, index)}
        others = {
            node
            for index, signer, node in said
            if not then.stolen(signer, index) and index not in then.withdrawn
        }
        return suspects - others

    def misled(self, then: Believed) -> dict[str, set[str]]:
        """Runs that may have read bad bytes, and the artifacts whose bytes those were."""
        found: dict[str, set[str]] = {}
        for artifact, location in {(c.artifact, c.location) for c in self.checks if c.index < then.size}:
            if not self._is_copy(artifact, location, then):
                continue
            for first, last in self._windows(artifact, location, then):
                for run in self._readers(artifact, location, first, last, then):
                    found.setdefault(run, set()).add(artifact)
        return found

    def _is_copy(self, artifact: str, location: str, then: Believed) -> bool:
        return location in self.copies and any(
            index < then.size and (node, place) == (artifact, location) and then.holds(signer, index)
            for index, signer, node, place in self.stated
        )

    def _windows(self, artifact: str, location: str, then: Believed) -> Iterator[tuple[int, int]]:
        """From the last match that counts, or ever, to the first mismatch after it."""
        checks = [
            check
            for check in self.checks
            if (check.artifact, check.location) == (artifact, location)
            and check.index < then.size
            and then.holds(check.signer, check.index)
        ]
        own = any(check.own for check in checks)
        good, bad = 0, 0  # when it last matched; how closely the worst mismatch since then looked
        for check in sorted(checks, key=lambda check: (check.at, check.index)):
            if check.outcome == "mismatch":
                if not bad:
                    yield good, check.at
                bad = max(bad, check.strength)
            elif (
                check.outcome == "match" and check.strength >= max(bad, ALL_BYTES) and (check.own or not own)
            ):
                good, bad = check.at, 0

    def _readers(self, artifact: str, location: str, first: int, last: int, then: Believed) -> Iterator[str]:
        """A run spans from its earliest claimed start to when it was received, which no start is later than;
        without a start, from ever."""
        same = self._same(artifact, then)
        for used in self.used:
            if used.artifact not in same or used.index >= then.size:
                continue
            if not then.holds(used.signer, used.index):
                continue
            starts = [
                at
                for index, signer, run, at in self.starts
                if run == used.run and index < then.size and then.holds(signer, index)
            ]
            in_time = min([*starts, used.index] if starts else [0]) <= last and used.index >= first
            if in_time and (not used.where or location in used.where):
                yield used.run

    def _same(self, artifact: str, then: Believed) -> set[str]:
        """The artifact under all of its digests."""
        pairs = [
            {one, other}
            for index, signer, one, other in self.bound
            if index < then.size and then.holds(signer, index)
        ]
        found = {artifact}
        while more := set[str]().union(*(pair for pair in pairs if pair & found)) - found:
            found |= more
        return found

    def tainted(self, then: Believed) -> dict[str, int]:
        """Everything tainted, with how many edges the nearest source is away."""
        designated, waived = self.decided(then)
        level = (designated | self.of_thieves(then)) - waived
        waiting = {1: self.misled(then).keys() - waived}
        found: dict[str, int] = {}
        hops = 0
        while level or waiting:
            level |= {node for node in waiting.pop(hops, ()) if node not in found}
            found.update(dict.fromkeys(level, hops))
            further = set[str]()
            for node in level:
                # A machine is reached by being bad, or by lying at a bad place: either way its runs are. A
                # place by being bad, or by lying in one that is.
                opens = node in designated or node.startswith(("hw:", "place:"))
                further.update(self._touched_by(node, then.size, opens=opens))
            level = {node for node in further if node not in found and node not in waived}
            hops += 1
        return found

    def _touched_by(self, node: str, size: int, *, opens: bool) -> Iterator[str]:
        """What gets a node's taint from it: by lineage, and of what is bad itself by its other edges."""
        for index, source, kind, target in self.edges:
            if index >= size:
                continue
            if kind in LINEAGE_EDGES:
                if target == node:
                    yield source
                if kind == "SAME_AS" and source == node:
                    yield target
            elif target == node and opens:
                yield source

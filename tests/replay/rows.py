"""The graph tables as plain Python values, with node keys instead of ids, read once for all prefixes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

Fact = tuple[Any, ...]

_NODES = "SELECT key, kind, first_index FROM graph_node"
_EDGES = (
    "SELECT a.key, e.type, b.key, e.first_index FROM graph_edge e"
    " JOIN graph_node a ON a.id = e.source_id JOIN graph_node b ON b.id = e.target_id"
)
_SUPPORT = (
    'SELECT a.key, e.type, b.key, n.key, s.trust, s."index" FROM graph_support s'
    " JOIN graph_edge e ON e.id = s.edge_id JOIN graph_node n ON n.id = s.signer_id"
    " JOIN graph_node a ON a.id = e.source_id JOIN graph_node b ON b.id = e.target_id"
)
_CLAIMS = (
    'SELECT n.key, c.kind, c.value, s.key, c.trust, c."index" FROM graph_claim c'
    " JOIN graph_node n ON n.id = c.node_id JOIN graph_node s ON s.id = c.signer_id"
)
_CHECKS = (
    "SELECT n.key, c.location, c.method, c.expected, c.observed, c.outcome, c.reason, s.key, c.at_us,"
    ' c."index" FROM graph_check c'
    " JOIN graph_node n ON n.id = c.node_id JOIN graph_node s ON s.id = c.signer_id"
)
_STATUSES = (
    "SELECT n.key, s.from_index, s.to_index, s.from_us, s.until_us, s.status, s.reasons"
    " FROM graph_status s JOIN graph_node n ON n.id = s.node_id"
)


@dataclass(frozen=True, order=True)
class Piece:
    """A status that holds for tree sizes in `from_index < N <= to_index` and times from, until (µs)."""

    from_index: int
    to_index: int
    from_us: int
    until_us: int
    status: tuple[str, tuple[str, ...]]


class Rows:
    """`facts` are all rows by the log index that made them; `pieces` the statuses by node."""

    def __init__(self) -> None:
        self.facts: dict[int, list[Fact]] = defaultdict(list)
        self.pieces: dict[str, list[Piece]] = defaultdict(list)
        self.turned: dict[int, set[str]] = defaultdict(set)  # tree size -> nodes whose pieces change at it
        for name, query in (
            ("node", _NODES),
            ("edge", _EDGES),
            ("support", _SUPPORT),
            ("claim", _CLAIMS),
            ("check", _CHECKS),
            ("skipped", 'SELECT "index" FROM graph_skipped_entry'),
        ):
            for *row, index in _fetch(query):
                self.facts[index].append((name, *row))
        for node, first, last, since, until, status, reasons in _fetch(_STATUSES):
            stated = (status, tuple(sorted(filter(None, reasons.split(",")))))
            self.pieces[node].append(Piece(first, 2**62 if last is None else last, since, until, stated))
            self.turned[first + 1].add(node)
            if last is not None:
                self.turned[last + 1].add(node)
        for facts in self.facts.values():
            facts.sort()
        for pieces in self.pieces.values():
            pieces.sort()

    def unlike(self, other: Rows) -> Iterator[str]:
        """What is not the same in the tables of another time."""
        for index in sorted({*self.facts, *other.facts}):
            if self.facts[index] != other.facts[index]:
                yield f"entry {index}: first {self.facts[index]}, then {other.facts[index]}"
        for node in sorted({*self.pieces, *other.pieces}):
            ours, theirs = self.pieces[node], other.pieces[node]
            if ours != theirs:
                once = sorted({*ours} ^ {*theirs})
                yield f"{node}: {len(ours)} pieces first, then {len(theirs)}; in one alone {once}"

    def timeline(self, node: str, size: int, start: int) -> list[tuple[int, Any]]:
        """(from, status) from `start` (µs) on as of the tree size; a hole or an overlap shows as a piece."""
        held = [p for p in self.pieces.get(node, ()) if p.from_index < size <= p.to_index]
        timeline: list[tuple[int, Any]] = []
        reached = start
        for piece in sorted(held, key=lambda p: p.from_us):
            if piece.until_us <= start:
                continue
            if max(piece.from_us, start) != reached:
                timeline.append((reached, ("hole or overlap", ())))
            if not timeline or timeline[-1][1] != piece.status:
                timeline.append((max(piece.from_us, start), piece.status))
            reached = piece.until_us
        if reached < 2**62:
            timeline.append((reached, ("hole", ())))
        return timeline


def _fetch(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())

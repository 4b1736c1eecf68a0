"""Folding entries into rows for Neo4j: each node and edge of a batch once, with all that it says of them.

Owns: the rows' shape, the log order of nodes. Pure. Does not own: the texts that take the rows (`queries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lineage.errors import TooLargeError
from lineage.graph.backend import GraphEntry
from lineage.graph.model import ClaimKind, Edge, EdgeType, GraphDelta, NodeKind

RANK_BITS = 20
"""Nodes that one entry may name: an envelope of 8 MiB has no room for a fifth of them."""

Row = list[object]


@dataclass(slots=True)
class _Node:
    kind: NodeKind
    first: int
    seq: int
    name: str | None = None
    name_first: int | None = None
    roles: dict[str, int] = field(default_factory=dict)  # role → index of the first claim

    def row(self, key: str) -> Row:
        roles = self.roles
        return [
            key, self.first, self.seq, self.name, self.name_first, list(roles), list(roles.values()),
        ]  # fmt: skip


@dataclass(slots=True)
class _Support:
    indexes: list[int] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)
    trusts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of `queries.merge_nodes` and `merge_edges`, and the keys that claim a role, each sorted by key."""

    nodes: dict[NodeKind, list[Row]]
    edges: dict[EdgeType, list[Row]]
    roles: dict[str, list[str]]


def fold(entries: Iterable[GraphEntry]) -> Rows:
    """The rows of consecutive entries.

    Raises: TooLargeError for an entry that names more nodes than `RANK_BITS` can tell apart.
    """
    nodes: dict[str, _Node] = {}
    edges: dict[Edge, _Support] = {}
    for entry in entries:
        _take_nodes(entry, nodes)
        for signer, delta in entry.contributions:
            _take_claims(entry.index, delta, nodes)
            for edge in dict.fromkeys(delta.edges):
                support = edges.setdefault(edge, _Support())
                support.indexes.append(entry.index)
                support.signers.append(signer)
                support.trusts.append(entry.trust)
    return Rows(_node_rows(nodes), _edge_rows(edges), _role_keys(nodes))


def _take_nodes(entry: GraphEntry, nodes: dict[str, _Node]) -> None:
    """`seq` orders nodes by (first, key), so that sorting by one number is sorting by both."""
    kinds: dict[str, NodeKind] = {}
    for _, delta in entry.contributions:
        for key, kind in delta.nodes.items():
            kinds.setdefault(key, kind)
    if len(kinds) >> RANK_BITS:
        raise TooLargeError(f"entry {entry.index} names {len(kinds)} nodes", limit=1 << RANK_BITS)
    for rank, key in enumerate(sorted(kinds)):
        if key not in nodes:
            nodes[key] = _Node(kinds[key], entry.index, entry.index << RANK_BITS | rank)


def _take_claims(index: int, delta: GraphDelta, nodes: dict[str, _Node]) -> None:
    for claim in delta.claims:
        if claim.kind is ClaimKind.NAME:
            node = nodes[claim.node]
            if node.name is None:
                node.name, node.name_first = claim.value, index
        elif claim.kind is ClaimKind.ROLE:
            nodes[claim.node].roles.setdefault(claim.value, index)


def _node_rows(nodes: dict[str, _Node]) -> dict[NodeKind, list[Row]]:
    rows: dict[NodeKind, list[Row]] = {}
    for key in sorted(nodes):
        rows.setdefault(nodes[key].kind, []).append(nodes[key].row(key))
    return rows


def _edge_rows(edges: dict[Edge, _Support]) -> dict[EdgeType, list[Row]]:
    rows: dict[EdgeType, list[Row]] = {}
    for edge, said in edges.items():
        support: Sequence[object] = (said.indexes, said.signers, said.trusts)
        mine = rows.setdefault(edge.type, [])
        mine.append([edge.source, edge.target, *support, False])
        if edge.type is EdgeType.SAME_AS and edge.source != edge.target:
            mine.append([edge.target, edge.source, *support, True])
    for mine in rows.values():
        mine.sort(key=lambda row: (row[0], row[1], row[5]))
    return rows


def _role_keys(nodes: dict[str, _Node]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for key in sorted(nodes):
        for role in nodes[key].roles:
            keys.setdefault(role, []).append(key)
    return keys

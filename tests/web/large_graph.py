"""A graph of thousands of nodes under one model, written straight into the graph tables.

For tests of what shows a big closure; everything else goes through the real intake (`installation`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lineage.graph.lanes import LaneNode
from lineage.graph.model import LINEAGE_EDGES, NodeKind
from tests.graph_rows import GraphRows
from tests.unit.graph.closures import closure

_SCHEMES = {
    NodeKind.ARTIFACT: "sha256",
    NodeKind.RUN: "run",
    NodeKind.HARDWARE: "hw",
    NodeKind.DEPLOYMENT: "deploy",
    NodeKind.SUPPLIER: "supplier",
}
_REASONS = {"failed": "copy-mismatch", "expired": "check-overdue", "unverified": "no-attestation"}


@dataclass(frozen=True)
class LargeGraph:
    """`root` is a model, `nodes` and `links` are everything in the graph.

    `ancestors` are the keys of what the root was made from, `beside` of the machines and suppliers of that.
    """

    root: str
    nodes: dict[str, LaneNode]
    links: frozenset[tuple[str, str, str]]
    ancestors: frozenset[str]
    beside: frozenset[str]

    @property
    def shown(self) -> frozenset[str]:
        return self.ancestors | self.beside


def save(size: int, seed: int = 4) -> LargeGraph:
    """Write about `size` nodes; nearly all of them hang under the root."""
    nodes, links, root = closure(size, seed)
    keys = {node.key: _key(node) for node in nodes}
    # Whatever nothing was made from so far, the root was derived from: so that its closure is large.
    causes = {target for _, _, target in links}
    links += [(root, "WAS_DERIVED_FROM", n.key) for n in nodes if _is_loose(n, causes) and n.key != root]
    rows = GraphRows()
    for node in nodes:
        key = keys[node.key]
        rows.node(key, node.kind, 1)
        rows.claim(key, "name", node.name, 1)
        rows.claim(key, "attested", "test", 1)
        for role in node.roles:
            rows.claim(key, "activity" if node.kind == NodeKind.RUN else "role", role, 1)
        rows.status(key, node.status, _REASONS.get(node.status, ""))
    named = frozenset((keys[a], kind, keys[b]) for a, kind, b in links)
    for source, kind, target in sorted(named):
        rows.edge(source, kind, target, 1)
    rows.save()
    by_key = {keys[node.key]: node for node in nodes}
    ancestors = _ancestors(keys[root], named)
    inside = ancestors | {keys[root]}
    beside = {target for source, kind, target in named if source in inside and kind not in LINEAGE_EDGES}
    return LargeGraph(keys[root], by_key, named, ancestors, frozenset(beside))


def _key(node: LaneNode) -> str:
    return f"{_SCHEMES[NodeKind(node.kind)]}:{hashlib.sha256(node.key.encode()).hexdigest()}"


def _is_loose(node: LaneNode, causes: set[str]) -> bool:
    return node.kind == NodeKind.ARTIFACT and node.key not in causes


def _ancestors(root: str, links: frozenset[tuple[str, str, str]]) -> frozenset[str]:
    """Along lineage edges alone."""
    causes: dict[str, set[str]] = {}
    for source, kind, target in links:
        if kind in LINEAGE_EDGES:
            causes.setdefault(source, set()).add(target)
    found, rest = set[str](), [root]
    while rest:
        new = causes.get(rest.pop(), set()) - found
        found |= new
        rest += new
    return frozenset(found - {root})

"""What this process need not ask again after its last batch: the nodes that the last entries named, of which
most entries name some again, and what the log's decisions come to.

Owns: what is remembered, and that nobody gets it but while the tables are as this process left them. Does not
own: what a node is (`sql_facts`), how the log stands (`project_entries`), or writing.

Whoever writes the tables moves the watermark, or draws another generation, in the same transaction. So where
both are still as this process wrote them, nobody has written anything since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from threading import Lock

from lineage.graph import sql
from lineage.graph.sql_facts import Belief, NodeState
from lineage.services.project_entries import Standing

MOST = 2_000
"""Nodes, of some 1,200 bytes each."""
MOST_FACTS = 50
"""Of one node; one with more is read again."""


@dataclass(frozen=True, slots=True)
class Left:
    """What this process knows of tables whose state is `state`: nodes by key, as `belief` has them."""

    state: sql.State
    standing: Standing
    belief: Belief
    nodes: dict[str, NodeState]


_left: list[Left] = []
_lock = Lock()


def take(state: sql.State) -> Left | None:
    """What is remembered, for the caller alone, who may change it; None where the tables stand otherwise."""
    with _lock:
        left = _left.pop() if _left else None
    return left if left is not None and left.state == state else None


def leave(left: Left, named: Mapping[str, NodeState]) -> None:
    """That the tables stand so now. `left.nodes` is what was taken, `named` what a batch named since."""
    nodes = left.nodes
    for key, node in named.items():
        nodes.pop(key, None)  # what was named last is forgotten last
        if _few(node):
            nodes[key] = node
    while len(nodes) > MOST:
        del nodes[next(iter(nodes))]
    with _lock:
        _left[:] = [left]


def _few(node: NodeState) -> bool:
    facts = node.facts
    several: tuple[Sized, ...] = (
        node.edges, facts.about, facts.inputs, facts.outputs, facts.answered, facts.deployed, facts.locations,
        facts.roles, facts.unsafe, facts.decided, facts.checks,
    )  # fmt: skip
    return sum(map(len, several)) <= MOST_FACTS

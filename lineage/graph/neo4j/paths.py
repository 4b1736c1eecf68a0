"""Explaining paths in Neo4j: the edges above the effect are fetched level by level, then searched here.

Owns: collecting them, at most `MAX_NODES` nodes once the cause is found; the counterpart of `sql_paths`. Does
not own: the search (`path_search`).
"""

from __future__ import annotations

from collections.abc import Collection

from lineage.graph import path_search
from lineage.graph.backend import OPENING_KINDS
from lineage.graph.model import NodeKind
from lineage.graph.neo4j import queries
from lineage.graph.neo4j.driver import Transaction
from lineage.graph.neo4j.nodes import Begun
from lineage.graph.path_search import MAX_NODES

Steps = dict[str, set[str]]


def shortest(tx: Transaction, effect: str, begun: Begun, size: int, limit: int) -> list[tuple[str, ...]]:
    """At most `limit` simple paths of node keys from the effect to the cause, shortest first.

    `begun` is about the cause.
    """
    if begun.node is None:
        return []
    cause, kind = begun.node[:2]
    if effect == cause or tx.first(queries.NODE, key=effect, size=size) is None:
        return []
    steps = _Collector(tx, cause, NodeKind(kind), size).collect(effect)
    return [tuple(path) for path in path_search.shortest(effect, cause, steps, limit)]


class _Collector:
    """The edges above an effect, and those that enter the cause besides lineage edges."""

    def __init__(self, tx: Transaction, cause: str, kind: NodeKind, size: int) -> None:
        self._tx, self._cause, self._size = tx, cause, size
        self._entered = kind in OPENING_KINDS
        self._machines: list[str] = []
        if kind is NodeKind.PLACE:
            self._machines = [key for (key,) in tx.rows(queries.MACHINES, cause=cause, size=size)]
        self._steps: Steps = {}

    def collect(self, effect: str) -> Steps:
        """Once the cause is found, the walk stops at `MAX_NODES` nodes."""
        seen, level = {effect}, {effect}
        while level and not (self._cause in seen and len(seen) >= MAX_NODES):
            reached = self._enter(level) | self._follow(queries.STEPS, level - {self._cause})
            level = reached - seen
            seen |= level
        return self._steps

    def _enter(self, level: Collection[str]) -> set[str]:
        """What the other edges lead to from here: the cause, or machines that lie there."""
        if not self._entered:
            return set()
        reached = self._follow(queries.ENTERED, level, cause=self._cause)
        if self._machines:
            machines = self._follow(queries.ASSOCIATED, level, machines=self._machines)
            for machine in machines:
                self._steps.setdefault(machine, set()).add(self._cause)
            reached |= machines
        return reached

    def _follow(self, query: queries.Query, level: Collection[str], **more: object) -> set[str]:
        reached: set[str] = set()
        for near, fars in self._tx.rows(query, keys=sorted(level), size=self._size, **more):
            self._steps.setdefault(near, set()).update(fars)
            reached.update(fars)
        return reached

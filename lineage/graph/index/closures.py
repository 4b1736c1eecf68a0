"""Closures by the index, with what filters let through and how many of each kind and status.

Owns: applying a walk's filters to numbers. What a column is not sure of is asked of the tables: a status
that was opened at the moment or later, a role that has no bit. Does not own: the walk (`walks`), columns
(`columns`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineage.graph import sql_nodes
from lineage.graph.backend import Walk
from lineage.graph.index import walks
from lineage.graph.index.adjacency import Flags, Numbers
from lineage.graph.index.columns import ROLES, STATUSES, Codes
from lineage.graph.index.snapshot import KINDS, Snapshot, counted
from lineage.graph.model import NodeKind


@dataclass(frozen=True, slots=True)
class Found:
    """Nodes ascending by number, which is their row id. No counts by status where nobody asked for any."""

    nodes: Numbers
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int] | None

    @property
    def total(self) -> int:
        return len(self.nodes)

    def page(self, after: int | None, limit: int) -> list[int]:
        """At most `limit` row ids after that one."""
        start = 0 if after is None else int(np.searchsorted(self.nodes, after, side="right"))
        return list(self.nodes[start : start + limit].tolist())


def closure(graph: Snapshot, root: int, walk: Walk, size: int | None, place: int | None) -> Found:
    """What the walk finds and its filters keep, without the root.

    `size`: None where the graph holds nothing that is newer than the walk's moment. `place`: the row id of
    the walk's place.
    """
    nodes = walks.closure(graph, root, walk.way, walk.depth, size)
    if walk.kinds:
        kinds, roles = _split(walk.kinds)
        codes = [KINDS.index(kind) for kind in kinds]
        kept = np.isin(graph.kinds(nodes), codes)
        kept[~kept] = _having(graph, nodes[~kept], roles, walk.size, size)
        nodes = nodes[kept]
    if walk.roles:
        nodes = nodes[_having(graph, nodes, walk.roles, walk.size, size)]
    if place is not None:
        there = np.zeros(graph.room, np.bool_)
        there[walks.at_place(graph, place, size)] = True
        nodes = nodes[there[nodes]]
    if walk.at_us is None:
        return Found(nodes, graph.counts_by_kind(nodes), None)
    codes_of = statuses(graph, nodes, walk.size, size, walk.at_us)
    if walk.statuses:
        kept = np.isin(codes_of, [STATUSES.index(status) for status in walk.statuses])
        nodes, codes_of = nodes[kept], codes_of[kept]
    return Found(nodes, graph.counts_by_kind(nodes), counted(codes_of, STATUSES))


def statuses(graph: Snapshot, nodes: Numbers, size: int, filtered: int | None, at_us: int) -> Codes:
    """The status of each node as of that tree size and time, as numbers of `STATUSES`."""
    codes = graph.statuses.at(nodes, at_us)
    if filtered is not None:
        unsure = np.flatnonzero(graph.statuses.unsure(nodes, size))
        ids = nodes[unsure].tolist()
        known = sql_nodes.statuses(ids, size, at_us) if ids else {}
        codes[unsure] = [STATUSES.index(known[node]) for node in ids]
    return codes


def _split(names: tuple[str, ...]) -> tuple[tuple[NodeKind, ...], tuple[str, ...]]:
    """Node kinds, and roles: something may be called like both."""
    return tuple(kind for kind in KINDS if kind in names), names


def _having(
    graph: Snapshot, nodes: Numbers, roles: tuple[str, ...], size: int, filtered: int | None
) -> Flags:
    known = tuple(role for role in roles if role in ROLES)
    flags = graph.roles.having(nodes, known, filtered)
    others = [role for role in roles if role not in ROLES]
    if others:
        flags |= np.isin(nodes, sql_nodes.of_roles(nodes.tolist(), others, size))
    return flags

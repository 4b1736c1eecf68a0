"""Taint, computed at reading: what descends from nodes that compromised keys alone vouch for, or bad copies.

Owns: which nodes are sources, what they taint, and how far away they are. Free while no key is compromised
and no check found a difference. Does not own: which runs read bad bytes (`sql_bad_copies`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineage.graph.backend import Direction, Way
from lineage.graph.model import ClaimKind, EdgeType, NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table, one_of
from lineage.graph.sql_walk import levels, reach, step

SOURCE_KINDS = (NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.DEPLOYMENT, NodeKind.HARDWARE)


def sources(moment: Moment) -> set[int]:
    """Ids of the nodes that statements are about, all of them by compromised keys after the compromise."""
    suspects: set[int] = set()
    for signer, cutoff in moment.compromised.items():
        sql = (
            "SELECT DISTINCT c.node_id FROM graph_claim c CROSS JOIN graph_node n "
            'WHERE c.signer_id = %s AND c."index" >= %s AND c."index" < %s AND c.kind = %s '
            f"AND n.id = c.node_id AND n.kind IN {one_of(SOURCE_KINDS)}"
        )
        rows = fetch(sql, [signer, cutoff, moment.size, ClaimKind.ATTESTED, *SOURCE_KINDS])
        suspects |= {row[0] for row in rows}
    return suspects - _cleared(suspects, moment) if suspects else suspects


def _cleared(suspects: set[int], moment: Moment) -> set[int]:
    """Those that a statement by another key, or from before the compromise, is about as well.

    One that was withdrawn clears nothing; nor does withdrawing what a thief signed.
    """
    table, listed = id_table(suspects)
    innocent, params = Moment(moment.size, 0, moment.compromised, withdrawn=moment.withdrawn).unrevoked("c")
    sql = (
        f"SELECT DISTINCT c.node_id FROM graph_claim c WHERE c.node_id IN {table} "
        f'AND c.kind = %s AND c."index" < %s{innocent}'
    )
    return {row[0] for row in fetch(sql, [*listed, ClaimKind.ATTESTED, moment.size, *params])}


def tainted(moment: Moment, misled: Iterable[int] = ()) -> set[int]:
    """Ids of every tainted node: the sources, runs `misled` by bad copies, all that descends from them."""
    found = sources(moment)
    first = found | set(misled)
    if not first:
        return first
    if found:
        first |= _runs_on(found, moment.size)
    return reach(first, Way(Direction.DESCENDANTS, moment.size))


def _runs_on(nodes: set[int], size: int) -> set[int]:
    """What ran on the machines among `nodes`."""
    return step(nodes, Way(Direction.DESCENDANTS, size, (EdgeType.WAS_ASSOCIATED_WITH,)))


def tainted_by(node: int, kind: NodeKind, moment: Moment) -> list[tuple[int, int]]:
    """The sources that taint a node, as (id, edges away), nearest first; itself at 0 where it is one."""
    found = sources(moment)
    if not found:
        return []
    hops: dict[int, int] = {}
    walk = Way(Direction.ANCESTORS, moment.size, ())
    machines = Way(Direction.ANCESTORS, moment.size, (EdgeType.WAS_ASSOCIATED_WITH,))
    for distance, level in enumerate(levels(node, NodeKind.ARTIFACT, walk)):
        for source in level & found:
            hops.setdefault(source, distance)
        for source in step(level, machines) & found:
            hops.setdefault(source, distance + 1)
    return sorted(hops.items(), key=lambda item: (item[1], item[0]))


def bad_copies_of(node: int, moment: Moment, misled: Mapping[int, frozenset[int]]) -> list[tuple[int, int]]:
    """The artifacts whose bad copies taint a node, as (id, edges away), nearest first.

    `misled`: runs and the artifacts whose bad copies they may have read (`sql_bad_copies.runs`).
    """
    hops: dict[int, int] = {}
    if misled:
        walk = Way(Direction.ANCESTORS, moment.size, ())
        for distance, level in enumerate(levels(node, NodeKind.ARTIFACT, walk)):
            for run in level & misled.keys():
                for artifact in misled[run]:
                    hops.setdefault(artifact, distance + 1)
    return sorted(hops.items(), key=lambda item: (item[1], item[0]))

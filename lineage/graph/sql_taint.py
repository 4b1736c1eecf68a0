"""Taint, computed at reading: what descends from what compromised keys alone vouch for, from bad copies, and
from what somebody designated as bad.

Owns: which nodes are sources, what they taint, and how far away they are. Free while no key is compromised,
no check found a difference and nothing is designated. Does not own: which runs read bad bytes
(`sql_bad_copies`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lineage.graph.backend import OPENING_EDGES, OPENING_KINDS, Direction, Way
from lineage.graph.model import ClaimKind, EdgeType, NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table, one_of
from lineage.graph.sql_walk import levels, reach, step

SOURCE_KINDS = (NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.DEPLOYMENT, NodeKind.HARDWARE)
RAN_ON = (EdgeType.WAS_ASSOCIATED_WITH,)
PASSED_ON = (EdgeType.AT_LOCATION, EdgeType.WAS_ASSOCIATED_WITH)
"""A place that a taint gets to passes it on to what lies there, also to places; a machine to its runs."""


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


@dataclass(frozen=True, slots=True)
class Decided:
    """What persons decided of taint, as it holds at a moment.

    Node ids. `designated`: sources; of them `openers` taint by their other edges too: suppliers, places,
    machines. `waived`: no taint gets to these or through them.
    """

    designated: frozenset[int]
    openers: frozenset[int]
    waived: frozenset[int]


def decided(moment: Moment) -> Decided:
    """The newest decision of each node counts, until its time is over."""
    sql = (
        'SELECT c.node_id, n.kind, c.kind, c.value, c."index", c.signer_id FROM graph_claim c '
        "CROSS JOIN graph_node n WHERE c.kind IN (%s, %s, %s) AND c.trust = 'asserted' "
        'AND c."index" < %s AND n.id = c.node_id ORDER BY c."index"'
    )
    kinds = (ClaimKind.DESIGNATED, ClaimKind.CLEARED, ClaimKind.UNTAINTED)
    designated, waived = dict[int, str](), set[int]()
    for node, kind, what, value, index, signer in fetch(sql, [*kinds, moment.size]):
        if moment.revoked(signer, index):
            continue
        holds = value == "0" or moment.at_us < int(value)
        if what == ClaimKind.UNTAINTED:
            (waived.add if holds else waived.discard)(node)
        elif what == ClaimKind.DESIGNATED and holds:
            designated[node] = kind
        else:
            designated.pop(node, None)
    openers = frozenset(node for node, kind in designated.items() if kind in OPENING_KINDS)
    return Decided(frozenset(designated), openers, frozenset(waived))


def tainted(moment: Moment, said: Decided, misled: Iterable[int] = ()) -> set[int]:
    """Ids of every tainted node: the sources, runs `misled` by bad copies, all that descends from them."""
    found = (sources(moment) | said.designated) - said.waived
    first = found | set(misled)
    if not first:
        return first
    if found:
        first |= _opened(found, said, moment.size)
    return reach(first, Way(Direction.DESCENDANTS, moment.size), said.waived)


def _opened(found: set[int], said: Decided, size: int) -> set[int]:
    """What sources taint by other edges than lineage's: what a bad supplier supplied, what ran on a bad
    machine, what lies at a bad place or in one within it, and what ran on the machines there."""
    way = Way(Direction.DESCENDANTS, size, PASSED_ON)
    bad = said.openers - said.waived
    level = step(found, Way(Direction.DESCENDANTS, size, RAN_ON))
    level |= step(bad, Way(Direction.DESCENDANTS, size, OPENING_EDGES)) if bad else set()
    opened = level = level - said.waived
    while level:
        level = step(level, way) - said.waived - opened
        opened = opened | level
    return opened


def tainted_by(node: int, moment: Moment, said: Decided) -> list[tuple[int, int]]:
    """The sources that taint a node, as (id, edges away), nearest first; itself at 0 where it is one."""
    found = (sources(moment) | said.designated) - said.waived
    if not found or node in said.waived:
        return []
    bad = said.openers - said.waived
    hops: dict[int, int] = {}

    def at(distance: int, here: set[int]) -> None:
        for source in here:
            hops[source] = min(distance, hops.get(source, distance))

    lineage = levels(node, NodeKind.ARTIFACT, Way(Direction.ANCESTORS, moment.size), but=said.waived)
    distance, beside, seen = 0, set[int](), set[int]()
    while distance < len(lineage) or beside:
        here = lineage[distance] if distance < len(lineage) else set[int]()
        at(distance, here & found)
        here = (here | beside) - seen
        seen |= here
        # Machines, suppliers and places are behind other edges, a machine's places behind further ones.
        beside = _above(here, RAN_ON, moment.size) - said.waived
        at(distance + 1, beside & found)
        if bad:
            at(distance + 1, _above(here, OPENING_EDGES, moment.size) & bad)
            beside = _above(here, PASSED_ON, moment.size) - said.waived
        distance += 1
    return sorted(hops.items(), key=lambda item: (item[1], item[0]))


def _above(nodes: set[int], types: tuple[EdgeType, ...], size: int) -> set[int]:
    return step(nodes, Way(Direction.ANCESTORS, size, types)) if nodes else nodes


def bad_copies_of(
    node: int, moment: Moment, misled: Mapping[int, frozenset[int]], said: Decided
) -> list[tuple[int, int]]:
    """The artifacts whose bad copies taint a node, as (id, edges away), nearest first.

    `misled`: runs and the artifacts whose bad copies they may have read (`sql_bad_copies.runs`).
    """
    hops: dict[int, int] = {}
    if misled and node not in said.waived:
        way = Way(Direction.ANCESTORS, moment.size)
        for distance, level in enumerate(levels(node, NodeKind.ARTIFACT, way, but=said.waived)):
            for run in level & misled.keys():
                for artifact in misled[run]:
                    hops.setdefault(artifact, distance + 1)
    return sorted(hops.items(), key=lambda item: (item[1], item[0]))

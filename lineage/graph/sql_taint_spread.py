"""Of everything that is tainted the nearest source and how far away it is: one walk from all of them at once.

Owns: where the walk begins, and walking, by the closure index where there is one, else in the tables. Does
not own: what is a source (`sql_taint`), or where the answer is kept (`sql_taint_rows`).

Of two sources that are equally near the one counts that the graph knew first, so that every walk gives the
same answer.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db import connection

from lineage.graph import sql_taint
from lineage.graph.backend import OPENING_EDGES
from lineage.graph.index import door as closure_index
from lineage.graph.model import LINEAGE_EDGES, EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table, one_of
from lineage.graph.sql_taint import Decided

WHYS = ("bad-copy", "designated", "key-compromised")
"""Why a source taints. The place of each is its number in a label."""
BAD_COPY, DESIGNATED, COMPROMISED = WHYS
_SHIFT = 2  # a label: the source's row id, then two bits of the reason


@dataclass(frozen=True, slots=True, order=True)
class Seed:
    """A node from which taint spreads, `hops` edges away from the source that `label` names."""

    hops: int
    label: int
    node: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """A place for each tainted node, ascending: its row id, its nearest source's label, the edges between."""

    nodes: array[int]
    labels: array[int]
    hops: array[int]


def label(source: int, why: str) -> int:
    """Names a source and why it taints; labels are in the order of the sources' row ids."""
    return source << _SHIFT | WHYS.index(why)


def unlabelled(value: int) -> tuple[int, str]:
    """The source's row id, and why it taints."""
    return value >> _SHIFT, WHYS[value & ((1 << _SHIFT) - 1)]


def seeds(moment: Moment, said: Decided, misled: Mapping[int, Collection[int]]) -> list[Seed]:
    """Where taint begins, nearest first: the same nodes as for `sql_taint.tainted`, with their sources.

    `misled`: runs and the artifacts whose bad copies they may have read.
    """
    bad = (sql_taint.sources(moment) | said.designated) - said.waived
    why = {node: label(node, DESIGNATED if node in said.designated else COMPROMISED) for node in bad}
    found = {Seed(0, mark, node) for node, mark in why.items()}
    found |= {Seed(1, label(each, BAD_COPY), run) for run, artifacts in misled.items() for each in artifacts}
    found |= {Seed(*each) for each in _opened(bad, why, said, moment.size)}
    return sorted(seed for seed in found if seed.node not in said.waived)


def _opened(
    bad: Collection[int], why: Mapping[int, int], said: Decided, size: int
) -> Iterator[tuple[int, int, int]]:
    """(edges away, label, node) of what sources taint by other edges than lineage's, as in `sql_taint`."""
    pairs = _pairs(bad, size, sql_taint.RAN_ON) + _pairs(said.openers - said.waived, size, OPENING_EDGES)
    level = {(why[source], node) for source, node in pairs if node not in said.waived}
    hops, seen = 1, set(level)
    while level:
        yield from ((hops, mark, node) for mark, node in level)
        marks: dict[int, set[int]] = {}
        for mark, node in level:
            marks.setdefault(node, set()).add(mark)
        further = _pairs(marks, size, sql_taint.PASSED_ON)
        level = {
            (mark, far) for near, far in further if far not in said.waived for mark in marks[near]
        } - seen
        seen |= level
        hops += 1


def nearest(begin: Sequence[Seed], size: int, waived: Collection[int]) -> Nearest:
    """Everything that the seeds taint as of a tree size; `waived` nodes are neither reached nor passed."""
    if not begin:
        return Nearest(array("q"), array("q"), array("q"))
    index = closure_index.ready(size)
    if index is None:
        return _in_tables(begin, size, frozenset(waived))
    from lineage.graph.index import nearest as by_index  # which loads NumPy

    before = size if size < index.mark.projected else None
    nodes, labels = array("q", (each.node for each in begin)), array("q", (each.label for each in begin))
    hops = array("q", (each.hops for each in begin))
    return Nearest(*by_index.nearest(index.graph, nodes, labels, hops, before, array("q", waived)))


def _in_tables(begin: Sequence[Seed], size: int, waived: frozenset[int]) -> Nearest:
    waiting = {hops: list(group) for hops, group in groupby(begin, key=lambda seed: seed.hops)}
    found: dict[int, tuple[int, int]] = {}
    level: dict[int, int] = {}
    hops = 0
    while level or waiting:
        for seed in waiting.pop(hops, ()):
            if seed.node not in found:
                level[seed.node] = min(seed.label, level.get(seed.node, seed.label))
        found.update((node, (mark, hops)) for node, mark in level.items())
        further: dict[int, int] = {}
        for near, far in _pairs(level, size, LINEAGE_EDGES):
            if far not in found and far not in waived:
                further[far] = min(level[near], further.get(far, level[near]))
        level, hops = further, hops + 1
    nodes = sorted(found)
    return Nearest(
        array("q", nodes),
        array("q", (found[node][0] for node in nodes)),
        array("q", (found[node][1] for node in nodes)),
    )


def _pairs(causes: Iterable[int], size: int, types: Sequence[EdgeType]) -> list[tuple[int, int]]:
    """(cause, effect) of each edge of these types to one of the nodes; `SAME_AS` is followed both ways."""
    table, listed = id_table(causes)
    probe = "SELECT e.{} AS far FROM graph_edge e WHERE e.{} = r.id AND e.type IN {} AND e.first_index < %s"
    probes, params = [probe.format("source_id", "target_id", one_of(types))], [*types, size]
    if EdgeType.SAME_AS in types:
        probes.append(probe.format("target_id", "source_id", "(%s)"))
        params += [EdgeType.SAME_AS, size]
    if connection.vendor == "postgresql":  # as in `sql_walk`: it would make a join of the lookups
        lookups = f"({' UNION ALL '.join(probes)} OFFSET 0)"
        return fetch(f"SELECT r.id, e.far FROM {table} r CROSS JOIN LATERAL {lookups} e", [*listed, *params])
    return _joined(table, listed, types, size)


def _joined(table: str, listed: list[object], types: Sequence[EdgeType], size: int) -> list[tuple[int, int]]:
    select = (
        "SELECT r.id, e.{far} FROM {table} r CROSS JOIN graph_edge e "
        "WHERE e.{near} = r.id AND e.type IN {types} AND e.first_index < %s"
    )
    sql = select.format(near="target_id", far="source_id", table=table, types=one_of(types))
    found = fetch(sql, [*listed, *types, size])
    if EdgeType.SAME_AS in types:
        sql = select.format(near="source_id", far="target_id", table=table, types="(%s)")
        found += fetch(sql, [*listed, EdgeType.SAME_AS, size])
    return found

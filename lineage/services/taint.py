"""What is tainted at a moment, and by what. Computed at reading; free while nothing taints.

Owns: remembering whole answers, which hold for ever for a tree size. Does not own: the walk
(`graph.sql_taint`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import TypeVar

from lineage.graph import sql_bad_copies, sql_nodes, sql_taint
from lineage.graph.locations import Root
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_taint import Decided
from lineage.services import storages
from lineage.services.belief import GraphVersion, graph_version
from lineage.services.lineage_records import TaintSource
from lineage.services.node_names import shown_name
from lineage.trust.policy import KeyRing

SOURCE = "key-compromised"
BAD_COPY = "bad-copy"
_KEPT = 4
DESIGNATED = "designated"
T = TypeVar("T")
_Key = tuple[GraphVersion, tuple[tuple[int, int], ...], Hashable]
_known: dict[_Key, frozenset[int]] = {}
_misled: dict[_Key, Mapping[int, frozenset[int]]] = {}
_lock = Lock()


def tainted_ids(moment: Moment, roots: tuple[Root, ...] | None = None) -> frozenset[int]:
    """Node ids of everything tainted. `roots`: the storages', where the caller has read them."""
    said = sql_taint.decided(moment)
    if not (moment.compromised or said.designated or sql_bad_copies.any_mismatch(moment.size)):
        return frozenset()
    roots = storages.roots() if roots is None else roots
    return _remembered(_known, moment, (roots, said), lambda: _computed(moment, said, roots))


def _computed(moment: Moment, said: Decided, roots: tuple[Root, ...]) -> frozenset[int]:
    return frozenset(sql_taint.tainted(moment, said, misled(moment, roots)))


def misled(moment: Moment, roots: tuple[Root, ...]) -> Mapping[int, frozenset[int]]:
    """`sql_bad_copies.runs`, which asks five questions for each copy that ever differed."""
    return _remembered(_misled, moment, (moment.withdrawn, roots), lambda: sql_bad_copies.runs(moment, roots))


def _remembered(known: dict[_Key, T], moment: Moment, asked: Hashable, compute: Callable[[], T]) -> T:
    """What was computed for this moment and what else was `asked`; the last `_KEPT` answers are kept."""
    version = graph_version(moment.size)
    if version is None:
        return compute()
    key = (version, tuple(sorted(moment.cutoffs.items())), asked)
    found = known.get(key)
    if found is None:
        found = compute()
        if graph_version(moment.size) == version:  # not rebuilt meanwhile
            with _lock:
                known[key] = found
                while len(known) > _KEPT:
                    del known[next(iter(known))]
    return found


def forget() -> None:
    """Drop what this process remembers. For tests, whose logs share an origin."""
    with _lock:
        _known.clear()
        _misled.clear()


def tainted_by(node: int, moment: Moment, known: KeyRing, roots: tuple[Root, ...]) -> tuple[TaintSource, ...]:
    """The sources that taint a node, nearest first; the node itself at 0 hops where it is one."""
    said, hops = sql_taint.decided(moment), list[tuple[int, int, str]]()
    if moment.compromised or said.designated:
        for source, distance in sql_taint.tainted_by(node, moment, said):
            hops.append((distance, source, DESIGNATED if source in said.designated else SOURCE))
    if sql_bad_copies.any_mismatch(moment.size):
        found = sql_taint.bad_copies_of(node, moment, misled(moment, roots), said)
        hops += [(distance, source, BAD_COPY) for source, distance in found]
    rows = {row.id: row for row in sql_nodes.load([source for _, source, _ in hops], moment)}
    return tuple(
        TaintSource(rows[source].key, shown_name(rows[source], known), why, distance)
        for distance, source, why in sorted(hops)
        if source in rows
    )

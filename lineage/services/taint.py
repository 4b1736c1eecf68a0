"""What is tainted at a moment, and by what. Computed at reading; free while no key is compromised.

Owns: remembering whole answers, which hold for ever for a tree size. Does not own: the walk
(`graph.sql_taint`).
"""

from __future__ import annotations

from threading import Lock

from lineage.graph import sql_nodes, sql_taint
from lineage.graph.model import NodeKind
from lineage.graph.sql_moment import Moment
from lineage.services.belief import GraphVersion, graph_version
from lineage.services.lineage_records import TaintSource
from lineage.services.node_names import shown_name
from lineage.trust.policy import KeyRing

SOURCE = "key-compromised"
_KEPT = 4
_known: dict[tuple[GraphVersion, tuple[tuple[int, int], ...]], frozenset[int]] = {}
_lock = Lock()


def tainted_ids(moment: Moment) -> frozenset[int]:
    """Node ids of everything tainted."""
    if not moment.compromised:
        return frozenset()
    version = graph_version(moment.size)
    if version is None:
        return frozenset(sql_taint.tainted(moment))
    key = (version, tuple(sorted(moment.compromised.items())))
    found = _known.get(key)
    if found is None:
        found = frozenset(sql_taint.tainted(moment))
        if graph_version(moment.size) == version:  # not rebuilt meanwhile
            with _lock:
                _known[key] = found
                while len(_known) > _KEPT:
                    del _known[next(iter(_known))]
    return found


def forget() -> None:
    """Drop what this process remembers. For tests, whose logs share an origin."""
    with _lock:
        _known.clear()


def tainted_by(node: int, kind: NodeKind, moment: Moment, known: KeyRing) -> tuple[TaintSource, ...]:
    """The sources that taint a node, nearest first; the node itself at 0 hops where it is one."""
    if not moment.compromised:
        return ()
    hops = sql_taint.tainted_by(node, kind, moment)
    rows = {row.id: row for row in sql_nodes.load([source for source, _ in hops], moment)}
    return tuple(
        TaintSource(rows[source].key, shown_name(rows[source], known), SOURCE, distance)
        for source, distance in hops
        if source in rows
    )

"""The same bytes under their several digests.

Nodes are never re-keyed: what is bound by one signed digest set stays a node for each digest, each with its
own checks. Whoever asks whether bytes are good asks of all of them.
"""

from __future__ import annotations

from lineage.graph import sql_edges
from lineage.graph.model import EdgeType
from lineage.graph.sql_moment import REVOKED, Moment

MOST = 100
"""Nodes of one group; there are fewer algorithms, and more only where somebody lies."""
_EDGES = 200


def group(node: int, moment: Moment) -> set[int]:
    """Ids of the nodes that are the same as this one, itself among them, by what is believed then."""
    found, news = {node}, {node}
    while news and len(found) < MOST:
        ends = {end for each in news for end in _beside(each, moment)}
        news = ends - found
        found |= news
    return found


def _beside(node: int, moment: Moment) -> set[int]:
    edges = [
        edge
        for causes in (True, False)
        for edge in sql_edges.touching(node, (EdgeType.SAME_AS,), moment, causes=causes, limit=_EDGES)
    ]
    return {end for edge in edges if edge.trust != REVOKED for end in (edge.source, edge.target)}

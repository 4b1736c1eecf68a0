"""The detail column of a lineage page: one node, why it has its status, and how the root gets to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.model import EdgeType
from lineage.services import lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import CopyRecord, NodeRecord, NodeSummary, PathRecord
from lineage.web.lineage_query import Asked, Direction
from lineage.web.reasons import Explanation, explain_all

MAX_PATHS = 10

EDGE_WORDS: Mapping[str, tuple[str, str]] = {
    EdgeType.USED: ("used", "was used by"),
    EdgeType.WAS_GENERATED_BY: ("was made by", "made"),
    EdgeType.WAS_DERIVED_FROM: ("was derived from", "became"),
    EdgeType.SAME_AS: ("is the same as", "is the same as"),
    EdgeType.PART_OF: ("is part of", "contains"),
    EdgeType.WAS_ASSOCIATED_WITH: ("ran on", "ran"),
    EdgeType.WAS_ATTRIBUTED_TO: ("comes from", "gave"),
    EdgeType.AT_LOCATION: ("stands in", "holds"),
}
"""What an edge says, read from effect to cause, and from cause to effect."""


@dataclass(frozen=True, slots=True)
class Step:
    """A node of a path. `words` say how the node before leads to it, empty at the start."""

    node: NodeSummary
    words: str
    trust: str


@dataclass(frozen=True, slots=True)
class Detail:
    """What the column shows. `path_keys` are the nodes of the path that the picture highlights, in order."""

    node: NodeRecord
    reasons: Sequence[Explanation]
    last_check: CopyRecord | None
    made_from: int
    made_from_url: str
    made_into: int
    made_into_url: str
    steps: Sequence[Step]
    path_keys: Sequence[str]
    more_paths: int


def read(asked: Asked, root: NodeRecord, as_of: AsOf) -> Detail:
    """The node in focus.

    Raises: NotFoundError where it was not known at that moment.
    """
    node = root if asked.focused == root.key else lineage.node(asked.focused, as_of)
    paths = _paths(asked, as_of)
    way = steps(paths[0], asked.direction) if paths else []
    own = Asked(node.key, as_of=asked.as_of)
    return Detail(
        node=node,
        reasons=explain_all((*node.reasons, *node.notes)),
        last_check=max((copy for copy in node.copies if copy.at), key=lambda copy: copy.at, default=None),
        made_from=lineage.closure(node.key, "ancestors", as_of, depth=1, limit=1).total,
        made_from_url=own.url(),
        made_into=lineage.closure(node.key, "descendants", as_of, depth=1, limit=1).total,
        made_into_url=own.but(direction="descendants").url(),
        steps=way,
        path_keys=[step.node.key for step in way],
        more_paths=len(paths) if len(paths) > 1 else 0,
    )


def _paths(asked: Asked, as_of: AsOf) -> Sequence[PathRecord]:
    """Shortest ways between root and focus on the node graph, from effect to cause."""
    if asked.focused == asked.key:
        return []
    ends = (asked.key, asked.focused) if asked.direction == "ancestors" else (asked.focused, asked.key)
    return lineage.paths(*ends, as_of, limit=MAX_PATHS)


def steps(path: PathRecord, direction: Direction) -> list[Step]:
    """A path, which runs from effect to cause, in words from the root on."""
    nodes, edges = list(path.nodes), list(path.edges)
    if direction == "descendants":
        nodes.reverse()
        edges.reverse()
    found = [Step(nodes[0], "", "")]
    for node, edge in zip(nodes[1:], edges, strict=True):
        forward, backward = EDGE_WORDS[edge.type]
        found.append(Step(node, forward if edge.target == node.key else backward, edge.trust))
    return found

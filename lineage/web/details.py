"""The detail column of a lineage page: one node, why it has its status, and how the root gets to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.services import lineage, node_record, signed_by
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import CopyRecord, Neighbour, NodeRecord, NodeSummary, PathRecord
from lineage.services.signed_by import Signed
from lineage.web.lineage_query import MAX_WAYS, Asked
from lineage.web.reasons import Explanation, explain_all

SHOWN = 3
"""Statements and copies in the column."""

IN_LINEAGE = frozenset({NodeKind.ARTIFACT, NodeKind.RUN, NodeKind.DEPLOYMENT})
"""Kinds that are made from something or into something; the others stand beside that."""

EDGE_WORDS: Mapping[str, tuple[str, str]] = {
    EdgeType.USED: ("used", "was used by"),
    EdgeType.WAS_GENERATED_BY: ("was made by", "made"),
    EdgeType.WAS_DERIVED_FROM: ("was derived from", "became"),
    EdgeType.SAME_AS: ("is the same as", "is the same as"),
    EdgeType.PART_OF: ("is part of", "contains"),
    EdgeType.WAS_ASSOCIATED_WITH: ("ran on", "ran"),
    EdgeType.WAS_ATTRIBUTED_TO: ("comes from", "gave"),
    EdgeType.AT_LOCATION: ("is located in", "holds"),
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
    """What the column shows.

    Attributes:
        signed: the newest statements about the node, newest first; `more_signed` how many others there are.
        copies: its copies that stand worst first, of `copy_count`.
        steps, path_keys: the way that the picture highlights, in order from the root.
        ways: how many ways were found, at most MAX_WAYS; `way` of them is shown.
        on_ways: keys of all nodes on any of them.
    """

    node: NodeRecord
    reasons: Sequence[Explanation]
    last_check: CopyRecord | None
    signed: Sequence[Signed]
    more_signed: int
    copies: Sequence[CopyRecord]
    copy_count: int
    made_from: int
    made_from_url: str
    made_into: int
    made_into_url: str
    steps: Sequence[Step]
    path_keys: Sequence[str]
    way: int
    ways: int
    on_ways: frozenset[str]
    in_lineage: bool


def read(asked: Asked, reader: Reader) -> Detail:
    """The node in focus, without anything else of the closure.

    Raises: NotFoundError where it was not known at that moment.
    """
    node = node_record.read(asked.focused, reader)
    paths = _paths(asked, reader.as_of)
    number = min(asked.way, len(paths))
    way = steps(paths[number - 1]) if paths else []
    own = Asked(node.key, as_of=asked.as_of)
    signed, statements = signed_by.newest(node.key, reader, SHOWN)
    return Detail(
        node=node,
        reasons=explain_all((*node.reasons, *node.notes), node.kind),
        last_check=max((copy for copy in node.copies if copy.at), key=lambda copy: copy.at, default=None),
        signed=signed,
        more_signed=statements - len(signed),
        copies=sorted(node.copies, key=_worst_first)[:SHOWN],
        copy_count=len(node.copies),
        made_from=_lineage(node.causes),
        made_from_url=own.url(),
        made_into=_lineage(node.effects),
        made_into_url=own.but(direction="descendants").url(),
        steps=way,
        path_keys=[step.node.key for step in way],
        way=number,
        ways=len(paths),
        on_ways=frozenset(node.key for path in paths for node in path.nodes),
        in_lineage=node.kind in IN_LINEAGE,
    )


def _worst_first(copy: CopyRecord) -> tuple[bool, bool, str]:
    return copy.outcome != "mismatch", copy.outcome == "match", copy.location


def _lineage(neighbours: Iterable[Neighbour]) -> int:
    return sum(neighbour.type in LINEAGE_EDGES for neighbour in neighbours)


def _paths(asked: Asked, as_of: AsOf) -> Sequence[PathRecord]:
    """Shortest ways on the node graph, from the root to the node in focus."""
    if asked.focused == asked.key:
        return []
    return lineage.paths(asked.key, asked.focused, as_of, limit=MAX_WAYS)


def steps(path: PathRecord) -> list[Step]:
    """A path in words."""
    found = [Step(path.nodes[0], "", "")]
    for node, edge in zip(path.nodes[1:], path.edges, strict=True):
        forward, backward = EDGE_WORDS[edge.type]
        found.append(Step(node, forward if edge.target == node.key else backward, edge.trust))
    return found

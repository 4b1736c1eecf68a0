"""A whole closure at once, for pictures: all nodes and plain links, or the counts alone where it is too big.

Owns: not reading what will not be shown. Does not own: pages and support (`lineage_closure`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph import sql_nodes
from lineage.graph.backend import Backend, ClosurePage, Direction, Link, Members, NodeRef, Walk
from lineage.graph.lane_boxes import LaneNode
from lineage.graph.model import EdgeType, NodeKind
from lineage.services import belief, graph_choice, run_activities
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import count_statuses, root_of, shown_types
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary
from lineage.services.node_names import name_of_key, short_key


@dataclass(frozen=True)
class Whole:
    """`total` and the counts leave the root out. `complete`: nodes and links are all there are; otherwise
    they are empty, because there are too many. `counts_by_status` is empty where the status tables are
    behind. `nodes` are by key, the root first.

    What a list shows of a node besides is read for its page alone (`summaries`): it is half of the work.
    """

    root: NodeSummary
    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    complete: bool
    nodes: Mapping[str, LaneNode]
    links: tuple[Link, ...]
    backend: str
    reader: Reader
    _refs: Mapping[str, NodeRef]

    def summaries(self, nodes: Iterable[LaneNode]) -> list[NodeSummary]:
        """These of its nodes as lists show them, at the same moment, in their order."""
        refs = [
            self._refs.get(n.key) or NodeRef(n.key, n.kind, n.first_index, n.name, n.roles, n.row)
            for n in nodes
        ]
        return list(self.reader.of_refs(refs).values())


def whole(
    key: str,
    direction: str,
    as_of: AsOf,
    *,
    depth: int,
    kinds: Sequence[NodeKind] = (),
    edges: Sequence[EdgeType] = (),
    most: int,
) -> Whole:
    """The closure of a node, with its nodes and links if there are at most `most`.

    The other arguments are those of `lineage_closure.closure`. Raises: NotFoundError.
    """

    def question(backend: Backend, moment: AsOf) -> Whole:
        walk = Walk(
            key, Direction(direction), moment.size, tuple(edges), tuple(kinds), depth, at_us=moment.at_us
        )
        root, found = root_of(backend, key, moment), backend.counted_members(walk, most)
        reader = Reader(moment)
        nodes = _lane_nodes(root, found, reader) if found.complete else {}
        rows = _rows(nodes)
        links = backend.links_among(nodes, shown_types(walk, root), moment.size, rows) if nodes else []
        page = ClosurePage(found.total, found.counts_by_kind, (), None, found.members, found.counts_by_status)
        return Whole(
            root=reader.of_refs([root])[key],
            total=found.total,
            counts_by_kind=dict(found.counts_by_kind),
            counts_by_status=count_statuses(page, walk, reader, walk_again=True) or {},
            complete=found.complete,
            nodes=nodes,
            links=tuple(links),
            backend=backend.name,
            reader=reader,
            _refs={ref.key: ref for ref in found.nodes or ()},
        )

    return graph_choice.answer(as_of, question)


def _rows(nodes: Mapping[str, LaneNode]) -> dict[int, str] | None:
    """Their keys by row id; None where of one that isn't known."""
    rows = {node.row: node.key for node in nodes.values() if node.row is not None}
    return rows if len(rows) == len(nodes) else None


def _lane_nodes(root: NodeRef, found: Members, reader: Reader) -> dict[str, LaneNode]:
    """All nodes, the root first. What the status tables lack is unverified, as in `Reader.of_refs`."""
    if found.rows is not None and root.row is not None:
        known = _known([root.row, *found.rows], reader)
        first = known.pop(root.key, None)
        return known if first is None else {root.key: first, **known}
    refs = {ref.key: ref for ref in (root, *(found.nodes or ()))}
    rows = sql_nodes.rows_of(refs) if belief.statuses_known(reader.as_of.size) else {}
    known = _known(list(rows.values()), reader)
    return {key: known.get(key) or _unknown(ref) for key, ref in refs.items()}


def _known(ids: Sequence[int], reader: Reader) -> dict[str, LaneNode]:
    """By key, in the order of row ids."""
    found = sql_nodes.briefs(ids, reader.moment)
    roles = sql_nodes.roles_of([n.id for n in found if n.kind == NodeKind.ARTIFACT], reader.moment)
    runs = [n.id for n in found if n.kind == NodeKind.RUN]
    told = roles | run_activities.activities(runs, reader.moment)
    ring, tainted = reader.ring, reader.tainted
    return {
        n.key: LaneNode(
            n.key,
            n.kind,
            n.name or name_of_key(n.key, ring),
            n.status,
            n.id in tainted,
            told.get(n.id, ()),
            n.first_index,
            n.id,
        )
        for n in found
    }


def _unknown(ref: NodeRef) -> LaneNode:
    return LaneNode(
        ref.key, ref.kind, ref.name or short_key(ref.key), "unverified", False, ref.roles, ref.first_index
    )

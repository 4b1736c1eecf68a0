"""Gathering what an export holds: a closure with what is said of its nodes, as of one moment.

Owns: reading it, in one order. Does not own: the formats (`export_<format>`) or the closure itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from lineage.db.models import LogHead
from lineage.errors import GraphBehindError, TooLargeError
from lineage.graph import sql_export, sql_nodes
from lineage.graph.backend import Direction, Walk
from lineage.graph.model import LINEAGE_EDGES, ClaimKind, EdgeType
from lineage.graph.sql_backend import SqlBackend
from lineage.graph.sql_export import Said
from lineage.services import belief, lineage_closure
from lineage.services.as_of import AsOf
from lineage.services.export_records import Export, ExportFact, ExportFile, ExportGap, ExportNode
from lineage.services.gaps import gaps
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import EdgeRecord, NodeSummary
from lineage.trust.leaf import rfc3339

FORMAT = "lineage-export/v1"
FOLDER = "dirHash:"
MAX_NODES = 5_000
"""Nodes of one export; a larger closure has its list, page by page."""
MAX_EDGES = 100_000
MAX_FILES = 20_000
"""Files of all folders; of more the first ones are listed, and it is said."""
MAX_FACTS = 20
"""Of each kind and node."""

_AROUND = (EdgeType.WAS_ASSOCIATED_WITH, EdgeType.WAS_ATTRIBUTED_TO, EdgeType.AT_LOCATION)
"""Edges to machines, suppliers, signers and places, which no closure follows."""

_LABELS: Mapping[str, str] = {
    ClaimKind.VERSION: "version",
    ClaimKind.LICENSE: "license",
    ClaimKind.LOCATION: "location",
    ClaimKind.FINGERPRINT: "fingerprint",
}
_TIMES = (ClaimKind.ACTIVITY, ClaimKind.STARTED, ClaimKind.ENDED)


def gather(key: str, as_of: AsOf) -> Export:
    """The node and all its ancestors.

    Raises: NotFoundError; TooLargeError over MAX_NODES or MAX_EDGES; GraphBehindError where the graph was
        emptied while it was read.
    """
    size = min(as_of.size, as_of.projected)
    version = belief.graph_version(size)
    found = _gathered(key, as_of)
    if version is None or belief.graph_version(size) != version:
        raise GraphBehindError("The graph was made anew meanwhile.", hint="Ask again in a moment.")
    return found


def _gathered(key: str, as_of: AsOf) -> Export:
    backend = SqlBackend()
    root = lineage_closure.root_of(backend, key, as_of)
    members = backend.members(Walk(key, Direction.ANCESTORS, as_of.size, at_us=as_of.at_us), MAX_NODES - 1)
    if members is None:
        raise TooLargeError(
            f"An export holds {MAX_NODES:,} nodes, and it was made from more.",
            limit=MAX_NODES,
            hint=f"Read it page by page: GET /api/v1/nodes/{key}/ancestors.",
        )
    reader = Reader(as_of)
    summaries = reader.of_refs([root, *members])
    ids = sql_nodes.rows_of(summaries)
    beside = reader.summaries(sql_export.touched(list(ids.values()), _AROUND, as_of.size))
    everything = summaries | {node.key: node for node in beside.values()}
    edges = _edges(everything, reader)
    nodes = _nodes(key, everything, reader)
    files, files_cut = _files(everything, reader)
    return Export(
        format=FORMAT,
        root=key,
        log=LogHead.objects.values_list("origin", flat=True).get(pk=1),
        tree_size=as_of.size,
        graph_at=min(as_of.size, as_of.projected),
        at=rfc3339(as_of.at_us),
        counts=dict(sorted(Counter(node.status for node in nodes).items())),
        nodes=nodes,
        edges=edges,
        gaps=tuple(ExportGap(gap.slug, gap.key, gap.what, gap.closes) for gap in gaps(key, as_of)),
        files=files,
        files_cut=files_cut,
    )


def _edges(keys: Collection[str], reader: Reader) -> tuple[EdgeRecord, ...]:
    types, size = (*LINEAGE_EDGES, *_AROUND), reader.as_of.size
    ids = sql_nodes.rows_of(keys)
    if sql_export.has_more_edges(list(ids.values()), types, size, MAX_EDGES):
        raise TooLargeError(
            f"An export holds {MAX_EDGES:,} edges, and its lineage has more.",
            limit=MAX_EDGES,
            hint="Read it page by page, as ancestors.",
        )
    records = [reader.edge(edge) for edge in SqlBackend().edges_among(list(ids), types, size)]
    return tuple(sorted(records, key=lambda edge: (edge.source, edge.type, edge.target)))


def _nodes(root: str, summaries: Mapping[str, NodeSummary], reader: Reader) -> tuple[ExportNode, ...]:
    ids = sql_nodes.rows_of(summaries)
    kinds = (*_LABELS, ClaimKind.DETAIL, ClaimKind.ATTESTED, *_TIMES)
    said: dict[int, list[Said]] = defaultdict(list)
    for row in sql_export.claims(list(ids.values()), [ClaimKind(k) for k in kinds], reader.moment, MAX_FACTS):
        said[row[0]].append(row)
    ordered = sorted(summaries.values(), key=lambda node: (node.key != root, node.key))
    return tuple(_node(node, said[ids[node.key]] if node.key in ids else []) for node in ordered)


def _files(keys: Collection[str], reader: Reader) -> tuple[tuple[ExportFile, ...], bool]:
    """Each file of each folder once, as it is listed first, by folder and path; whether there are more."""
    ids = sql_nodes.rows_of([key for key in keys if key.startswith(FOLDER)])
    names = {number: key for key, number in ids.items()}
    rows = sql_export.files(list(names), reader.moment, MAX_FILES + 1)
    found: dict[tuple[str, str, str], ExportFile] = {}
    for folder, path, key, trust, index in rows[:MAX_FILES]:
        found.setdefault((names[folder], path, key), ExportFile(names[folder], path, key, trust, index))
    return tuple(found[place] for place in sorted(found)), len(rows) > MAX_FILES


def _node(node: NodeSummary, said: list[Said]) -> ExportNode:
    values = defaultdict(list)
    for _, kind, value, index, _ in said:
        values[kind].append((value, index))
    times = {kind: [value for value, _ in values[kind]] for kind in _TIMES}
    return ExportNode(
        **{name: getattr(node, name) for name in NodeSummary.__struct_fields__},
        log_entries=tuple(sorted({index for _, index in values[ClaimKind.ATTESTED]})),
        activity=times[ClaimKind.ACTIVITY][0] if times[ClaimKind.ACTIVITY] else "",
        started=min(times[ClaimKind.STARTED], default=""),
        ended=max(times[ClaimKind.ENDED], default=""),
        facts=_facts(said),
    )


def _facts(said: list[Said]) -> tuple[ExportFact, ...]:
    """Each thing that is said once, by whoever said it first."""
    found: dict[tuple[str, str], ExportFact] = {}
    for _, kind, text, index, trust in said:
        if kind == ClaimKind.DETAIL:
            label, _, value = text.partition(": ")
        elif kind in _LABELS:
            label, value = _LABELS[kind], text
        else:
            continue
        found.setdefault((label, value), ExportFact(label, value, trust, index))
    return tuple(found.values())

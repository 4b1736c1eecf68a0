"""A closure as CSV: a row a node, the root first, with what it was directly made from.

Each row names the moment, since rows are copied into other tables.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator

from lineage.graph.model import LINEAGE_EDGES
from lineage.services.csv_cells import Echo, cell
from lineage.services.export_records import Export, ExportFormat

HEADER = (
    "key", "kind", "roles", "name", "version", "license", "status", "reasons", "notes", "tainted", "trust",
    "first_index", "log_entries", "activity", "started", "ended", "made_from", "gaps", "log", "tree_size",
    "graph_at", "at",
)  # fmt: skip


def write(export: Export) -> Iterator[bytes]:
    causes, gaps = defaultdict(list), defaultdict(list)
    for edge in export.edges:
        if edge.type in LINEAGE_EDGES:
            causes[edge.source].append(f"{edge.target} ({edge.trust})")
    for gap in export.gaps:
        gaps[gap.key].append(gap.slug)
    writer = csv.writer(Echo())
    yield writer.writerow(HEADER).encode()
    for node in export.nodes:
        row = (
            node.key,
            node.kind,
            _listed(node.roles),
            node.name,
            _listed(node.said("version")),
            _listed(node.said("license")),
            node.status,
            _listed(node.reasons),
            _listed(node.notes),
            "yes" if node.tainted else "no",
            node.trust,
            node.first_index,
            _listed(node.log_entries),
            node.activity,
            node.started,
            node.ended,
            _listed(causes[node.key]),
            _listed(gaps[node.key]),
            export.log,
            export.tree_size,
            export.graph_at,
            export.at,
        )
        yield writer.writerow([cell(value) for value in row]).encode()


def _listed(values: Iterable[object]) -> str:
    return "; ".join(map(str, values))


FORMAT = ExportFormat("csv", "CSV", "text/csv", "csv", write)

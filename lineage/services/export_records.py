"""What an export of a closure holds, whatever format it is written in. Owns the shapes only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from lineage.graph.sql_moment import REVOKED
from lineage.services.lineage_records import EdgeRecord, NodeSummary

NOT_RECORDED = "not recorded"
"""What stands where a format has a place for something that only a person can know and nobody has said."""


class ExportFact(msgspec.Struct, frozen=True):
    """One thing that is said of a node. `label` is `version`, `license`, `location`, `fingerprint`, or the
    signer's own word; `trust` is that of the entry `log_index`, the first that says so."""

    label: str
    value: str
    trust: str
    log_index: int


class ExportNode(NodeSummary, frozen=True):
    """A node as it was believed at the moment. `reasons` say why it is not verified, `notes` what its status
    leaves out. `log_entries` are the first that are about it. Times are RFC 3339 in UTC, empty for unknown.
    """

    log_entries: tuple[int, ...] = ()
    activity: str = ""
    started: str = ""
    ended: str = ""
    facts: tuple[ExportFact, ...] = ()

    @property
    def scheme(self) -> str:
        return self.key.partition(":")[0]

    @property
    def digest(self) -> str:
        return self.key.partition(":")[2]

    def said(self, label: str) -> list[str]:
        """The values of all facts with this label, in log order."""
        return [fact.value for fact in self.facts if fact.label == label]

    @property
    def believed(self) -> str:
        """Status and why, in one line that says no more than is known."""
        why = ", ".join((*self.reasons, *self.notes))
        taint = ", tainted" if self.tainted else ""
        return f"{self.status}{taint} ({why})" if why else f"{self.status}{taint}"


class ExportGap(msgspec.Struct, frozen=True):
    """What is missing at the node `key`, and what would close it."""

    slug: str
    key: str
    what: str
    closes: str


class ExportFile(msgspec.Struct, frozen=True):
    """A file of the folder `folder`, which a signed list that makes the folder's digest has under `path`.

    `key` is its digest, `log_index` the first entry that lists it, `trust` that entry's.
    """

    folder: str
    path: str
    key: str
    trust: str
    log_index: int


def entries(edge: EdgeRecord) -> str:
    """Where the edge is said."""
    return f"entries {', '.join(map(str, edge.support))}"


class Export(msgspec.Struct, frozen=True):
    """A node with everything that it was made from, as it was believed with the first `tree_size` entries.

    `graph_at` of these entries are in the graph; fewer than `tree_size`: it was behind, and the rest is
    missing here. `at` is the time that statuses are judged by. `nodes` begin with the root; the others, and
    the edges, are in the order of their keys. `counts` are nodes by status. `gaps` may be cut at 200. `files`
    are those of the folders among the nodes, by folder and path; they are no part of lineage, and no nodes.
    `files_cut`: there are more, which are missing here.
    """

    format: str
    root: str
    log: str
    tree_size: int
    graph_at: int
    at: str
    counts: dict[str, int]
    nodes: tuple[ExportNode, ...]
    edges: tuple[EdgeRecord, ...]
    gaps: tuple[ExportGap, ...]
    files: tuple[ExportFile, ...] = ()
    files_cut: bool = False

    def believed_edges(self) -> list[EdgeRecord]:
        """The edges that somebody who is believed still says."""
        return [edge for edge in self.edges if edge.trust != REVOKED]

    def revoked_edges(self) -> dict[str, list[str]]:
        """By source, the others in words: formats without a word for trust must not tell them as facts."""
        found: dict[str, list[str]] = {}
        for edge in self.edges:
            if edge.trust == REVOKED:
                found.setdefault(edge.source, []).append(f"{edge.type} {edge.target}, {entries(edge)}")
        return found

    @property
    def sentence(self) -> str:
        """What every reader has to know, in two sentences."""
        behind = (
            "" if self.graph_at == self.tree_size else f" The graph had only {self.graph_at} of them by then."
        )
        return (
            f"As believed with the first {self.tree_size} entries of the log {self.log} at {self.at}."
            f"{behind} Statuses are those of that moment. The file itself proves nothing: the statements that"
            " it names do."
        )


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format: its name in addresses, what people call it, media type, file suffix.

    `write` gives the file in pieces; the same export always gives the same bytes.
    """

    name: str
    title: str
    media_type: str
    suffix: str
    write: Callable[[Export], Iterator[bytes]]

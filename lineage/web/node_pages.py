"""The page of one node: an artifact, a run, a machine, a deployment, a supplier, a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from lineage.graph.model import EdgeType, NodeKind
from lineage.services import lineage, records
from lineage.services.lineage import Closure, NodeRecord, NodeSummary
from lineage.services.records import AttestationSummary
from lineage.web import words
from lineage.web.details import EDGE_WORDS
from lineage.web.lineage_pages import section_of
from lineage.web.pages import Page
from lineage.web.reasons import explain_all

NEIGHBOURS = 20
ENTRIES = 50
FILES = 200
CHECKS = 50
ASIDE_EDGES = (
    EdgeType.WAS_ASSOCIATED_WITH,
    EdgeType.WAS_ATTRIBUTED_TO,
    EdgeType.AT_LOCATION,
    EdgeType.PART_OF,
)
"""Relations that are no lineage: machines, suppliers, places, folders."""

PAGES: Mapping[str, str] = {NodeKind.ARTIFACT: "artifact", NodeKind.RUN: "run"}
"""Which page shows a kind; all others have `node`."""

VERIFIED_BECAUSE: Mapping[str, str] = {
    NodeKind.ARTIFACT: "A key that may say so signed a statement about it; no known copy differs.",
    NodeKind.RUN: "A key that may speak for its builder signed it, and all inputs and outputs have digests.",
    NodeKind.HARDWARE: "Its hardware evidence was appraised as verified, and is fresh.",
    NodeKind.DEPLOYMENT: "It is signed, and what it deploys is verified.",
    NodeKind.SIGNER: "It is registered and in force.",
    NodeKind.SUPPLIER: "It is registered.",
    NodeKind.PLACE: "It is registered.",
}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node one edge away. `words` read from the page's node to it; `entries` are the edge's support."""

    node: NodeSummary
    words: str
    trust: str
    entries: Sequence[int]


@dataclass(frozen=True, slots=True)
class Neighbours:
    found: Sequence[Neighbour]
    total: int


@dataclass(frozen=True, slots=True)
class Origin:
    """One of the runs that signed statements name as the origin, and what says so."""

    run: Neighbour
    statements: Sequence[AttestationSummary]


class NodePage(Page):
    """One node. Under another kind's address it sends on to the right one."""

    template_name = "nodes/page.html"
    page = "node"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        node = lineage.node(key, self.as_of)
        elsewhere = self._elsewhere(node)
        if elsewhere:
            return redirect(elsewhere)
        self.section = section_of(node)
        return self.render(node=node, **self._context(node))

    def _elsewhere(self, node: NodeRecord) -> str:
        """The address of the node's own page where this is another's, else empty."""
        name, argument = PAGES.get(node.kind, "node"), node.key
        if node.kind == NodeKind.SIGNER and node.key.startswith("key:"):
            name, argument = "key", node.key.removeprefix("key:")
        if name == self.page:
            return ""
        query = f"?{urlencode({'as_of': self.as_of_text})}" if self.as_of_text else ""
        return reverse(name, args=[argument]) + query

    def _context(self, node: NodeRecord) -> dict[str, Any]:
        made_from = self._neighbours(node, "ancestors")
        origins = [n for n in made_from.found if n.node.kind == NodeKind.RUN and n.node.key in node.origins]
        contested = "contested-origin" in node.reasons
        return {
            "reasons": explain_all(node.reasons),
            "notes": explain_all(node.notes),
            "verified_because": VERIFIED_BECAUSE[node.kind],
            "made_from": made_from,
            "made_into": self._neighbours(node, "descendants"),
            "aside": self._neighbours(node, "ancestors", ASIDE_EDGES),
            "origins": [self._origin(run) for run in origins] if contested else [],
            "entries": records.by_index(node.attestations[-ENTRIES:], self.as_of),
            "entries_total": len(node.attestations),
            "files": node.files[:FILES],
            "checks": lineage.checks(node.key, self.as_of)[:CHECKS],
            "kind_title": words.KINDS.get(node.kind, node.kind),
        }

    def _neighbours(self, node: NodeRecord, direction: str, edges: Sequence[EdgeType] = ()) -> Neighbours:
        closure = lineage.closure(
            node.key, direction, self.as_of, depth=1, edges=tuple(edges), limit=NEIGHBOURS
        )
        return Neighbours(neighbours(node.key, closure), closure.total)

    def _origin(self, run: Neighbour) -> Origin:
        return Origin(run, records.by_index(run.entries, self.as_of))


def neighbours(key: str, closure: Closure) -> list[Neighbour]:
    """The nodes of a closure of depth 1, each with the edge that joins it to `key`."""
    nodes = {node.key: node for node in closure.nodes}
    found = []
    for edge in closure.edges:
        if edge.source == key and edge.target in nodes:
            other, say = nodes[edge.target], EDGE_WORDS[edge.type][0]
        elif edge.target == key and edge.source in nodes:
            other, say = nodes[edge.source], EDGE_WORDS[edge.type][1]
        else:
            continue
        if other.kind != NodeKind.SIGNER:
            found.append(Neighbour(other, say, edge.trust, edge.support))
    return found


class ArtifactPage(NodePage):
    page = "artifact"


class RunPage(NodePage):
    page = "run"

"""The page of one node: an artifact, a run, a machine, a deployment, a supplier, a place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind, signer_id
from lineage.services import completeness, layout_verdicts, lineage, observations, records, registered_models
from lineage.services.lineage_records import Neighbour, NodeRecord, NodeSummary
from lineage.services.records import AttestationSummary
from lineage.web import artifact_decisions, copy_rows, inventory_view, observed, verify_now, words
from lineage.web.details import EDGE_WORDS, IN_LINEAGE
from lineage.web.lineage_pages import section_of
from lineage.web.node_status import status_context
from lineage.web.pages import Page
from lineage.web.verify_now import VerifyNow

NEIGHBOURS = 20
ENTRIES = 50
FILES = 200
GAPS = 20
SIDE_EDGES = frozenset(EdgeType) - frozenset(LINEAGE_EDGES)
"""Relations that are no lineage: machines, suppliers, places, folders."""

PAGES: Mapping[str, str] = {NodeKind.ARTIFACT: "artifact", NodeKind.RUN: "run"}
"""Which page shows a kind; all others have `node`."""

BESIDE_TITLES: Mapping[str, str] = {
    NodeKind.HARDWARE: "What ran on it, and where it stands",
    NodeKind.SUPPLIER: "What comes from it",
    NodeKind.PLACE: "What stands there",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A node one edge away. `words` read from the page's node to it."""

    node: NodeSummary
    words: str
    trust: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One of the runs that signed statements name as the origin, and those statements."""

    run: NodeSummary
    statements: Sequence[AttestationSummary]


class NodePage(Page):
    """One node. Under another kind's address it sends on to the right one."""

    template_name = "nodes/page.html"
    page = "node"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        node = lineage.node(key, self.as_of, gaps=False)
        elsewhere = self._elsewhere(node)
        if elsewhere:
            return redirect(elsewhere)
        return self.render(section=section_of(node), node=node, **self._context(node))

    def _elsewhere(self, node: NodeRecord) -> str:
        """The address of the node's own page where this is another's, else empty."""
        name, argument = PAGES.get(node.kind, "node"), node.key
        if node.kind == NodeKind.SIGNER:
            name, argument = "key", signer_id(node.key)
        if name == self.page:
            return ""
        query = f"?{urlencode({'as_of': self.as_of_text})}" if self.as_of_text else ""
        return reverse(name, args=[argument]) + query

    def _context(self, node: NodeRecord) -> dict[str, Any]:
        newest = sorted(node.attestations)[-ENTRIES:]
        kept = observations.stored(newest)
        contested = "contested-origin" in node.reasons
        return {
            **status_context(node, self.as_of, self.as_of_text),
            "made_from": shown(node.causes, LINEAGE_EDGES, 0),
            "made_into": shown(node.effects, LINEAGE_EDGES, 1),
            "beside": shown(node.causes, SIDE_EDGES, 0) + shown(node.effects, SIDE_EDGES, 1),
            "beside_title": BESIDE_TITLES.get(node.kind, "Machines, suppliers, places, folders"),
            "in_lineage": node.kind in IN_LINEAGE,
            "neighbours_shown": f":{NEIGHBOURS}",
            "origins": [self._origin(origin) for origin in node.origins] if contested else [],
            "entries": records.by_index(kept, self.as_of),
            "not_stored": len(newest) - len(kept),
            "files": node.files[:FILES],
            **artifact_decisions.context(node.key, node.kind, self.as_of, self.person),
            **self._copies(node),
            **self._observed(node),
            "found": completeness.completeness(node.key, self.as_of, limit=GAPS),
            "kind_title": words.KINDS.get(node.kind, node.kind),
        }

    def _observed(self, node: NodeRecord) -> dict[str, Any]:
        """What our collector saw of it on MLflow; of most nodes nothing."""
        seen = observations.of_node(node.key, self.as_of)
        named = node.kind == NodeKind.ARTIFACT and bool(seen.observed)
        return {
            "seen": seen,
            "rows": observed.rows(seen.observed),
            "differences": observed.differences(node),
            "replaced": observations.replaced(node.key, self.as_of) if named else [],
            "registrations": registered_models.of_node(node.key, self.as_of) if named else [],
        }

    def _copies(self, node: NodeRecord) -> dict[str, Any]:
        """Copies and checks of an artifact, and the check that is asked for now or was just."""
        if node.kind != NodeKind.ARTIFACT:
            return {}
        job = None
        if not self.as_of_text:
            job = verify_now.asked_for(self.request, node.key) or verify_now.running(node.key)
        return {
            **copy_rows.context(node, self.as_of),
            **inventory_view.context(node.key, self.as_of, node.reasons),
            "may_verify": self.person.may(VerifyNow.role),
            "verdicts": layout_verdicts.of_artifact(node.key, self.as_of, NEIGHBOURS),
            **(verify_now.moving(node, job) if job else {}),
        }

    def _origin(self, origin: Neighbour) -> Origin:
        return Origin(origin.node, records.by_index(observations.stored(origin.support), self.as_of))


def shown(neighbours: Iterable[Neighbour], types: Collection[str], side: int) -> list[Shown]:
    """Neighbours over edges of these types. `side` 0: they are causes, 1: effects. Signers are left out:
    who signed what has a table of its own.
    """
    return [
        Shown(n.node, EDGE_WORDS[n.type][side], n.trust)
        for n in neighbours
        if n.type in types and n.node.kind != NodeKind.SIGNER
    ]


class ArtifactPage(NodePage):
    page = "artifact"


class RunPage(NodePage):
    page = "run"

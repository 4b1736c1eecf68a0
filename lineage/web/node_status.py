"""Why a node has its status, as its page tells: in sentences, with what makes it go away.

Owns: what stands in the card *Why*. Does not own: the sentences (`words`, `reasons`), or what a status is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineage.graph.model import NodeKind
from lineage.services import lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import NodeRecord
from lineage.web.details import IN_LINEAGE
from lineage.web.lineage_pages import LIST
from lineage.web.lineage_query import Asked
from lineage.web.reasons import explain_all

WITH_COPIES = "The last check of every copy matched, and is fresh."

VERIFIED_BECAUSE: Mapping[str, str] = {
    NodeKind.ARTIFACT: "A key that may say so signed a statement about it or the folder it is in.",
    NodeKind.RUN: "A key that may speak for its builder signed it, and all inputs and outputs have digests.",
    NodeKind.HARDWARE: "Its hardware evidence was appraised as verified, and is fresh.",
    NodeKind.DEPLOYMENT: "It is signed, and what it deploys is verified.",
    NodeKind.SIGNER: "It is registered and in force.",
    NodeKind.SUPPLIER: "It is registered.",
    NodeKind.PLACE: "It is registered.",
}


def status_context(node: NodeRecord, as_of: AsOf, as_of_text: str) -> dict[str, Any]:
    """What the template of the card needs, beside the node."""
    return {
        "reasons": explain_all(node.reasons, node.kind),
        "notes": explain_all(node.notes, node.kind),
        "verified_because": VERIFIED_BECAUSE[node.kind],
        "copies_because": WITH_COPIES if node.copies else "",
        "behind": _behind(node, as_of, as_of_text),
    }


def _behind(node: NodeRecord, as_of: AsOf, as_of_text: str) -> list[tuple[str, int, str]]:
    """What a verified node was made from that is not verified, by status, each with its list.

    A node's status says nothing of what it was made from: green must not be read so.
    """
    if node.status != "verified" or node.kind not in IN_LINEAGE or not node.causes:
        return []
    closure = lineage.closure(node.key, "ancestors", as_of, limit=1, statuses=True)
    counts = closure.counts_by_status or {}
    asked = Asked(node.key, as_of=as_of_text)
    worse = [(status, counts.get(status, 0)) for status in ("failed", "expired", "unverified")]
    return [(status, count, asked.but(show=status).url() + LIST) for status, count in worse if count]

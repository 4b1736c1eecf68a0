"""What of a run is signed to have a digest, by those who are still believed. Reads the graph's tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet

from lineage.db.models import Claim, Node, Support
from lineage.graph.model import ClaimKind, EdgeType, uri_key
from lineage.graph.status import Trust
from lineage.services import as_of, belief, keyring, withdrawals

UNDIGESTED = "uri:"


@dataclass(frozen=True, slots=True)
class SignedInputs:
    """Names of digested inputs, and what of the run has a digest by its URI (values of `DIGESTED`)."""

    names: frozenset[str] = frozenset()
    digested: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.digested)

    def answers(self, uri: str) -> bool:
        """Whether something that has this URI is signed to be used, with its digest."""
        return f"{EdgeType.USED} {uri_key(uri)}" in self.digested


def signed_inputs(run: str, size: int) -> SignedInputs | None:
    """Of the run with this node key. None where the graph has not the log's first `size` entries, or was made
    anew meanwhile: nothing is known then of what they say."""
    version = belief.graph_version(size)
    found = _signed_inputs(run)
    return found if version is not None and belief.graph_version(size) == version else None


def _signed_inputs(run: str) -> SignedInputs:
    node = Node.objects.filter(key=run).values_list("pk", flat=True).first()
    if node is None:
        return SignedInputs()
    moment = as_of.resolve(None)
    cutoffs, withdrawn = belief.cutoffs(keyring.current()), withdrawals.entries(moment.head)
    inputs = Support.objects.filter(trust=Trust.SIGNED, edge__source_id=node, edge__type=EdgeType.USED)
    digested = inputs.exclude(edge__target__key__startswith=UNDIGESTED)
    targets = _believed(digested.annotate(said=F("edge__target_id")), cutoffs, withdrawn)
    names = Claim.objects.filter(node_id__in=targets, kind=ClaimKind.NAME, trust=Trust.SIGNED)
    answers = Claim.objects.filter(node_id=node, kind=ClaimKind.DIGESTED, trust=Trust.SIGNED)
    return SignedInputs(
        frozenset(_believed(names.annotate(said=F("value")), cutoffs, withdrawn)),
        frozenset(_believed(answers.annotate(said=F("value")), cutoffs, withdrawn)),
    )


def _believed(rows: QuerySet[Any], cutoffs: Mapping[str, int], withdrawn: Collection[int]) -> set[Any]:
    """The `said` of rows whose signer was not revoked for them, and whose statement was not taken back."""
    found = rows.values_list("said", "signer__key", "index")
    return {
        said
        for said, signer, index in found
        if index < cutoffs.get(signer, index + 1) and index not in withdrawn
    }

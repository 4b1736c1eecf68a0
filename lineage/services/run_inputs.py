"""The names of what a run is signed to have used. Reads the graph's tables."""

from __future__ import annotations

from lineage.db.models import Claim, Node, Support
from lineage.graph.model import ClaimKind, EdgeType
from lineage.graph.status import Trust

UNDIGESTED = "uri:"


def signed_names(run: str) -> frozenset[str]:
    """Names that signed statements give the digested inputs of the run with this node key."""
    node = Node.objects.filter(key=run).values_list("pk", flat=True).first()
    if node is None:
        return frozenset()
    inputs = Support.objects.filter(
        trust=Trust.SIGNED, edge__source_id=node, edge__type=EdgeType.USED
    ).exclude(edge__target__key__startswith=UNDIGESTED)
    targets = set(inputs.values_list("edge__target_id", flat=True))
    names = Claim.objects.filter(node_id__in=targets, kind=ClaimKind.NAME, trust=Trust.SIGNED)
    return frozenset(names.values_list("value", flat=True))

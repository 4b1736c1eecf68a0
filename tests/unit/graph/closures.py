"""Random closures of the size and skew that the lineage picture is built for."""

from __future__ import annotations

import random

from lineage.graph.lanes import LaneNode
from lineage.graph.model import EdgeType, NodeKind

LAYERS: tuple[tuple[str, str, tuple[str, ...], float], ...] = (
    ("supplier", NodeKind.SUPPLIER, (), 0.04),
    ("source", NodeKind.ARTIFACT, ("dataset",), 0.24),
    ("prepare", NodeKind.RUN, ("preparation",), 0.10),
    ("prepared", NodeKind.ARTIFACT, ("dataset",), 0.22),
    ("code", NodeKind.ARTIFACT, ("code",), 0.04),
    ("train", NodeKind.RUN, ("training",), 0.13),
    ("model", NodeKind.ARTIFACT, ("model",), 0.13),
    ("report", NodeKind.ARTIFACT, (), 0.02),
    ("deploy", NodeKind.DEPLOYMENT, (), 0.02),
    ("machine", NodeKind.HARDWARE, (), 0.06),
)
STATUSES = ("verified",) * 17 + ("failed", "expired", "unverified")
_CAUSES: dict[str, tuple[tuple[str, str, int], ...]] = {
    "source": (("supplier", EdgeType.WAS_ATTRIBUTED_TO, 1),),
    "prepare": (("source", EdgeType.USED, 3), ("machine", EdgeType.WAS_ASSOCIATED_WITH, 1)),
    "prepared": (("prepare", EdgeType.WAS_GENERATED_BY, 1),),
    "train": (
        ("prepared", EdgeType.USED, 3),
        ("code", EdgeType.USED, 1),
        ("machine", EdgeType.WAS_ASSOCIATED_WITH, 1),
    ),
    "model": (("train", EdgeType.WAS_GENERATED_BY, 1), ("model", EdgeType.WAS_DERIVED_FROM, 1)),
    "report": (("model", EdgeType.WAS_DERIVED_FROM, 1),),
    "deploy": (("model", EdgeType.USED, 1),),
}


def closure(size: int, seed: int) -> tuple[list[LaneNode], list[tuple[str, str, str]], str]:
    """About `size` nodes, their links, and the key of a root that is a model."""
    rng = random.Random(seed)
    nodes: list[LaneNode] = []
    by_layer: dict[str, list[str]] = {}
    for layer, kind, roles, share in LAYERS:
        keys = [f"{layer}:{i:04x}" for i in range(max(1, round(size * share)))]
        by_layer[layer] = keys
        for i, key in enumerate(keys):
            tainted = rng.random() < 0.02
            nodes.append(LaneNode(key, kind, f"{layer}-{i:04}", rng.choice(STATUSES), tainted, roles))
    links = [
        (key, kind, rng.choice(by_layer[cause]))
        for layer, causes in _CAUSES.items()
        for key in by_layer[layer]
        for cause, kind, count in causes
        for _ in range(count)
    ]
    rng.shuffle(nodes)
    return nodes, [link for link in dict.fromkeys(links) if link[0] != link[2]], by_layer["model"][-1]

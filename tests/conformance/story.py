"""What a case consists of: log entries as a graph backend is fed with them, without a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lineage.graph.backend import GraphEntry, Link
from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, GraphDelta, NodeKind

SIGNER = "key:" + "aa" * 32
OTHER = "key:" + "bb" * 32
THIRD = "key:" + "cc" * 32

KINDS: Mapping[str, NodeKind] = {
    "run": NodeKind.RUN,
    "hw": NodeKind.HARDWARE,
    "deploy": NodeKind.DEPLOYMENT,
    "key": NodeKind.SIGNER,
    "identity": NodeKind.SIGNER,
    "supplier": NodeKind.SUPPLIER,
    "place": NodeKind.PLACE,
}
"""By a key's scheme; any other names an artifact."""


def kind_of(key: str) -> NodeKind:
    return KINDS.get(key.partition(":")[0], NodeKind.ARTIFACT)


def artifact(number: int) -> str:
    return f"sha256:{number:064x}"


def run(number: int) -> str:
    return f"run:{number:064x}"


def said(
    signer: str,
    edges: Iterable[Link] = (),
    *,
    nodes: Iterable[str] = (),
    names: Iterable[tuple[str, str]] = (),
    roles: Iterable[tuple[str, str]] = (),
    about: Iterable[str] = (),
) -> tuple[str, GraphDelta]:
    """A contribution of one signer: everything that it mentions is a node of it, the signer too.

    `about`: what it attests, which may make it verified.
    """
    made = tuple(Edge(source, EdgeType(kind), target) for source, kind, target in edges)
    claims = (
        *(Claim(node, ClaimKind.NAME, name) for node, name in names),
        *(Claim(node, ClaimKind.ROLE, role) for node, role in roles),
        *(Claim(node, ClaimKind.ATTESTED, "urn:example:said") for node in about),
    )
    keys = [signer, *nodes, *(end for edge in made for end in (edge.source, edge.target))]
    keys += [claim.node for claim in claims]
    return signer, GraphDelta({key: kind_of(key) for key in keys}, made, claims)


@dataclass
class Story:
    """Entries to be, each with the next index."""

    entries: list[GraphEntry] = field(default_factory=list)

    def tell(
        self,
        *edges: Link,
        by: str = SIGNER,
        trust: str = "signed",
        nodes: Iterable[str] = (),
        names: Iterable[tuple[str, str]] = (),
        roles: Iterable[tuple[str, str]] = (),
        about: Iterable[str] = (),
    ) -> int:
        """One entry with one signer; returns its index."""
        return self.add(said(by, edges, nodes=nodes, names=names, roles=roles, about=about), trust=trust)

    def add(self, *contributions: tuple[str, GraphDelta], trust: str = "signed") -> int:
        """One entry; without a contribution it is one that nothing could be read from."""
        self.entries.append(GraphEntry(len(self.entries), trust, contributions))
        return len(self.entries) - 1


def keys_of(entries: Sequence[GraphEntry]) -> list[str]:
    """Every node, in the order of mention."""
    deltas = [delta for entry in entries for _, delta in entry.contributions]
    return list(dict.fromkeys(key for delta in deltas for key in delta.nodes))

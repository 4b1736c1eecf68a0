"""Short ways to say what the log says of one node, for the tests of statuses."""

from __future__ import annotations

from collections.abc import Mapping

from lineage.graph.locations import Root
from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, NodeKind
from lineage.graph.status import FOREVER_US, CheckFact, Facts, Piece, Rules, Status, Trust, evaluate

ARTIFACT = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
URI = "uri:" + "c" * 64
RUN, RUN2 = "run:" + "1" * 64, "run:" + "2" * 64
MACHINE = "hw:" + "3" * 64
DEPLOYMENT = "deploy:" + "4" * 64
A, B, PLATFORM = "key:" + "5" * 64, "key:" + "6" * 64, "key:" + "7" * 64

DAY_US = 24 * 3600 * 1_000_000
NOW_US = 1_800_000_000_000_000
RULES = Rules(roots=(Root("models", "file:///srv/models"),))
COPY = "file:///srv/models/m.bin"


class Said:
    """Facts of one node; every method says one more thing, at log index `index`, and returns self."""

    def __init__(self, key: str, kind: NodeKind, cutoffs: Mapping[str, int] | None = None) -> None:
        self.facts = Facts(key, kind, cutoffs or {})

    def attested(self, signer: str = A, trust: str = Trust.SIGNED, index: int = 10) -> Said:
        self.facts.add_claim(Claim(self.facts.key, ClaimKind.ATTESTED, "type"), signer, trust, index)
        return self

    def at(self, location: str, signer: str = A, index: int = 10) -> Said:
        claim = Claim(self.facts.key, ClaimKind.LOCATION, location)
        self.facts.add_claim(claim, signer, Trust.SIGNED, index)
        return self

    def used(self, target: str, signer: str = A, trust: str = Trust.SIGNED, index: int = 10) -> Said:
        self.facts.add_edge(Edge(self.facts.key, EdgeType.USED, target), signer, trust, index)
        return self

    def digests(
        self,
        uri: str,
        signer: str = A,
        trust: str = Trust.SIGNED,
        index: int = 10,
        direction: EdgeType = EdgeType.USED,
    ) -> Said:
        claim = Claim(self.facts.key, ClaimKind.DIGESTED, f"{direction} {uri}")
        self.facts.add_claim(claim, signer, trust, index)
        return self

    def made_by(self, run: str, signer: str = A, trust: str = Trust.SIGNED, index: int = 10) -> Said:
        self.facts.add_edge(Edge(self.facts.key, EdgeType.WAS_GENERATED_BY, run), signer, trust, index)
        return self

    def made(self, artifact: str, signer: str = A, trust: str = Trust.SIGNED, index: int = 10) -> Said:
        self.facts.add_edge(Edge(artifact, EdgeType.WAS_GENERATED_BY, self.facts.key), signer, trust, index)
        return self

    def checked(
        self,
        outcome: str,
        at_us: int,
        *,
        location: str = COPY,
        signer: str = A,
        index: int = 11,
        strength: int = 3,
        trust: str = Trust.OBSERVED,
    ) -> Said:
        self.facts.add_check(location, CheckFact(at_us, index, outcome, strength, trust), signer)
        return self

    def status(self, used: Mapping[str, tuple[Piece, ...]] | None = None) -> tuple[Piece, ...]:
        return evaluate(self.facts, RULES, used or {})


def artifact(key: str = ARTIFACT, cutoffs: Mapping[str, int] | None = None) -> Said:
    return Said(key, NodeKind.ARTIFACT, cutoffs)


def always(status: Status, *reasons: str) -> tuple[Piece, ...]:
    """The timeline of a node whose status time alone never changes."""
    return (Piece(status, reasons),)


def until(moment: int, before: Piece, after: Piece) -> tuple[Piece, ...]:
    """`before` until `moment` (µs), `after` from then on."""
    return (
        Piece(before.status, before.reasons, 0, moment),
        Piece(after.status, after.reasons, moment, FOREVER_US),
    )

"""What the log says of one node, as far as its status depends on it.

Owns: `Facts`, which gathers edges, claims and checks in log order and forgets what no rule reads. Pure.
Does not own: the rules (`status`), or where facts are loaded from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lineage.graph.model import CheckResult, Claim, ClaimKind, Edge, EdgeType, NodeKind

UNDIGESTED = "uri:"
"""Scheme of nodes that are named but not digested."""

COPY_SCHEME = "file://"
"""How a location must begin to be a copy; `status_copies` asks more."""

CLAIMS_READ = frozenset({ClaimKind.ATTESTED, ClaimKind.DIGESTED, ClaimKind.LOCATION})
"""Kinds of claims that a status can depend on."""

EDGES_READ = frozenset({EdgeType.USED, EdgeType.WAS_GENERATED_BY})
"""Types of edges that a status can depend on."""

ALWAYS_BELIEVED = 2**63 - 1


class Trust(StrEnum):
    SIGNED = "signed"
    OBSERVED = "observed"
    ASSERTED = "asserted"


ORIGINS_KEPT = 2
"""Runs that are kept for each signer and trust, the first that it named: two that differ are enough to differ
from anybody else's, and a revocation leaves the first. Some bytes (an empty file) come out of every run."""

Support = dict[tuple[str, str], int]
"""(signer's node key, trust) → smallest log index at which that signer said it.

The smallest is enough: a revocation disbelieves everything from its cutoff on, so if anything of a
signer's is still believed, its first saying is.
"""


@dataclass(frozen=True, slots=True)
class KeyLife:
    """When a registered key is in force: microseconds, UTC; None where there is no such end.

    `compromised_us` and `ended_us` are the earliest moments of its revocations, by their reason.
    """

    not_before_us: int | None = None
    not_after_us: int | None = None
    compromised_us: int | None = None
    ended_us: int | None = None


@dataclass(frozen=True, slots=True)
class CheckFact:
    """One look at one copy. `at_us` is the checker's time, but never later than its log time."""

    at_us: int
    index: int
    outcome: str  # match | mismatch | inconclusive


@dataclass(slots=True)
class Facts:
    """Grows in log order under one set of `cutoffs`; another set needs facts that are gathered anew.

    `cutoffs` maps a revoked signer's node key to the first log index at which it is not believed.
    """

    key: str
    kind: NodeKind
    cutoffs: Mapping[str, int]
    about: Support = field(default_factory=dict)  # who attested this node
    origins: dict[str, Support] = field(default_factory=dict)  # artifact: `ORIGINS_KEPT` runs a signer
    inputs: dict[str, Support] = field(default_factory=dict)  # run: what it used
    outputs: dict[str, Support] = field(default_factory=dict)  # run: what it made
    answered: dict[str, Support] = field(default_factory=dict)  # run: values of DIGESTED
    deployed: dict[str, Support] = field(default_factory=dict)  # deployment: what it used
    locations: dict[str, Support] = field(default_factory=dict)  # artifact: where its bytes are said to lie
    checks: dict[str, dict[tuple[str, str], CheckFact]] = field(default_factory=dict)
    life: KeyLife | None = None  # signer: its registration

    @property
    def digested(self) -> bool:
        return not self.key.startswith(UNDIGESTED)

    def believes(self, support: Support) -> bool:
        """Whether anybody who said it is still believed."""
        cutoffs = self.cutoffs
        if not cutoffs:
            return bool(support)
        return any(index < cutoffs.get(signer, ALWAYS_BELIEVED) for (signer, _), index in support.items())

    def believed_by(self, trust: Trust, support: Support) -> bool:
        """Whether anybody who said it with this trust is still believed."""
        cutoffs = self.cutoffs
        return any(
            how == trust and index < cutoffs.get(signer, ALWAYS_BELIEVED)
            for (signer, how), index in support.items()
        )

    def add_claim(self, claim: Claim, signer: str, trust: str, index: int) -> bool:
        """Take in a claim on this node; returns whether it is one that a rule reads, and news."""
        if claim.kind is ClaimKind.ATTESTED:
            return _keep(self.about, signer, trust, index)
        if claim.kind is ClaimKind.DIGESTED and self.kind is NodeKind.RUN:
            return _keep(self.answered.setdefault(claim.value, {}), signer, trust, index)
        if claim.kind is ClaimKind.LOCATION and claim.value.startswith(COPY_SCHEME):
            return _keep(self.locations.setdefault(claim.value, {}), signer, trust, index)
        return False

    def add_edge(self, edge: Edge, signer: str, trust: str, index: int) -> bool:
        """Take in an edge of this node; returns whether it is one that a rule reads, and news."""
        slot = self._slot(edge, signer, trust)
        return slot is not None and _keep(slot, signer, trust, index)

    def _slot(self, edge: Edge, signer: str, trust: str) -> Support | None:
        outgoing = edge.source == self.key
        if self.kind is NodeKind.RUN:
            if outgoing and edge.type is EdgeType.USED:
                return self.inputs.setdefault(edge.target, {})
            if not outgoing and edge.type is EdgeType.WAS_GENERATED_BY:
                return self.outputs.setdefault(edge.source, {})
        elif self.kind is NodeKind.ARTIFACT:
            if outgoing and edge.type is EdgeType.WAS_GENERATED_BY:
                named = [run for run, support in self.origins.items() if (signer, trust) in support]
                if edge.target in named or len(named) < ORIGINS_KEPT:
                    return self.origins.setdefault(edge.target, {})
        elif self.kind is NodeKind.DEPLOYMENT and outgoing and edge.type is EdgeType.USED:
            return self.deployed.setdefault(edge.target, {})
        return None

    def add_check(self, location: str, outcome: str, at_us: int, signer: str, index: int) -> bool:
        """Take in one look at one copy, unless its signer is not believed at that index.

        Only a signer's newest of each outcome is kept: the rules read no other. Returns whether this is it.
        """
        if index >= self.cutoffs.get(signer, ALWAYS_BELIEVED):
            return False
        newest = self.checks.setdefault(location, {})
        known = newest.get((signer, outcome))
        if known is None or (known.at_us, known.index) < (at_us, index):
            newest[signer, outcome] = CheckFact(at_us, index, outcome)
            return True
        return False


def _keep(support: Support, signer: str, trust: str, index: int) -> bool:
    known = support.get((signer, trust))
    if known is not None and known <= index:
        return False
    support[signer, trust] = index
    return True


def capped(check: CheckResult, received_us: int) -> int:
    """A check's own time in microseconds, but not after the moment at which the log received it."""
    return min(check.at, received_us)

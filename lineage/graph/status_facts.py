"""What the log says of one node, as far as its status depends on it.

Owns: `Facts`, which gathers edges, claims and checks in log order and forgets what no rule reads. Pure.
Does not own: the rules (`status`), or where facts are loaded from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from lineage.graph.model import CheckResult, Claim, ClaimKind, Edge, EdgeType, NodeKind

UNDIGESTED = "uri:"
"""Scheme of nodes that are named but not digested."""

SAID = frozenset({ClaimKind.LOCATION, ClaimKind.ROLE, ClaimKind.UNSAFE})
"""Kinds of claims on artifacts of which each value has its support, beside ATTESTED."""

DECIDED = frozenset({ClaimKind.WAIVED, ClaimKind.CRITICALITY, ClaimKind.PLACED, ClaimKind.WITHDRAWN})
"""Kinds of claims that only a person's decision makes, and of which the newest counts."""

CLAIMS_READ = frozenset({ClaimKind.ATTESTED, ClaimKind.DIGESTED}) | SAID | DECIDED
"""Kinds of claims that a status can depend on."""

UNSAFE_FORMAT = "unsafe-format"
"""The finding that may be waived."""

NORMAL = "normal"
FOR_EVER_US = 2**63 - 1

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
    """One look at one copy. `at_us` is the checker's time, but never later than its log time.

    `strength`: how much was compared, from 1 (parts) to 3 (the digest that names the artifact).
    """

    at_us: int
    index: int
    outcome: str  # match | mismatch | inconclusive
    strength: int = 3
    trust: str = Trust.OBSERVED
    bytes: int = 0  # that were read; 0: not told


class Facts(msgspec.Struct):
    """Grows in log order under one set of `cutoffs`; another set needs facts that are gathered anew.

    `cutoffs` maps a revoked signer's node key to the first log index at which it is not believed. What
    withdrawn statements said is not gathered at all, but for `retracted`. A struct, because every node that
    an entry names has some made.
    """

    key: str
    kind: NodeKind
    cutoffs: Mapping[str, int]
    about: Support = {}  # who attested this node
    retracted: set[str] = msgspec.field(
        default_factory=set
    )  # with which trusts it was attested by withdrawn statements
    origins: dict[str, Support] = {}  # artifact: `ORIGINS_KEPT` runs a signer
    inputs: dict[str, Support] = {}  # run: what it used
    outputs: dict[str, Support] = {}  # run: what it made
    answered: dict[str, Support] = {}  # run: values of DIGESTED
    deployed: dict[str, Support] = {}  # deployment: what it used
    locations: dict[str, Support] = {}  # artifact: where its bytes are said to lie
    roles: dict[str, Support] = {}  # artifact: model, dataset …
    unsafe: dict[str, Support] = {}  # artifact: why loading it is unsafe
    decided: dict[tuple[ClaimKind, str], int] = {}  # (kind, value) → newest index
    checks: dict[str, dict[tuple[str, str, int], CheckFact]] = {}
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
        if self.kind is NodeKind.RUN and claim.kind is ClaimKind.DIGESTED:
            return _keep(self.answered.setdefault(claim.value, {}), signer, trust, index)
        if self.kind is not NodeKind.ARTIFACT:
            return False
        if claim.kind in DECIDED:
            return trust == Trust.ASSERTED and self._decide(claim, index)
        slots = self._said(claim.kind)
        return slots is not None and _keep(slots.setdefault(claim.value, {}), signer, trust, index)

    def _said(self, kind: ClaimKind) -> dict[str, Support] | None:
        if kind is ClaimKind.LOCATION:
            return self.locations
        if kind is ClaimKind.ROLE:
            return self.roles
        return self.unsafe if kind is ClaimKind.UNSAFE else None

    def _decide(self, claim: Claim, index: int) -> bool:
        known = self.decided.get((claim.kind, claim.value), -1)
        self.decided[claim.kind, claim.value] = max(known, index)
        return index > known

    def _newest(self, kind: ClaimKind) -> str | None:
        """The value that was decided last."""
        found = [(index, value) for (known, value), index in self.decided.items() if known is kind]
        return max(found)[1] if found else None

    def level(self) -> str:
        """How critical it is, as was decided last."""
        return self._newest(ClaimKind.CRITICALITY) or NORMAL

    def believed_roles(self) -> list[str]:
        return [role for role, support in self.roles.items() if self.believes(support)]

    def withdrawn(self, location: str) -> bool:
        """Whether it was decided, and nothing else since, that no copy lies there any more."""
        gone = self.decided.get((ClaimKind.WITHDRAWN, location), -1)
        return gone >= 0 and self.decided.get((ClaimKind.PLACED, location), -1) < gone

    def waived_until_us(self, finding: str) -> int:
        """Until when a finding is waived, by the decision about it that came last; 0: it is not."""
        waived = [
            (index, value.partition(" ")[2])
            for (kind, value), index in self.decided.items()
            if kind is ClaimKind.WAIVED and value.partition(" ")[0] == finding
        ]
        if not waived:
            return 0
        until = int(max(waived)[1])
        return until or FOR_EVER_US

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

    def add_check(self, location: str, check: CheckFact, signer: str) -> bool:
        """Take in one look at one copy, unless its signer is not believed at that index.

        Only a signer's newest of each outcome and strength is kept: the rules read no other. Returns whether
        this is it.
        """
        if check.index >= self.cutoffs.get(signer, ALWAYS_BELIEVED):
            return False
        newest = self.checks.setdefault(location, {})
        place = (signer, check.outcome, check.strength)
        known = newest.get(place)
        if known is None or (known.at_us, known.index) < (check.at_us, check.index):
            newest[place] = check
            return True
        return False


def _keep(support: Support, signer: str, trust: str, index: int) -> bool:
    who = signer, trust
    if support.get(who, ALWAYS_BELIEVED) <= index:
        return False
    support[who] = index
    return True


def capped(check: CheckResult, received_us: int) -> int:
    """A check's own time in microseconds, but not after the moment at which the log received it."""
    return min(check.at, received_us)

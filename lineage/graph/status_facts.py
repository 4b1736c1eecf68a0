"""What the log says of one node, as far as its status depends on it.

Owns: `Facts`, which gathers edges, claims and checks in log order and forgets what no rule reads. Pure.
Does not own: the rules (`status`), or where facts are loaded from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from lineage.graph.model import CheckResult, Claim, ClaimKind, Edge, EdgeType, NodeKind

UNDIGESTED = "uri:"
"""Scheme of nodes that are named but not digested."""

_SAID_IN = {ClaimKind.LOCATION: "locations", ClaimKind.ROLE: "roles", ClaimKind.UNSAFE: "unsafe"}
"""The attribute of facts that each of `SAID` is kept in."""

SAID = frozenset(_SAID_IN)
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

One by a single signer is shared by all that the statement says, and never changed; a larger one is its
holder's own.
"""

Said = tuple[tuple[int, str], ...]
"""Log indexes at which something was decided, and the signers' node keys. All of them: whoever disbelieves
the newest needs the one before, and persons decide seldom."""

_RUN, _ARTIFACT, _DEPLOYMENT = NodeKind.RUN, NodeKind.ARTIFACT, NodeKind.DEPLOYMENT
_USED, _GENERATED = EdgeType.USED, EdgeType.WAS_GENERATED_BY
# Looking a member up in its enumeration takes as long as a dictionary of some facts.

NOTHING: Any = MappingProxyType({})
"""What nearly all facts of nearly all nodes are: no node has room made for what nobody said of it."""


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
    about: Support = NOTHING  # who attested this node
    retracted: frozenset[str] = frozenset()  # with which trusts withdrawn statements attested it
    origins: dict[str, Support] = NOTHING  # artifact: `ORIGINS_KEPT` runs a signer
    inputs: dict[str, Support] = NOTHING  # run: what it used
    outputs: dict[str, Support] = NOTHING  # run: what it made
    answered: dict[str, Support] = NOTHING  # run: values of DIGESTED
    deployed: dict[str, Support] = NOTHING  # deployment: what it used
    locations: dict[str, Support] = NOTHING  # artifact: where its bytes are said to lie
    roles: dict[str, Support] = NOTHING  # artifact: model, dataset …
    unsafe: dict[str, Support] = NOTHING  # artifact: why loading it is unsafe
    decided: dict[tuple[ClaimKind, str], Said] = NOTHING  # (kind, value) → when, and by which key
    checks: dict[str, dict[tuple[str, str, int], CheckFact]] = NOTHING
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
        who = signer, trust
        return self.claimed(claim.kind, claim.value, who, index, {who: index})

    def claimed(self, kind: ClaimKind, value: str, who: tuple[str, str], index: int, said: Support) -> bool:
        """The same of a claim by its parts. `said` is the support that all of the statement has alone."""
        if kind is ClaimKind.ATTESTED:
            about = self.about
            if about.get(who, ALWAYS_BELIEVED) <= index:
                return False
            self.about = _with(about, who, index) if about else said
            return True
        if self.kind is not _ARTIFACT:
            return (
                kind is ClaimKind.DIGESTED
                and self.kind is _RUN
                and self._supported("answered", value, who, index, said)
            )
        if kind in DECIDED:
            return who[1] == Trust.ASSERTED and self._decide(kind, value, index, who[0])
        slots = _SAID_IN.get(kind)
        return slots is not None and self._supported(slots, value, who, index, said)

    def _decide(self, kind: ClaimKind, value: str, index: int, signer: str) -> bool:
        known = self.decided.get((kind, value), ())
        if (index, signer) in known:
            return False
        if not self.decided:
            self.decided = {}
        self.decided[kind, value] = (*known, (index, signer))
        return True

    def _newest_saying(self, kind: ClaimKind, value: str) -> int:
        """The index of the newest decision that says so, by a key that is believed for it; -1: none."""
        said = self.decided.get((kind, value), ())
        until = self.cutoffs.get
        return max((index for index, signer in said if index < until(signer, ALWAYS_BELIEVED)), default=-1)

    def _supported(self, slots: str, name: str, who: tuple[str, str], index: int, said: Support) -> bool:
        """Take in the support of one thing of those in the attribute `slots`."""
        named: dict[str, Support] = getattr(self, slots)
        support = named.get(name)
        if support is None:
            if named:
                named[name] = said
            else:
                setattr(self, slots, {name: said})
            return True
        if support.get(who, ALWAYS_BELIEVED) <= index:
            return False
        named[name] = _with(support, who, index)
        return True

    def _newest(self, kind: ClaimKind) -> str | None:
        """The value that was decided last."""
        found = [(self._newest_saying(kind, value), value) for known, value in self.decided if known is kind]
        index, value = max(found, default=(-1, ""))
        return value if index >= 0 else None

    def level(self) -> str:
        """How critical it is, as was decided last."""
        return self._newest(ClaimKind.CRITICALITY) or NORMAL

    def believed_roles(self) -> list[str]:
        return [role for role, support in self.roles.items() if self.believes(support)]

    def withdrawn(self, location: str) -> bool:
        """Whether it was decided, and nothing else since, that no copy lies there any more."""
        gone = self._newest_saying(ClaimKind.WITHDRAWN, location)
        return gone >= 0 and self._newest_saying(ClaimKind.PLACED, location) < gone

    def waived_until_us(self, finding: str) -> int:
        """Until when a finding is waived, by the decision about it that came last; 0: it is not."""
        waived = [
            (self._newest_saying(kind, value), value.partition(" ")[2])
            for kind, value in self.decided
            if kind is ClaimKind.WAIVED and value.partition(" ")[0] == finding
        ]
        index, until = max(waived, default=(-1, ""))
        return (int(until) or FOR_EVER_US) if index >= 0 else 0

    def add_edge(self, edge: Edge, signer: str, trust: str, index: int) -> bool:
        """Take in an edge of this node; returns whether it is one that a rule reads, and news."""
        who = signer, trust
        if edge.source == self.key:
            return self.caused(edge.type, edge.target, who, index, {who: index})
        return self.causes(edge.type, edge.source, who, index, {who: index})

    def caused(self, kind: EdgeType, cause: str, who: tuple[str, str], index: int, said: Support) -> bool:
        """The same of an edge that leads from this node to a cause. `said`: as of `claimed`."""
        if kind is _USED:
            if self.kind is _RUN:
                return self._supported("inputs", cause, who, index, said)
            return self.kind is _DEPLOYMENT and self._supported("deployed", cause, who, index, said)
        if kind is not _GENERATED or self.kind is not _ARTIFACT:
            return False
        if self.origins:
            named = [run for run, support in self.origins.items() if who in support]
            if cause not in named and len(named) >= ORIGINS_KEPT:
                return False
        return self._supported("origins", cause, who, index, said)

    def causes(self, kind: EdgeType, effect: str, who: tuple[str, str], index: int, said: Support) -> bool:
        """The same of an edge that leads to this node from an effect."""
        made = kind is _GENERATED and self.kind is _RUN
        return made and self._supported("outputs", effect, who, index, said)

    def add_check(self, location: str, check: CheckFact, signer: str) -> bool:
        """Take in one look at one copy, unless its signer is not believed at that index.

        Only a signer's newest of each outcome and strength is kept: the rules read no other. Returns whether
        this is it.
        """
        if check.index >= self.cutoffs.get(signer, ALWAYS_BELIEVED):
            return False
        if not self.checks:
            self.checks = {}
        newest = self.checks.setdefault(location, {})
        place = (signer, check.outcome, check.strength)
        known = newest.get(place)
        if known is None or (known.at_us, known.index) < (check.at_us, check.index):
            newest[place] = check
            return True
        return False


def _with(support: Support, who: tuple[str, str], index: int) -> Support:
    """Instead of the support: one in which they said it at that index."""
    if len(support) > 1:
        support[who] = index
        return support
    return {**support, who: index}


def capped(check: CheckResult, received_us: int) -> int:
    """A check's own time in microseconds, but not after the moment at which the log received it."""
    return min(check.at, received_us)

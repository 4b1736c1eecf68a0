"""The status of a node: exactly one of four at any moment, with its reasons, derived from facts.

Owns: the table of rules, one function a node kind. Pure: facts in, timeline out; time is an axis of the
result, never read. Does not own: gathering facts (`status_facts`), copies (`status_copies`), precedence
and merging (`status_timeline`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lineage.graph import status_copies
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.status_copies import RULES_VERSION, Rules
from lineage.graph.status_facts import (
    ALWAYS_BELIEVED,
    UNDIGESTED,
    UNSAFE_FORMAT,
    CheckFact,
    Facts,
    KeyLife,
    Support,
    Trust,
)
from lineage.graph.status_timeline import (
    BEGINNING_US,
    FOREVER_US,
    PRECEDENCE,
    Finding,
    Piece,
    Reason,
    Status,
    at,
    timeline,
)

__all__ = [
    "ALWAYS_BELIEVED", "BEGINNING_US", "FOREVER_US", "PRECEDENCE", "RULES_VERSION",
    "CheckFact", "Facts", "Finding", "KeyLife", "Piece", "Reason", "Rules", "Status", "Support", "Timelines",
    "Trust", "at", "evaluate", "timeline",
]  # fmt: skip

Timelines = Mapping[str, tuple[Piece, ...]]
"""Node key → its pieces, for the nodes whose status another node's depends on."""


def evaluate(facts: Facts, rules: Rules, used: Timelines) -> tuple[Piece, ...]:
    """The pieces of a node's status, from BEGINNING_US to FOREVER_US.

    `used` holds the timelines of everything that a deployment USED; other kinds don't read it.
    """
    return timeline(_RULES[facts.kind](facts, rules, used))


_UNVERIFIED = {reason: Finding(Status.UNVERIFIED, reason) for reason in Reason}
"""Those that hold at any time, made once: nearly every node that an entry touches has one."""

_OBSERVED = Trust.OBSERVED.value
_ATTESTING: tuple[tuple[str, Reason | None], ...] = (
    (Trust.SIGNED.value, None),
    (_OBSERVED, Reason.OBSERVED_ONLY),
)
"""Trusts that attest, as supports have them, and what the node lacks where it is that one."""


def _attestation(facts: Facts) -> Reason | None:
    """Why the node counts as not attested, or None where a signed attestation is still believed."""
    if not facts.about and not facts.retracted:
        return Reason.NO_ATTESTATION
    cutoffs = facts.cutoffs
    for trust, reason in _ATTESTING:
        said = False
        for (signer, how), index in facts.about.items():
            if how == trust:
                said = True
                if not cutoffs or index < cutoffs.get(signer, ALWAYS_BELIEVED):
                    return reason
        if said or trust in facts.retracted:
            return Reason.SIGNER_REVOKED if said else Reason.STATEMENT_WITHDRAWN
    return Reason.NO_ATTESTATION


def _unattested(facts: Facts) -> Iterator[Finding]:
    reason = _attestation(facts)
    if reason is not None:
        yield _UNVERIFIED[reason]


def _contested(facts: Facts) -> bool:
    """Whether two signers name different runs as the origin, both signed and still believed.

    With two signers and two runs there is always such a pair, whoever said which.
    """
    signers, runs = set(), set()
    for run, support in facts.origins.items():
        for (signer, trust), index in support.items():
            if trust == Trust.SIGNED and index < facts.cutoffs.get(signer, ALWAYS_BELIEVED):
                signers.add(signer)
                runs.add(run)
    return len(signers) > 1 and len(runs) > 1


def _artifact(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    reason = _attestation(facts)
    if reason is not None:
        yield _UNVERIFIED[reason]
    if len(facts.origins) > 1 and _contested(facts):
        yield _UNVERIFIED[Reason.CONTESTED_ORIGIN]
    if facts.digested:
        if facts.unsafe:
            yield from _unsafe(facts)
        if facts.locations:
            yield from status_copies.findings(facts, rules)
    else:
        yield _UNVERIFIED[Reason.URI_ONLY]


def _unsafe(facts: Facts) -> Iterator[Finding]:
    """Whether loading it may run somebody's code, unless an officer took that upon them for a time."""
    if any(facts.believes(support) for support in facts.unsafe.values()):
        yield Finding(Status.FAILED, Reason.UNSAFE_FORMAT, from_us=facts.waived_until_us(UNSAFE_FORMAT))


def _run(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    reason = _attestation(facts)
    if reason is not None:
        yield _UNVERIFIED[reason]
    use, made = EdgeType.USED, EdgeType.WAS_GENERATED_BY
    differs = _differs(facts, use, facts.inputs) or _differs(facts, made, facts.outputs)
    if differs and facts.believed_by(Trust.SIGNED, facts.about):
        yield Finding(Status.FAILED, Reason.OBSERVED_DIFFERS)
    if _undigested(facts, use, facts.inputs) or _undigested(facts, made, facts.outputs):
        yield _UNVERIFIED[Reason.INPUT_UNDIGESTED]


def _undigested(facts: Facts, direction: EdgeType, named: Mapping[str, Support]) -> bool:
    """Whether something is named without a digest.

    What our collector alone saw without one doesn't count where who signed gives the same URI a digest: the
    collector may have come first, and takes nothing back. What they leave out counts.
    """
    for key, support in named.items():
        if not key.startswith(UNDIGESTED) or not facts.believes(support):
            continue
        said = any(facts.believed_by(trust, support) for trust in Trust if trust is not Trust.OBSERVED)
        if said or not facts.believed_by(Trust.SIGNED, facts.answered.get(f"{direction} {key}", {})):
            return True
    return False


def _differs(facts: Facts, direction: EdgeType, named: Mapping[str, Support]) -> bool:
    """Whether our collector saw a digest that those who signed leave out, though they named others like it.

    A folder's digest and a file's are not compared, nor what is named without a digest, nor a digest that
    our collector only heard of (it then claims DIGESTED of the digest itself): it saw no bytes.
    """
    for support in named.values():
        for _, how in support:
            if how == _OBSERVED:
                return _contradicted(facts, direction, named)
    return False


def _contradicted(facts: Facts, direction: EdgeType, named: Mapping[str, Support]) -> bool:
    """Whether what those who signed name leaves out a digest that our collector saw."""
    signed, observed = set(), set()
    for key, support in named.items():
        if facts.believed_by(Trust.SIGNED, support):
            signed.add(key)
        elif not key.startswith(UNDIGESTED) and facts.believed_by(Trust.OBSERVED, support):
            heard = facts.answered.get(f"{direction} {key}", {})
            if not facts.believed_by(Trust.OBSERVED, heard):
                observed.add(key)
    schemes = {key.partition(":")[0] for key in signed}
    return any(key.partition(":")[0] in schemes for key in observed)


def _hardware(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    # Appraised evidence is what could make it verified, and no statement carries any yet.
    signed = _attestation(facts) is None
    yield _UNVERIFIED[Reason.NO_EVIDENCE if signed else Reason.ASSERTED_ONLY]


def _deployment(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    """As what it deploys, by what is still believed of that; and signed itself."""
    yield from _unattested(facts)
    for key, support in facts.deployed.items():
        if facts.believes(support):
            for piece in used[key]:
                for reason in piece.reasons:
                    yield Finding(piece.status, reason, piece.from_us, piece.until_us)


def _signer(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    life = facts.life
    if life is None:
        yield _UNVERIFIED[Reason.ASSERTED_ONLY]
        return
    if life.not_before_us is not None:
        yield Finding(Status.UNVERIFIED, Reason.NOT_YET_VALID, until_us=life.not_before_us)
    if life.not_after_us is not None:  # in force up to and with its last microsecond
        yield Finding(Status.EXPIRED, Reason.KEY_ENDED, from_us=life.not_after_us + 1)
    if life.ended_us is not None:
        yield Finding(Status.EXPIRED, Reason.KEY_ENDED, from_us=life.ended_us)
    if life.compromised_us is not None:
        yield Finding(Status.FAILED, Reason.KEY_COMPROMISED, from_us=life.compromised_us)


def _registrable(facts: Facts, rules: Rules, used: Timelines) -> Iterator[Finding]:
    # Suppliers and places can be named, not yet registered.
    yield _UNVERIFIED[Reason.ASSERTED_ONLY]


_RULES: Mapping[NodeKind, Callable[[Facts, Rules, Timelines], Iterator[Finding]]] = {
    NodeKind.ARTIFACT: _artifact,
    NodeKind.RUN: _run,
    NodeKind.HARDWARE: _hardware,
    NodeKind.DEPLOYMENT: _deployment,
    NodeKind.SIGNER: _signer,
    NodeKind.SUPPLIER: _registrable,
    NodeKind.PLACE: _registrable,
}

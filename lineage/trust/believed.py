"""The ring as the log's decisions leave it, where some of them are believed no longer.

Owns: folding a decision with its memory, and folding all of them anew when the offline root says that the
platform's key was not its owner's any more. Decisions that the stolen key signed from that log time on have
no effect then, and neither have those of keys that it put into its own place. Keys and roots that they
brought in stay known, revoked from their first moment, so that what they signed can still be named.
Revocations and ends that they decided are undone. Does not own: who signed a decision (`keyring`), what one
does (`decisions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from lineage.errors import MalformedError
from lineage.trust import decisions, epoch_decisions, platform_decisions, signer_decisions
from lineage.trust.decision_form import Decision
from lineage.trust.keys import PublicKey
from lineage.trust.platform_decisions import Replacement
from lineage.trust.policy import (
    ROOT_PREFIX,
    AdoptedRoot,
    KeyRing,
    Past,
    Registration,
    Revocation,
    Role,
    Scopes,
)

STOLEN = "decided by a platform key that was not its owner's any more"


def fold(
    ring: KeyRing, decision: Decision, index: int, received_us: int, signers: Iterable[str] = ()
) -> KeyRing:
    """The ring after the decision that is entry `index`; `signers`: the platform's own keys that signed it.

    Raises: MalformedError, as `check`.
    """
    after, past = _applied(ring, decision, index, received_us, signers)
    return replace(_anew(past) if _undoes(past) else after, past=past)


def check(
    ring: KeyRing, decision: Decision, index: int, received_us: int, signers: Iterable[str] = ()
) -> None:
    """Whether `fold` would take the decision, without folding thousands of others anew.

    Raises: MalformedError, as `decisions.apply`; also where the root that a replacement comes from was itself
        brought in by decisions that are believed no longer.
    """
    _applied(ring, decision, index, received_us, signers)


def _applied(
    ring: KeyRing, decision: Decision, index: int, received_us: int, signers: Iterable[str]
) -> tuple[KeyRing, Past]:
    after = decisions.apply(ring, decision, index, received_us)
    past = Past(decision.action, decision.body, index, received_us, frozenset(signers), ring.past)
    root = ring.holder("root")
    if _undoes(past) and root is not None:
        since = ring.own[root.key_id].index
        if any(gone for each, gone in _judged(past) if each.index == since):
            raise MalformedError(
                "The root was registered after that time by the key that is to be replaced.",
                hint="Name a time after the root's registration, or begin another log.",
            )
    return after, past


def _undoes(past: Past) -> bool:
    """Whether decisions before it may lose their effect."""
    what = _replacement(past)
    return what is not None and what.role == "platform"


def fallen(ring: KeyRing) -> tuple[Past, ...]:
    """The decisions about keys that are believed no longer, in log order."""
    return tuple(each for each, gone in _judged(ring.past) if gone)


def _anew(newest: Past) -> KeyRing:
    """The ring that all decisions up to `newest` make, without those that are believed no longer."""
    ring = KeyRing()
    before: Past | None = None
    for each, gone in _judged(newest):
        # Under the name that a thief gave the log checkpoints were published, which stays so.
        if gone and each.action != epoch_decisions.NEW_EPOCH:
            ring = _known_only(ring, each, newest.index)
        else:
            try:
                ring = decisions.apply(ring, _decision(each), each.index, each.received_us)
            except MalformedError:
                # It rests on one that has fallen, such as the rotation of a key that a thief registered.
                ring = _known_only(ring, each, newest.index)
        before = each
        ring = replace(ring, past=before, policy_index=max(ring.policy_index, each.index))
    return ring


def _judged(newest: Past | None) -> list[tuple[Past, bool]]:
    """Every decision in log order, and whether it is believed no longer."""
    events: list[Past] = []
    while newest is not None:
        events.append(newest)
        newest = newest.before
    events.reverse()
    cuts: dict[str, int] = {}
    for each in events:
        what = _replacement(each)
        if what is not None and what.role == "platform":
            cuts[what.old_key_id] = min(what.from_us, cuts.get(what.old_key_id, what.from_us))
    judged = []
    for each in events:
        # What the root signed stands: it has no cut, because only platform keys have one.
        gone = bool(each.signers) and all(
            each.received_us >= cuts.get(s, each.received_us + 1) for s in each.signers
        )
        if gone and each.action == platform_decisions.ROTATE:
            thief = platform_decisions.named(_decision(each))
            if thief.role == "platform":
                stolen = thief.key.key_id
                cuts[stolen] = min(each.received_us, cuts.get(stolen, each.received_us))
        judged.append((each, gone))
    return judged


def _replacement(each: Past) -> Replacement | None:
    if each.action != platform_decisions.REPLACE:
        return None
    return platform_decisions.read_replacement(_decision(each), each.index, each.received_us)


def _known_only(ring: KeyRing, each: Past, index: int) -> KeyRing:
    """The ring with the signers and roots that a fallen decision brought in, none of them ever believed."""
    start = each.received_us
    registrations, roots = _brought(each)
    for registration in registrations:
        key_id = registration.key.key_id
        if key_id not in ring.keys:
            ring = ring.register(registration).revoke(Revocation(key_id, start, STOLEN, True, index))
    for root_id, root in roots.items():
        if root_id not in ring.roots:
            ring = ring.adopt(root).revoke(Revocation(ROOT_PREFIX + root_id, start, STOLEN, True, index))
    return ring


def _brought(each: Past) -> tuple[list[Registration], dict[str, AdoptedRoot]]:
    """The signers and roots that a decision names for the first time."""
    decision = _decision(each)
    if decision.action in platform_decisions.APPLY:
        new = platform_decisions.named(decision)
        return [replace(new, index=each.index, registered_us=each.received_us)], {}
    if decision.action == signer_decisions.ROTATE_KEY:
        return [
            Registration(key, name, Scopes(), None, None, each.index, each.received_us)
            for _, name, key in signer_decisions.named(decision)
            if key is not None
        ], {}
    if decision.action in _ALONE:
        alone = decisions.apply(KeyRing(), decision, each.index, each.received_us)
        return list(alone.keys.values()), dict(alone.roots)
    return [], {}


_ALONE = (decisions.REGISTER_KEY, signer_decisions.REGISTER_IDENTITY, signer_decisions.ADOPT_ROOT)
"""Actions that need nothing of the ring."""


def _decision(each: Past) -> Decision:
    return Decision(each.action, "", "", each.body)


def held_since(ring: KeyRing, role: Role) -> tuple[tuple[int, PublicKey], ...]:
    """Who held a role of the platform as it was believed then: (index of the decision that made it so, key).

    Each holds it for the tree sizes above its index, up to the index of the next.
    """
    newest = ring.past
    while newest is not None and newest.action not in _ABOUT_OWN:
        newest = newest.before
    return _held_since(newest, role)


@lru_cache(maxsize=16)
def _held_since(newest: Past | None, role: Role) -> tuple[tuple[int, PublicKey], ...]:
    # What was decided of pipelines' keys, thousands of times more, bears on no role.
    own: Past | None = None
    found: list[tuple[int, PublicKey]] = []
    for each, _ in _judged(newest):
        if each.action not in _ABOUT_OWN:
            continue
        own = replace(each, before=own)
        key = _anew(own).holder(role)
        if key is not None and (not found or found[-1][1] != key):
            found.append((each.index, key))
    return tuple(found)


_ABOUT_OWN = frozenset({decisions.BOOTSTRAP, *platform_decisions.APPLY})

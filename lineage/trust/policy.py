"""Which keys there are, when they are in force, and what each may say.

Owns: scopes, registrations, revocations and the key ring that results from the log's decisions. Pure: every
moment is an argument. Does not own: signatures (`keys`, `verify`) or reading decisions (`decisions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from types import MappingProxyType
from typing import Literal, get_args

from lineage.trust.keys import PublicKey
from lineage.trust.leaf import rfc3339

Role = Literal["pipeline", "log", "platform", "collector", "reverifier"]
ROLES: tuple[str, ...] = get_args(Role)

ARTIFACT_KIND = "artifact"
_OTHER_KINDS = frozenset({"run", "hardware", "deployment", "signer", "supplier", "place"})
"""Kinds of nodes besides artifacts: any other claimed kind is an artifact's role."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """What a key may say. Without a predicate type and without `any` it may say nothing.

    Attributes:
        any: no limit at all; the other fields are not looked at.
        predicate_types: exact and case-sensitive.
        builders: builder ids, exact; a statement that speaks for none needs none.
        subjects: globs (`fnmatchcase`) over subject names; empty: every name.
        kinds: node kinds or artifact roles; empty: every kind.
    """

    any: bool = False
    predicate_types: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a statement claims, as far as scopes judge it.

    `kinds` holds, for each node that is named, its node kind; for an artifact its claimed roles, or
    "artifact" where it has none.
    """

    predicate_type: str
    subject_names: tuple[str, ...] = ()
    builders: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Registration:
    """A key, known since log index `index`. Times are microseconds since the epoch, UTC; None: no bound.

    In force from `not_before_us` to `not_after_us`, both included.
    """

    key: PublicKey
    name: str
    scopes: Scopes
    not_before_us: int | None
    not_after_us: int | None
    index: int
    registered_us: int
    role: Role = "pipeline"


@dataclass(frozen=True, slots=True)
class Revocation:
    """From `from_us` on (microseconds, log time) nothing that the key signed is believed."""

    key_id: str
    from_us: int
    reason: str
    compromised: bool
    index: int


@dataclass(frozen=True)
class KeyRing:
    """Every key that the log's decisions have named up to `policy_index` (-1: none yet). Never changes."""

    keys: Mapping[str, Registration] = field(default_factory=lambda: MappingProxyType({}))
    revocations: Mapping[str, tuple[Revocation, ...]] = field(default_factory=lambda: MappingProxyType({}))
    policy_index: int = -1

    def register(self, registration: Registration) -> KeyRing:
        """A ring with this key; a key that is known already gets the new name, scopes and window.

        Its revocations stay: registering again brings no key back to life.
        """
        keys = {**self.keys, registration.key.key_id: registration}
        return replace(
            self, keys=MappingProxyType(keys), policy_index=max(self.policy_index, registration.index)
        )

    def revoke(self, revocation: Revocation) -> KeyRing:
        """A ring with one more revocation; the earliest moment of a key counts."""
        known = self.revocations.get(revocation.key_id, ())
        revocations = {**self.revocations, revocation.key_id: (*known, revocation)}
        return replace(
            self,
            revocations=MappingProxyType(revocations),
            policy_index=max(self.policy_index, revocation.index),
        )

    @cached_property
    def _newest(self) -> tuple[PublicKey, ...]:
        ordered = sorted(self.keys.values(), key=lambda r: (-r.index, r.key.key_id))
        return tuple(registration.key for registration in ordered)

    @cached_property
    def _by_hint(self) -> Mapping[str, tuple[PublicKey, ...]]:
        found: dict[str, tuple[PublicKey, ...]] = {}
        for key in self._newest:
            for hint in key.hints:
                found[hint] = (*found.get(hint, ()), key)
        return found

    def candidates(self, hint: str) -> tuple[PublicKey, ...]:
        """The keys that `hint` names; where it names none (or is empty), all, newest registered first."""
        return self._by_hint.get(hint, self._newest)

    def revoked_from(self, key_id: str) -> int | None:
        """The earliest moment (microseconds) from which the key is revoked, or None."""
        return min((r.from_us for r in self.revocations.get(key_id, ())), default=None)

    def in_force(self, key_id: str, at_us: int) -> str | None:
        """None where the key is in force at log time `at_us`, else the reason as a sentence."""
        registration = self.keys.get(key_id)
        if registration is None:
            return "The key is not registered."
        revoked = [r for r in self.revocations.get(key_id, ()) if r.from_us <= at_us]
        if revoked:
            first = min(revoked, key=lambda r: (r.from_us, r.index))
            compromised = " as compromised" if any(r.compromised for r in revoked) else ""
            return f"The key is revoked{compromised} from {rfc3339(first.from_us)}: {first.reason}"
        if registration.not_before_us is not None and at_us < registration.not_before_us:
            return f"The key is not in force before {rfc3339(registration.not_before_us)}."
        if registration.not_after_us is not None and at_us > registration.not_after_us:
            return f"The key ended at {rfc3339(registration.not_after_us)}."
        return None

    def may(self, key_id: str, claimed: Claimed) -> str | None:
        """None where the key may say what is claimed, else the reason as a sentence.

        Does not ask whether the key is in force.
        """
        registration = self.keys.get(key_id)
        if registration is None:
            return "The key is not registered."
        if registration.scopes.any:
            return None
        return _outside(registration.scopes, claimed)


def _outside(scopes: Scopes, claimed: Claimed) -> str | None:
    if claimed.predicate_type not in scopes.predicate_types:
        return f"The key may not sign the predicate type {claimed.predicate_type}."
    for builder in sorted(claimed.builders):
        if builder not in scopes.builders:
            return f"The key may not speak for the builder {builder}."
    if scopes.subjects:
        for name in claimed.subject_names:
            if not any(fnmatchcase(name, glob) for glob in scopes.subjects):
                return f"The key may not name the subject {name!r}."
    if scopes.kinds:
        for kind in sorted(claimed.kinds):
            if not _covers(scopes.kinds, kind):
                return f"The key may not name things of the kind {kind}."
    return None


def _covers(kinds: tuple[str, ...], kind: str) -> bool:
    return kind in kinds or (ARTIFACT_KIND in kinds and kind not in _OTHER_KINDS)

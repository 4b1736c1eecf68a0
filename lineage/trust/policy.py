"""Which signers there are, when they are in force, and what each may say.

Owns: scopes, registrations, revocations and the key ring that results from the log's decisions. A signer is a
key, or an identity that signs by certificates of a root. Pure: every moment is an argument. Does not own:
signatures (`keys`, `verify`, `certified`) or reading decisions (`decisions`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

from lineage.trust.epochs import Began
from lineage.trust.identities import Identity
from lineage.trust.keys import PublicKey
from lineage.trust.leaf import rfc3339
from lineage.trust.roots import Root

Role = Literal["pipeline", "log", "platform", "collector", "reverifier", "root"]
"""All but `pipeline` are the platform's own; `root` is the offline key that can replace the others."""
ROLES: tuple[str, ...] = get_args(Role)

ROOT_PREFIX = "root:"
"""Before a root's id, where a revocation names one."""

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


class Claimed(msgspec.Struct, frozen=True, gc=False):
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
    """A signer, known since log index `index`. Times are microseconds since the epoch, UTC; None: no bound.

    In force from `not_before_us` to `not_after_us`, both included. `vouched_by` is the key that this one
    replaced and that signed for it, "" where a person alone answers for it.
    """

    key: PublicKey | Identity
    name: str
    scopes: Scopes
    not_before_us: int | None
    not_after_us: int | None
    index: int
    registered_us: int
    role: Role = "pipeline"
    vouched_by: str = ""


@dataclass(frozen=True, slots=True)
class AdoptedRoot:
    """Trust material that certificates may chain to, since log index `index`."""

    root: Root
    name: str
    index: int
    adopted_us: int


@dataclass(frozen=True, slots=True)
class Revocation:
    """From `from_us` on (microseconds, log time) nothing that the signer signed is believed.

    `key_id` is a signer's id, or `root:` and a root's id: then it covers every identity of that root.
    """

    key_id: str
    from_us: int
    reason: str
    compromised: bool
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """A decision that a ring was folded from, and those before it, newest first.

    Attributes:
        action, body: as in `decision_form.Decision`; kept so that belief in it can be taken back.
        index, received_us: the log entry; microseconds, UTC.
        signers: ids of the platform's own keys that signed it.
        before: the decision that it followed; None for the first.
    """

    action: str
    body: bytes
    index: int
    received_us: int
    signers: frozenset[str]
    before: Past | None


@dataclass(frozen=True)
class KeyRing:
    """Every signer that the log's decisions have named up to `policy_index` (-1: none yet). Never changes.

    `keys` has registrations by signer id, `revocations` what was decided by signer id or `root:<root id>`;
    what follows for others is in `effective`. `past` is what a ring of the log was folded from (`believed`),
    `own` the registrations of the platform's own keys, by key id, `epochs` those that the log began after its
    first, in log order.
    """

    keys: Mapping[str, Registration] = field(default_factory=lambda: MappingProxyType({}))
    revocations: Mapping[str, tuple[Revocation, ...]] = field(default_factory=lambda: MappingProxyType({}))
    policy_index: int = -1
    roots: Mapping[str, AdoptedRoot] = field(default_factory=lambda: MappingProxyType({}))
    past: Past | None = field(default=None, compare=False, repr=False)
    own: Mapping[str, Registration] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    epochs: tuple[Began, ...] = ()

    def register(self, registration: Registration) -> KeyRing:
        """A ring with this key; a key that is known already gets the new name, scopes and window.

        Its revocations stay: registering again brings no key back to life.
        """
        signer = registration.key.key_id
        own = self.own
        if registration.role != "pipeline":
            own = MappingProxyType({**own, signer: registration})
        return replace(
            self,
            keys=MappingProxyType({**self.keys, signer: registration}),
            own=own,
            policy_index=max(self.policy_index, registration.index),
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

    def adopt(self, root: AdoptedRoot) -> KeyRing:
        """A ring with this root; one that is known already gets the new name."""
        roots = {**self.roots, root.root.root_id: root}
        return replace(self, roots=MappingProxyType(roots), policy_index=max(self.policy_index, root.index))

    def begin(self, epoch: Began, index: int) -> KeyRing:
        """A ring with one more epoch, by the decision that is log entry `index`."""
        return replace(self, epochs=(*self.epochs, epoch), policy_index=max(self.policy_index, index))

    def holder(self, role: Role) -> PublicKey | None:
        """The key that holds a role of the platform: the newest registered for it that is not revoked."""
        found = [r for r in self.own.values() if r.role == role and not self._covering(r)]
        newest = max(found, key=lambda r: (r.index, r.key.key_id), default=None)
        return newest.key if newest is not None and isinstance(newest.key, PublicKey) else None

    @cached_property
    def _newest(self) -> tuple[PublicKey, ...]:
        ordered = sorted(self.keys.values(), key=lambda r: (-r.index, r.key.key_id))
        return tuple(r.key for r in ordered if isinstance(r.key, PublicKey))

    @cached_property
    def identities(self) -> tuple[Identity, ...]:
        """Every registered identity, by id."""
        found = (r.key for r in self.keys.values() if isinstance(r.key, Identity))
        return tuple(sorted(found, key=lambda identity: identity.key_id))

    def identified(self, issuer: str, subject: str, root: str) -> tuple[str, ...]:
        """Ids of the registered identities that a certificate of this issuer, subject and root stands for."""
        return tuple(each.key_id for each in self.identities if each.fits(issuer, subject, root))

    @cached_property
    def effective(self) -> Mapping[str, tuple[Revocation, ...]]:
        """By signer id, the revocations that cover it: its own, its root's, and its voucher's.

        Signers without any are left out. A signer that a key vouched for after that key was no longer to be
        believed is not to be believed from its own registration on; an identity falls with its root.
        """
        found: dict[str, tuple[Revocation, ...]] = {}
        # Whoever vouches was there before, so what covers it is known by the time that it is asked for.
        for registration in sorted(self.keys.values(), key=lambda each: each.index):
            voucher = self._voucher(registration)
            of_voucher = found[voucher.key.key_id] if voucher is not None else ()
            found[registration.key.key_id] = self._covered(registration, of_voucher)
        unknown = {signer: r for signer, r in self.revocations.items() if signer not in self.keys}
        return MappingProxyType({signer: all_ for signer, all_ in (found | unknown).items() if all_})

    def _covering(self, registration: Registration) -> tuple[Revocation, ...]:
        """What covers one signer; a chain of vouchers may be longer than functions can call themselves."""
        chain = [registration]
        while (voucher := self._voucher(chain[-1])) is not None:
            chain.append(voucher)
        covering: tuple[Revocation, ...] = ()
        for link in reversed(chain):
            covering = self._covered(link, covering)
        return covering

    def _voucher(self, registration: Registration) -> Registration | None:
        """Whose revocations cover this one too: a later registration of the voucher starts another chain."""
        voucher = self.keys.get(registration.vouched_by)
        return voucher if voucher is not None and voucher.index < registration.index else None

    def _covered(
        self, registration: Registration, of_voucher: tuple[Revocation, ...]
    ) -> tuple[Revocation, ...]:
        signer = registration.key.key_id
        own = self.revocations.get(signer, ())
        if isinstance(registration.key, Identity):
            of_root = self.revocations.get(ROOT_PREFIX + registration.key.root, ())
            own += tuple(replace(r, key_id=signer, reason=f"its root: {r.reason}") for r in of_root)
        start = registration.registered_us
        return own + tuple(
            replace(r, key_id=signer, from_us=start, reason=f"the key that vouched for it: {r.reason}")
            for r in of_voucher
            if r.from_us <= start
        )

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
        """The earliest moment (microseconds) from which the signer is revoked, or None."""
        return min((r.from_us for r in self.effective.get(key_id, ())), default=None)

    def revoked(self, key_id: str, at_us: int) -> str | None:
        """None where no revocation covers the signer at log time `at_us`, else what one says, in words.

        `key_id` may be `root:` and a root's id.
        """
        covering = self.effective.get(key_id)
        if not covering or not (revoked := [r for r in covering if r.from_us <= at_us]):
            return None
        first = min(revoked, key=lambda r: (r.from_us, r.index))
        compromised = " as compromised" if any(r.compromised for r in revoked) else ""
        return f"revoked{compromised} from {rfc3339(first.from_us)}: {first.reason}"

    def in_force(self, key_id: str, at_us: int) -> str | None:
        """None where the key is in force at log time `at_us`, else the reason as a sentence."""
        registration = self.keys.get(key_id)
        if registration is None:
            return "The key is not registered."
        if (revoked := self.revoked(key_id, at_us)) is not None:
            return f"The key is {revoked}"
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
        fits = _fitting(scopes.subjects)
        for name in claimed.subject_names:
            if not fits(name):
                return f"The key may not name the subject {name!r}."
    if scopes.kinds:
        for kind in sorted(claimed.kinds):
            if not _covers(scopes.kinds, kind):
                return f"The key may not name things of the kind {kind}."
    return None


@lru_cache(256)
def _fitting(globs: tuple[str, ...]) -> Callable[[str], object]:
    """What is true of a name that `fnmatchcase` finds fitting for one of them."""
    return re.compile("|".join(map(translate, globs))).match


def _covers(kinds: tuple[str, ...], kind: str) -> bool:
    return kind in kinds or (ARTIFACT_KIND in kinds and kind not in _OTHER_KINDS)

"""What is known of each registered key or identity as of a moment, and of the roots behind identities.

Reads only. Does not own: registering and revoking (`decide`), or which key may say what (`trust.policy`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from django.db.models import Count, Max

from lineage.db.models import Entry, EntrySigner
from lineage.errors import NotFoundError
from lineage.services import keyring
from lineage.services.as_of import AsOf
from lineage.services.records import log_size
from lineage.trust import identities
from lineage.trust.identities import Identity
from lineage.trust.policy import ROOT_PREFIX, KeyRing, Registration, Revocation, Scopes

EXPIRES_SOON_US = 30 * 86_400_000_000
"""A key whose end is at most this far away (30 days, microseconds) is shown as expiring."""

ID_PREFIX = 6
"""Characters of a key id that are enough to search for it."""


class KeyRecord(msgspec.Struct, frozen=True):
    """One signer. Times are microseconds since the epoch, UTC; `key_id` is bare lowercase hex, or
    `identity:<hex>`: then `issuer`, `subject` and `root` say who is meant.

    `state` is one of in-force, not-yet, ended, revoked, compromised; `state_reason` a sentence, empty
    while it is in force. `signed` counts the entries that it verifiably signed. `vouched_by` is the key that
    it replaced, `vouches_for` those that replaced it.
    """

    key_id: str
    name: str
    role: str
    algorithm: str
    state: str
    state_reason: str
    scopes: Scopes
    not_before_us: int | None
    not_after_us: int | None
    index: int
    registered_us: int
    revocations: tuple[Revocation, ...]
    signed: int
    last_signed_us: int | None
    issuer: str = ""
    subject: str = ""
    root: str = ""
    vouched_by: str = ""
    vouches_for: tuple[str, ...] = ()


class RootRecord(msgspec.Struct, frozen=True):
    """Adopted trust material; `identities` counts those that need it."""

    root_id: str
    kind: str
    name: str
    index: int
    adopted_us: int
    revocations: tuple[Revocation, ...]
    identities: int


def list_roots(as_of: AsOf) -> list[RootRecord]:
    """Every root adopted below the log's size then, newest first."""
    ring = keyring.as_of(log_size(as_of))
    adopted = sorted(ring.roots.values(), key=lambda each: -each.index)
    return [
        RootRecord(
            each.root.root_id,
            each.root.kind,
            each.name,
            each.index,
            each.adopted_us,
            ring.revocations.get(ROOT_PREFIX + each.root.root_id, ()),
            sum(identity.root == each.root.root_id for identity in ring.identities),
        )
        for each in adopted
    ]


def list_keys(as_of: AsOf) -> list[KeyRecord]:
    """Every key registered below the log's size then, newest registration first."""
    ring = keyring.as_of(log_size(as_of))
    return _records(ring, sorted(ring.keys.values(), key=_newest_first), as_of)


def search(text: str, as_of: AsOf, *, limit: int) -> list[KeyRecord]:
    """At most `limit` keys whose name holds `text`, or whose id begins with it; newest registration first."""
    ring = keyring.as_of(log_size(as_of))
    wanted = text.lower().removeprefix("key:").removeprefix(identities.PREFIX)
    found = [
        registration
        for key_id, registration in ring.keys.items()
        if wanted in registration.name.lower()
        or (len(wanted) >= ID_PREFIX and key_id.removeprefix(identities.PREFIX).startswith(wanted))
        or (isinstance(registration.key, Identity) and wanted in registration.key.subject.lower())
    ]
    return _records(ring, sorted(found, key=_newest_first)[:limit], as_of)


def get(key_id: str, as_of: AsOf) -> KeyRecord:
    """Raises: NotFoundError where no such key was registered then."""
    ring = keyring.as_of(log_size(as_of))
    registration = ring.keys.get(key_id)
    if registration is None:
        what = "identity" if key_id.startswith(identities.PREFIX) else "key"
        raise NotFoundError(f"No {what} {key_id} is registered as of {log_size(as_of)} entries.")
    return _records(ring, [registration], as_of)[0]


def expiring(as_of: AsOf, within_us: int = EXPIRES_SOON_US) -> list[KeyRecord]:
    """Keys in force whose end comes within `within_us` (microseconds), the soonest first."""
    ring = keyring.as_of(log_size(as_of))
    soon = [
        registration
        for key_id, registration in ring.keys.items()
        if registration.not_after_us is not None
        and registration.not_after_us - as_of.at_us <= within_us
        and ring.in_force(key_id, as_of.at_us) is None
        # An own key that has its successor ends as it was meant to.
        and (registration.role == "pipeline" or ring.holder(registration.role) == registration.key)
    ]
    return _records(ring, sorted(soon, key=lambda r: r.not_after_us or 0), as_of)


def _newest_first(registration: Registration) -> tuple[int, str, str]:
    return -registration.index, registration.name, registration.key.key_id


def _records(ring: KeyRing, registrations: Iterable[Registration], as_of: AsOf) -> list[KeyRecord]:
    chosen = list(registrations)
    rows = (
        EntrySigner.objects.filter(
            signer__key_id__in=[r.key.key_id for r in chosen], entry_id__lt=log_size(as_of)
        )
        .values("signer__key_id")
        .annotate(signed=Count("entry_id"), last=Max("entry_id"))
        .values_list("signer__key_id", "signed", "last")
    )
    use = {key_id: (signed, last) for key_id, signed, last in rows}
    moments = dict(
        Entry.objects.filter(index__in=[last for _, last in use.values()]).values_list("index", "received_us")
    )
    return [_record(ring, r, as_of, use.get(r.key.key_id, (0, None)), moments) for r in chosen]


def _record(
    ring: KeyRing,
    r: Registration,
    as_of: AsOf,
    use: tuple[int, int | None],
    moments: dict[int, int],
) -> KeyRecord:
    key_id = r.key.key_id
    signed, last = use
    state, sentence = _state(ring, r, as_of.at_us)
    return KeyRecord(
        key_id=key_id,
        name=r.name,
        role=r.role,
        algorithm=r.key.algorithm,
        state=state,
        state_reason=sentence,
        scopes=r.scopes,
        not_before_us=r.not_before_us,
        not_after_us=r.not_after_us,
        index=r.index,
        registered_us=r.registered_us,
        revocations=ring.effective.get(key_id, ()),
        signed=signed,
        last_signed_us=None if last is None else moments.get(last),
        issuer=r.key.issuer if isinstance(r.key, Identity) else "",
        subject=r.key.subject if isinstance(r.key, Identity) else "",
        root=r.key.root if isinstance(r.key, Identity) else "",
        vouched_by=r.vouched_by,
        vouches_for=tuple(known for known, other in ring.keys.items() if other.vouched_by == key_id),
    )


def _state(ring: KeyRing, r: Registration, at_us: int) -> tuple[str, str]:
    sentence = ring.in_force(r.key.key_id, at_us)
    if sentence is None:
        return "in-force", ""
    revocations = ring.effective.get(r.key.key_id, ())
    if any(revocation.from_us <= at_us for revocation in revocations):
        compromised = any(revocation.compromised for revocation in revocations)
        return ("compromised" if compromised else "revoked"), sentence
    early = r.not_before_us is not None and at_us < r.not_before_us
    return ("not-yet" if early else "ended"), sentence

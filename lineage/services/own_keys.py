"""Change the platform's own keys: a new one for a role, the offline root, a replacement that the root signed.

Owns: the order of the two writes. The new key is kept first and the log told after, so that whoever is killed
between them leaves a key that nobody uses, or one that the next start puts into its place. Does not own: what
the decisions do (`trust.platform_decisions`, `trust.believed`), or keeping keys (`platform_keys`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from lineage.db.models import Entry, LogHead
from lineage.errors import ConflictError, MalformedError, NotAllowedError
from lineage.services import append, bootstrap, decide, decision_records, keyring, platform_keys, receipts
from lineage.services.clock import now_us
from lineage.services.decide import MAX_NAME
from lineage.services.decision_records import DecisionRecord
from lineage.services.log_batch import Prepared
from lineage.services.receipts import Submitted
from lineage.trust import believed, decisions, dsse, platform_decisions, statement, verify
from lineage.trust.decision_form import Decision
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import PublicKey, load_public
from lineage.trust.leaf import rfc3339
from lineage.trust.platform_decisions import OwnRole, Replacement
from lineage.trust.policy import KeyRing, Registration, Scopes
from lineage.trust.signer import Signer

OVERLAP_US = 30 * 86_400_000_000
"""How long a rotated log key signs beside the new one where nobody says another time: 30 days."""
MAX_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Replaced:
    """`fallen`: decisions that are believed no longer, in log order, at most 1,000; what holds of them is to
    be decided again."""

    submitted: Submitted
    what: Replacement
    fallen: tuple[DecisionRecord, ...]


def make_next(role: OwnRole) -> Signer:
    """Make the key that is to be the next of a role, and keep it. Called again it gives the same one.

    Raises: ConfigurationError where it can't be kept.
    """
    known = keyring.current().keys
    return platform_keys.store().make_next(role, _origin(), known.__contains__)


def rotate(role: OwnRole, *, person: str, overlap_us: int = OVERLAP_US) -> Submitted:
    """Give a role to a new key. The old one ends, the log's after `overlap_us`; what it signed is believed.

    Raises: ConfigurationError where the new key can't be kept; ConflictError where somebody else has just
        done the same.
    """
    ring = keyring.current()
    old = _holder(ring, role)
    new = make_next(role)
    at_us = now_us()
    name = f"{role} key of {_origin()} since {rfc3339(at_us)[:10]}"
    registration = Registration(new.public, name, old.scopes, None, None, -1, at_us, role)
    payload = platform_decisions.build_rotate(person, at_us, registration, old, at_us + overlap_us)
    done = decide.record(payload, _judge(payload))
    _settle()
    return done


def register_root(public_key: bytes, name: str, *, person: str) -> Submitted:
    """Register the offline root, whose private half is never here.

    Raises: MalformedError for a key or name that is none; ConflictError where there is a root already.
    """
    key = load_public(public_key)
    name = decide.line(name, "A key's name", MAX_NAME)
    scopes = Scopes(predicate_types=(decisions.DECISION_TYPE,))
    root = Registration(key, name, scopes, None, None, -1, now_us(), "root")
    payload = platform_decisions.build_register_root(person, now_us(), root)
    return decide.record(payload, _judge(payload))


def replace(envelope: bytes) -> Replaced:
    """Append a replacement that the offline root signed, and use the new key from now on.

    Raises: MalformedError; NotAllowedError where the root did not sign it; ConflictError where the ring
        forbids it, or the new key is not here.
    """
    opened = dsse.parse(envelope)
    parsed = statement.parse(opened.payload_type, opened.payload)
    decision = decisions.parse(parsed)
    what = platform_decisions.read_replacement(decision)
    ring = keyring.current()
    root = _root_that_signed(opened, ring)
    _check_kept(what)

    def judge(now: KeyRing, at_us: int) -> None:
        if now.holder("root") != root:
            raise ConflictError("The offline root has changed meanwhile.")
        _try(now, decision, at_us, root)

    prepared = Prepared(
        kind=Entry.Kind.DECISION,
        envelope=envelope,
        envelope_digest=sha256_hex(envelope),
        statement=parsed,
        key_ids=(root.key_id,),
        policy_index=ring.policy_index,
        judge=judge,
        renew=lambda newer: _renewed(prepared, newer),
        changes_policy=True,
    )
    appended = append.raise_first(append.append([prepared]))
    _settle()
    return Replaced(receipts.submitted(prepared, appended), what, _fallen(what, appended.index))


def _renewed(prepared: Prepared, ring: KeyRing) -> Prepared:
    return msgspec.structs.replace(prepared, policy_index=ring.policy_index)


def _root_that_signed(envelope: dsse.Envelope, ring: KeyRing) -> PublicKey:
    root = ring.holder("root")
    if root is None:
        raise ConflictError(
            "This log has no offline root, so nothing can be replaced by one.",
            hint="lineage keys root registers one, while the platform's key is its owner's alone.",
        )
    if root not in verify.verify_envelope(envelope, ring.candidates).verified:
        raise NotAllowedError(f"The replacement is not signed by this log's offline root, {root.key_id}.")
    return root


def _check_kept(what: Replacement) -> None:
    """The log must not name a key that is nowhere: nobody could go on."""
    if what.role == "root":
        return
    if all(key.public != what.new.key for key in platform_keys.store().held(what.role)):
        raise ConflictError(
            f"The new {what.role} key {what.new.key.key_id} is not in {platform_keys.store().where}.",
            hint=f"Make it here with `lineage keys prepare {what.role}`; the root is to sign for that one.",
        )


def _judge(payload: bytes) -> decide.Judge:
    decision = decisions.parse(statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload))

    def judge(ring: KeyRing, at_us: int) -> None:
        _try(ring, decision, at_us, ring.holder("platform"))

    return judge


def _try(ring: KeyRing, decision: Decision, at_us: int, signer: PublicKey | None) -> None:
    """Raises: ConflictError where the decision does not fit the ring."""
    signers = [signer.key_id] if signer else []
    try:
        believed.check(ring, decision, ring.policy_index + 1, at_us, signers)
    except MalformedError as error:
        raise ConflictError(error.message, hint=error.hint) from None


def _settle() -> None:
    bootstrap.settle(keyring.current())
    platform_keys.forget()


def _origin() -> str:
    return LogHead.objects.values_list("origin", flat=True).get(pk=1)


def _holder(ring: KeyRing, role: OwnRole) -> Registration:
    key = ring.holder(role)
    if key is None:
        raise ConflictError(f"The log names no {role} key.", hint="See docs/key-ceremony.md, Lost.")
    return ring.keys[key.key_id]


def _fallen(what: Replacement, index: int) -> tuple[DecisionRecord, ...]:
    """Every decision that the stolen key, or one that it put into its own place, signed since the theft."""
    if what.role != "platform":
        return ()
    ring = keyring.current()
    stolen = {s for each in believed.fallen(ring) for s in each.signers} | {what.old_key_id}
    rows = Entry.objects.filter(
        kind=Entry.Kind.DECISION, received_us__gte=what.from_us, index__lt=index, key_ids__in=stolen
    ).order_by("index")
    return tuple(decision_records.one(n) for n in rows.values_list("index", flat=True)[:MAX_TOLD])

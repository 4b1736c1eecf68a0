"""Take in what pipelines send: decode, verify, parse the verified bytes, judge, append or refuse.

Owns: the order of those steps and what each refusal says. Nothing of a refused envelope reaches log or
graph; it is counted and listed (`refusals`). Does not own: HTTP, signatures' arithmetic, scopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lineage import predicates
from lineage.config import current
from lineage.db.models import Entry
from lineage.errors import (
    KeyNotValidError,
    LineageError,
    MalformedError,
    NotAllowedError,
    SignatureRefutedError,
    SignerUnknownError,
    TooLargeError,
)
from lineage.services import append, keyring, receipts, refusals
from lineage.services.log_batch import Appended, Prepared
from lineage.services.receipts import Submitted
from lineage.trust import decisions, dsse, statement, verify
from lineage.trust.digest import sha256_hex
from lineage.trust.policy import Claimed, KeyRing

MAX_SET_LINES = 10_000
MAX_SET_BYTES = 64 << 20


def submit(data: bytes, *, token: str) -> Submitted:
    """Take in one DSSE envelope. `token` names the API key for the list of refusals.

    Raises: any LineageError of contract.md; the envelope is then refused and listed.
    """
    try:
        prepared = _prepare(data)
        appended = append.raise_first(append.append([prepared]))
    except LineageError as error:
        refusals.record([(data, error)], token=token)
        raise
    return receipts.submitted(prepared, appended)


def submit_set(lines: Sequence[bytes], *, token: str) -> list[Submitted | LineageError]:
    """Take in an attestation set, an envelope a line; one answer a line, in order.

    Raises: TooLargeError for more than 10,000 lines; UnavailableError where the log could not be written.
    """
    if len(lines) > MAX_SET_LINES:
        raise TooLargeError(f"The set has more than {MAX_SET_LINES:,} lines, the limit.", limit=MAX_SET_LINES)
    ring = keyring.current()
    results: list[Prepared | LineageError] = [_try_prepare(line, ring) for line in lines]
    prepared = [result for result in results if isinstance(result, Prepared)]
    outcomes = iter(append.append(prepared))
    answers: list[Submitted | LineageError] = []
    for result in results:
        outcome = next(outcomes) if isinstance(result, Prepared) else result
        if isinstance(result, Prepared) and isinstance(outcome, Appended):
            answers.append(receipts.submitted(result, outcome))
        elif isinstance(outcome, LineageError):
            answers.append(outcome)
    refused = [(line, a) for line, a in zip(lines, answers, strict=True) if isinstance(a, LineageError)]
    refusals.record(refused, token=token)
    return answers


def _prepare(data: bytes) -> Prepared:
    """`prepare` under the ring seen last; where that refuses, under the current one if it is another."""
    ring = keyring.recent()
    try:
        return prepare(data, ring)
    except LineageError:
        current_ring = keyring.current()
        if current_ring is ring:
            raise
        return prepare(data, current_ring)


def _try_prepare(data: bytes, ring: KeyRing) -> Prepared | LineageError:
    try:
        return prepare(data, ring)
    except LineageError as error:
        return error


def prepare(data: bytes, ring: KeyRing) -> Prepared:
    """Verify an envelope from outside under `ring`, without touching the database.

    Raises: MalformedError, TooLargeError, SignatureRefutedError, SignerUnknownError, NotAllowedError.
    """
    limit = current().max_envelope_bytes
    if len(data) > limit:
        raise TooLargeError(f"The envelope has {len(data)} bytes; the limit is {limit}.", limit=limit)
    envelope = dsse.parse(data)
    # Parsed even where no key is known, so that what can't be a statement is told so first; what is kept
    # are the very bytes that were verified.
    verified = verify.verify_envelope(envelope, ring.candidates)
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    if not verified.verified:
        raise _unverified(verified)
    key_ids = tuple(sorted(key.key_id for key in verified.verified))
    _refuse_platform_keys(key_ids, ring)
    if parsed.predicate_type == decisions.DECISION_TYPE:
        # Whatever a key's scopes are: nothing that looks like a person's decision is to come from a pipeline.
        raise NotAllowedError("Decisions are signed by this platform alone; they never come from outside.")
    return Prepared(
        kind=Entry.Kind.ATTESTATION,
        envelope=data,
        envelope_digest=sha256_hex(data),
        statement=parsed,
        key_ids=key_ids,
        policy_index=ring.policy_index,
        judge=partial(judge, claims(parsed, key_ids), key_ids),
        renew=partial(prepare, data),
    )


def _unverified(verification: verify.Verification) -> LineageError:
    if verification.exhausted:
        return SignerUnknownError(
            f"After {verify.MAX_TRIALS} trials no registered key was found that made any of the signatures.",
            hint="Name the signing key as keyid: so many keys are registered that not all are tried.",
        )
    for number, outcome in enumerate(verification.outcomes):
        if outcome.outcome == "refuted":
            return SignatureRefutedError(
                f"The signature does not verify under the registered key {outcome.keyid}.",
                where=f"$.signatures[{number}]",
                hint="The payload or signature was altered, or another key signed than the key id names.",
            )
    return SignerUnknownError(
        "No registered key made any of the signatures.",
        hint="Register the public key (lineage keys register); name it as keyid where many are registered.",
    )


def _refuse_platform_keys(key_ids: Sequence[str], ring: KeyRing) -> None:
    for key_id in key_ids:
        registration = ring.keys[key_id]
        if registration.role != "pipeline":
            raise NotAllowedError(
                f"The {registration.role} key is this platform's own; what it signs never comes from outside."
            )


def claims(parsed: statement.Statement, key_ids: Sequence[str]) -> Claimed:
    """What the statement claims, for the scopes.

    A predicate that can't be digested claims nothing beyond its type and subjects: it will have no effect
    on the graph either. Raises: TooLargeError.
    """
    try:
        return predicates.claimed(parsed, predicates.project(parsed, key_ids[0]))
    except MalformedError:
        return Claimed(parsed.predicate_type, tuple(subject.name for subject in parsed.subjects))


def judge(claimed: Claimed, key_ids: Sequence[str], ring: KeyRing, at_us: int) -> None:
    """One key in force that may say this is enough.

    Raises: NotAllowedError where a key in force may not say it, else KeyNotValidError.
    """
    not_valid, not_allowed = "", ""
    for key_id in key_ids:
        ended = ring.in_force(key_id, at_us)
        if ended:
            not_valid = not_valid or f"{ring.keys[key_id].name}: {ended}"
            continue
        forbidden = ring.may(key_id, claimed)
        if not forbidden:
            return
        not_allowed = not_allowed or f"{ring.keys[key_id].name}: {forbidden}"
    if not_allowed:
        raise NotAllowedError(not_allowed, hint="An operator can register a key with wider scopes.")
    raise KeyNotValidError(not_valid, hint="Sign with a key that is in force.")

"""Take in what pipelines send: decode, verify, parse the verified bytes, judge, append or refuse.

Owns: the order of those steps and what each refusal says. Nothing of a refused envelope reaches log or
graph; it is counted and listed (`refusals`). Does not own: HTTP, signatures' arithmetic, scopes.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import cache, partial
from threading import BoundedSemaphore
from types import MappingProxyType

from lineage import predicates, processors
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
from lineage.services import append, entry_signers, keyring, receipts, redactions, refusals
from lineage.services.entry_signers import Signers
from lineage.services.log_batch import Appended, Prepared
from lineage.services.receipts import Submitted
from lineage.trust import decisions, statement, verify
from lineage.trust.certified import Certified
from lineage.trust.digest import sha256_hex
from lineage.trust.opened import open_signed
from lineage.trust.policy import Claimed, KeyRing

MAX_SET_LINES = 10_000
MAX_SET_BYTES = 64 << 20
ABREAST = 100
"""Lines of a set that are verified abreast: all are opened, then all signatures are checked, and so on. A
processor has room for a part of the program at a time: one line after the other takes a quarter more."""
MOST_AT_ONCE = 2
"""So many times `ABREAST` lines are verified at once by a process, at the most: only signatures are checked
beside other work in Python. More threads than processors take 5 to 9 µs more a line, for their changes."""


def submit(data: bytes, *, token: str) -> Submitted:
    """Take in one DSSE envelope or Sigstore bundle. `token` names the API key for the list of refusals.

    Raises: any LineageError of contract.md; the envelope is then refused and listed.
    """
    # First of all: a signer may be unknown here because its registration is among what is lost.
    append.refuse_rolled_back()
    try:
        prepared = _prepare(data)
        appended = append.raise_first(append.append([prepared]))
    except LineageError as error:
        refusals.record([(data, error)], token=token)
        raise
    return receipts.submitted(prepared, appended)


def submit_set(lines: Sequence[bytes], *, token: str) -> list[Submitted | LineageError]:
    """Take in an attestation set, an envelope or bundle a line; one answer a line, in order.

    Raises: TooLargeError for more than 10,000 lines; UnavailableError where the log could not be written.
    """
    if len(lines) > MAX_SET_LINES:
        raise TooLargeError(f"The set has more than {MAX_SET_LINES:,} lines, the limit.", limit=MAX_SET_LINES)
    results = _prepare_all(lines, keyring.current())
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


def _prepare_all(lines: Sequence[bytes], ring: KeyRing) -> list[Prepared | LineageError]:
    """`prepare` for each line, or why not. `ABREAST` lines take each of its steps one after the other."""
    results: list[Prepared | LineageError] = []
    for start in range(0, len(lines), ABREAST):
        with _processors():
            results += _prepare_abreast(lines[start : start + ABREAST], ring)
    return results


@cache
def _processors() -> BoundedSemaphore:
    """This process's share of them."""
    return BoundedSemaphore(max(1, min(MOST_AT_ONCE, processors.usable() // current().web_workers)))


def _prepare_abreast(lines: Sequence[bytes], ring: KeyRing) -> list[Prepared | LineageError]:
    found: dict[int, Prepared | LineageError] = {}
    going = dict(enumerate(_steps(line, ring) for line in lines))
    while going:
        for number, steps in list(going.items()):
            try:
                next(steps)
                continue
            except StopIteration as done:
                found[number] = done.value
            except LineageError as error:
                found[number] = error
            del going[number]
    return [found[number] for number in range(len(found))]


def prepare(data: bytes, ring: KeyRing) -> Prepared:
    """Verify an envelope from outside under `ring`, without touching the database.

    Raises: MalformedError, TooLargeError, SignatureRefutedError, SignerUnknownError, NotAllowedError.
    """
    steps = _steps(data, ring)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        prepared: Prepared = done.value
        return prepared


def _steps(data: bytes, ring: KeyRing) -> Generator[None, None, Prepared]:
    """`prepare`, which rests where other code begins: see `ABREAST`."""
    limit = current().max_envelope_bytes
    if len(data) > limit:
        raise TooLargeError(f"The envelope has {len(data)} bytes; the limit is {limit}.", limit=limit)
    opened = open_signed(data)
    yield
    # Parsed even where no key is known, so that what can't be a statement is told so first; what is kept
    # are the very bytes that were verified.
    found = entry_signers.find(opened, ring)
    yield
    parsed = statement.parse(opened.envelope.payload_type, opened.envelope.payload)
    if not found.signers:
        raise _unverified(found)
    _refuse_platform_keys(found.signers, ring)
    if parsed.predicate_type == decisions.DECISION_TYPE:
        # Whatever a key's scopes are: nothing that looks like a person's decision is to come from a pipeline.
        raise NotAllowedError("Decisions are signed by this platform alone; they never come from outside.")
    yield
    claimed = claims_under(ring, parsed, found.signers)
    yield
    return Prepared(
        kind=Entry.Kind.ATTESTATION,
        envelope=data,
        envelope_digest=sha256_hex(data),
        statement=parsed,
        key_ids=found.key_ids,
        signers=found.signers,
        vouched=found.vouched,
        policy_index=ring.policy_index,
        judge=partial(_judge_again, parsed.digest, claimed, found.signers, found.vouched),
        renew=partial(prepare, data),
        payload_at=opened.placed.start if opened.placed.standard else 0,
    )


def _judge_again(
    digest: str,
    claimed: Claimed,
    signers: Sequence[str],
    vouched: Mapping[str, Sequence[Certified]],
    ring: KeyRing,
    at_us: int,
) -> None:
    """As `judge`. Raises: RedactedError where the statement (bare hex digest) was erased before."""
    redactions.refuse_again(digest)
    judge(claimed, signers, ring, at_us, vouched=vouched)


def _uncertified(found: Signers) -> LineageError | None:
    """What is said of an envelope with certificates that stand for nobody who is registered."""
    if found.findings.certified:
        one = found.findings.certified[0]
        return SignerUnknownError(
            f"The certificate is good, but nobody registered {one.subject} of {one.issuer}.",
            hint="An operator can register this identity: lineage keys register-identity.",
        )
    if found.findings.refuted:
        return SignatureRefutedError(found.findings.refuted[0], where="$")
    for reason in (*found.findings.inconclusive, *found.findings.foreign):
        return SignerUnknownError(reason, hint="An operator can adopt a root: lineage keys adopt-root.")
    return None


def _unverified(found: Signers) -> LineageError:
    verification = found.verification
    if (error := _uncertified(found)) is not None:
        return error
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


def _refuse_platform_keys(signers: Sequence[str], ring: KeyRing) -> None:
    for signer in signers:
        registration = ring.keys[signer]
        if registration.role != "pipeline":
            raise NotAllowedError(
                f"The {registration.role} key is this platform's own; what it signs never comes from outside."
            )


def claims_under(ring: KeyRing, parsed: statement.Statement, signers: Sequence[str]) -> Claimed:
    """As `claims`, for `judge` under this ring: more than it claims, where each signer might say even that.

    Raises: TooLargeError.
    """
    most = predicates.claimed_at_most(parsed)
    if most is not None and all(
        not ring.keys[signer].scopes.kinds and ring.may(signer, most) is None for signer in signers
    ):
        return most
    return claims(parsed, signers)


def claims(parsed: statement.Statement, signers: Sequence[str]) -> Claimed:
    """What the statement claims, for the scopes.

    A predicate that can't be digested claims nothing beyond its type and subjects: it will have no effect
    on the graph either. Raises: TooLargeError.
    """
    try:
        return predicates.claimed(parsed, predicates.project(parsed, signers[0]))
    except MalformedError:
        return Claimed(parsed.predicate_type, tuple(subject.name for subject in parsed.subjects))


def judge(
    claimed: Claimed,
    signers: Sequence[str],
    ring: KeyRing,
    at_us: int,
    *,
    vouched: Mapping[str, Sequence[Certified]] = MappingProxyType({}),
) -> None:
    """One signer in force that may say this is enough; `vouched` has the certificates of identities.

    Raises: NotAllowedError where a signer in force may not say it, else KeyNotValidError.
    """
    not_valid, not_allowed = "", ""
    for signer in signers:
        ended = ring.in_force(signer, at_us)
        if not ended and signer in vouched:
            ended = entry_signers.outside(vouched[signer], at_us)
        if ended:
            not_valid = not_valid or f"{ring.keys[signer].name}: {ended}"
            continue
        forbidden = ring.may(signer, claimed)
        if not forbidden:
            return
        not_allowed = not_allowed or f"{ring.keys[signer].name}: {forbidden}"
    if not_allowed:
        raise NotAllowedError(not_allowed, hint="An operator can register a key with wider scopes.")
    raise KeyNotValidError(not_valid, hint="Sign with a key that is in force.")

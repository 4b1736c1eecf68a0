"""Decisions about leaving and forgetting: writing their statements, and reading them again.

Owns: the bodies of redact, hold, release-hold and retention. Does not own: what may be redacted and what
follows (`services.redactions`, `services.holds`, `services.retention`), who may decide, or the form around
the body (`trust.decision_form`).

None of them repeats what is to be forgotten: an envelope is named by its digest, and called by its index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

import msgspec

from lineage.errors import MalformedError
from lineage.trust import canonical, decision_form
from lineage.trust.decision_form import Decision
from lineage.trust.digest import sha256_hex
from lineage.trust.statement import Statement

REDACT = "redact"
HOLD = "hold"
RELEASE_HOLD = "release-hold"
RETENTION = "retention"
ACTIONS = (REDACT, HOLD, RELEASE_HOLD, RETENTION)
MAX_ENVELOPES = 1_000
"""Envelopes that one decision redacts."""
MAX_NAMED = 1_000
"""Things that one hold names."""
MAX_CLASSES = 100
MAX_DAYS = 36_525
_PREFIX = "sha256:"
_HEX = frozenset("0123456789abcdef")
Kept = Literal["attestation", "observation"]


class Redact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """`envelopes` are digests of envelopes' bytes, `sha256:<hex>`, which are no longer kept.

    `erase_subjects`: nor are the digests of what they were about, by which pages would tell of them.
    `told`: of those that found something wrong, what remains to be said of it, by their digests.
    `policy`: log index of the retention policy by which it was decided; None: somebody decided just this.
    """

    envelopes: tuple[str, ...]
    reason: str
    erase_subjects: bool = False
    told: dict[str, str] = {}
    policy: int | None = None


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """What must not be redacted while the hold stands: every entry that any of its members names.

    `subjects` are digests that statements are about, `<alg>:<value>`; `envelopes` `sha256:<hex>`; `signers`
    key ids or identities; `predicate_types` URIs; `everything`: all of the log.
    """

    name: str
    reason: str
    subjects: tuple[str, ...] = ()
    envelopes: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    predicate_types: tuple[str, ...] = ()
    everything: bool = False


class ReleaseHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`hold` is the log index of the decision that placed it."""

    hold: int
    reason: str


class RetentionClass(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """Entries of one of these kinds and predicate types (empty: any) are kept for `days`; None: for ever."""

    name: str
    days: int | None
    kinds: tuple[Kept, ...] = ()
    predicate_types: tuple[str, ...] = ()


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first class that an entry belongs to counts; what belongs to none is kept for ever."""

    classes: tuple[RetentionClass, ...]
    reason: str


_REDACT = msgspec.json.Decoder(Redact)
_HOLD = msgspec.json.Decoder(Hold)
_RELEASE = msgspec.json.Decoder(ReleaseHold)
_RETENTION = msgspec.json.Decoder(Retention)
Body = Redact | Hold | ReleaseHold | Retention
_Reasoned = TypeVar("_Reasoned", Redact, Hold, ReleaseHold, Retention)


def build_redact(person: str, at_us: int, body: Redact, indexes: Mapping[str, int]) -> bytes:
    """The payload; `indexes` are the log indexes of the envelopes, by their digest as the body has it."""
    subjects = [
        (f"envelope of entry {indexes[digest]}", {"sha256": digest_hex(digest)}) for digest in body.envelopes
    ]
    return _build(REDACT, person, at_us, body, subjects)


def build_hold(person: str, at_us: int, body: Hold) -> bytes:
    return _build(HOLD, person, at_us, body, [(body.name, {"sha256": body_digest(body)})])


def build_release(person: str, at_us: int, body: ReleaseHold, digest: str) -> bytes:
    """`digest` is the bare hex digest of the envelope that placed the hold."""
    return _build(RELEASE_HOLD, person, at_us, body, [(f"hold of entry {body.hold}", {"sha256": digest})])


def build_retention(person: str, at_us: int, body: Retention) -> bytes:
    return _build(RETENTION, person, at_us, body, [("retention policy", {"sha256": body_digest(body)})])


def read_redact(decision: Decision, statement: Statement) -> Redact:
    """Raises: MalformedError for another form, no reason, or subjects that are not what is redacted."""
    body = _reasoned(decision_form.read_body(_REDACT, decision.body))
    named = [digest_hex(each) for each in body.envelopes]
    if not 1 <= len(named) <= MAX_ENVELOPES or len(set(named)) != len(named):
        raise MalformedError(
            f"A redaction names 1 to {MAX_ENVELOPES:,} envelopes, each once.",
            where="$.predicate.body.envelopes",
        )
    if not body.told.keys() <= set(body.envelopes):
        raise MalformedError("It tells of what it doesn't redact.", where="$.predicate.body.told")
    if [dict(subject.digests) for subject in statement.subjects] != [{"sha256": each} for each in named]:
        raise MalformedError(
            "What is redacted are not the decision's subjects.", where="$.predicate.body.envelopes"
        )
    return body


def read_hold(decision: Decision) -> Hold:
    """Raises: MalformedError for another form, no name or reason, or a hold of nothing."""
    return checked_hold(_reasoned(decision_form.read_body(_HOLD, decision.body)))


def checked_hold(body: Hold) -> Hold:
    """Raises: MalformedError for no name, a hold of nothing, or of too much to name."""
    named = (*body.subjects, *body.envelopes, *body.signers, *body.predicate_types)
    if not body.name:
        raise MalformedError("A hold has a name.", where="$.predicate.body.name")
    if bool(named) == body.everything or len(named) > MAX_NAMED or "" in named:
        raise MalformedError(
            f"A hold names 1 to {MAX_NAMED:,} things, or everything.", where="$.predicate.body"
        )
    for each in body.envelopes:
        digest_hex(each)
    return body


def read_release(decision: Decision) -> ReleaseHold:
    """Raises: MalformedError for another form, no reason, or a negative index."""
    body = _reasoned(decision_form.read_body(_RELEASE, decision.body))
    if body.hold < 0:
        raise MalformedError("A log index is 0 or more.", where="$.predicate.body.hold")
    return body


def read_retention(decision: Decision) -> Retention:
    """Raises: MalformedError for another form, no reason, or days that are none."""
    return checked_retention(_reasoned(decision_form.read_body(_RETENTION, decision.body)))


def checked_retention(body: Retention) -> Retention:
    """Raises: MalformedError for too many classes, one without a name, or days out of bounds."""
    if len(body.classes) > MAX_CLASSES:
        raise MalformedError(f"A policy has at most {MAX_CLASSES} classes.", where="$.predicate.body.classes")
    for number, each in enumerate(body.classes):
        where = f"$.predicate.body.classes[{number}]"
        if not each.name:
            raise MalformedError("A class has a name.", where=f"{where}.name")
        if each.days is not None and not 1 <= each.days <= MAX_DAYS:
            raise MalformedError(
                f"A class keeps for 1 to {MAX_DAYS:,} days, or for ever.", where=f"{where}.days"
            )
        if len(each.predicate_types) > MAX_NAMED or "" in each.predicate_types:
            raise MalformedError(
                f"A class names at most {MAX_NAMED:,} predicate types.", where=f"{where}.predicateTypes"
            )
    return body


def read(decision: Decision, statement: Statement) -> Body:
    """The body of a decision whose action is one of ACTIONS. Raises: MalformedError."""
    if decision.action == REDACT:
        return read_redact(decision, statement)
    if decision.action == HOLD:
        return read_hold(decision)
    return read_release(decision) if decision.action == RELEASE_HOLD else read_retention(decision)


def told(decision: Decision, statement: Statement) -> tuple[tuple[str, str], ...]:
    """The decision as rows (label, text) for people. Raises: MalformedError."""
    body = read(decision, statement)
    if isinstance(body, Redact):
        rows = [(f"Redacted {subject.name}", "") for subject in statement.subjects]
        rows = [(label, body.envelopes[place]) for place, (label, _) in enumerate(rows)]
        rows += [("It was", words) for words in body.told.values()]
        rows += [("Retention policy", f"entry {body.policy}")] if body.policy is not None else []
    elif isinstance(body, Hold):
        named = (*body.subjects, *body.envelopes, *body.signers, *body.predicate_types)
        rows = [("Hold", body.name), *(("Keeps", each) for each in named or ("everything",))]
    elif isinstance(body, ReleaseHold):
        rows = [("Released hold", f"of entry {body.hold}")]
    else:
        rows = [(f"Class {each.name}", _period(each)) for each in body.classes]
    return (*rows, ("Reason", body.reason))


def _period(each: RetentionClass) -> str:
    of = ", ".join((*each.kinds, *each.predicate_types)) or "all statements"
    return f"{of}: for ever" if each.days is None else f"{of}: {each.days:,} days"


def body_digest(body: Body) -> str:
    """Bare hex SHA-256 of the body's canonical form (RFC 8785): what names a decision without an object."""
    return sha256_hex(canonical.encode(msgspec.to_builtins(body)))


def digest_hex(text: str) -> str:
    """The hex of `sha256:<64 lowercase hex digits>`. Raises: MalformedError for anything else."""
    value = text.removeprefix(_PREFIX)
    if not text.startswith(_PREFIX) or len(value) != 64 or not set(value) <= _HEX:
        raise MalformedError("An envelope's digest is sha256:<64 lowercase hex digits>.", where="envelopes")
    return value


def _build(
    action: str, person: str, at_us: int, body: Body, subjects: Iterable[tuple[str, Mapping[str, str]]]
) -> bytes:
    return decision_form.build(action, person, at_us, body=msgspec.to_builtins(body), subjects=subjects)


def _reasoned(body: _Reasoned) -> _Reasoned:
    if not body.reason:
        raise MalformedError("The decision says why.", where="$.predicate.body.reason")
    return body

"""Redacting: a signed decision of a person, after which an envelope's bytes are no longer kept.

Owns: what a redaction needs before it may be an entry. Does not own: its form (`trust.forgetting_decisions`),
what may be redacted (`redactable`), taking the bytes away (`erasing`), or who may decide (the callers check
roles and scopes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.db.models import Entry, Envelope
from lineage.errors import ConflictError, MalformedError, NotFoundError, TooLargeError
from lineage.predicates.base import BadNews
from lineage.services import decide, erasing, log_head, redactable, redaction_effects, redactions
from lineage.services.clock import now_us
from lineage.services.decide import MAX_REASON
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import MAX_ENVELOPES, Redact
from lineage.trust.policy import KeyRing

GRAPH_SECONDS = 5.0
"""How long whoever decides waits for the graph to follow the log."""


@two_people("officer")
def redact(envelopes: list[str], reason: str, *, person: str, erase_subjects: bool = False) -> Submitted:
    """Take the bytes of these envelopes (`sha256:<hex>`) away, with every other entry of their statements.

    Leaves, digests and proofs stay. `erase_subjects`: the digests of what they were about go from the index
    too, so no page tells that something is missing there. `person` is an e-mail address, `token:<name>` or
    `os:<login>`.

    Raises: MalformedError that names the member; NotFoundError for an envelope of no entry; TooLargeError for
        too many; GraphBehindError where the graph does not tell all of the log; ConflictError for what may
        not be redacted, or was already.
    """
    try:
        reason = decide.line(reason, "A reason", MAX_REASON)
    except MalformedError as error:
        raise MalformedError(error.message, where="reason") from None
    found = _found([forgetting_decisions.digest_hex(each.strip()) for each in envelopes])
    news = redactable.bad_news(found)
    _check(found, news)
    _refuse(redaction_effects.hidden(found, log_head.size(), wait_seconds=GRAPH_SECONDS))

    def judge(ring: KeyRing, at_us: int) -> None:
        _check(found, news)

    signed = payload(found, news, reason, person, erase_subjects=erase_subjects)
    submitted = decide.record(signed, judge)
    erasing.carry_out()
    return submitted


def payload(
    entries: Sequence[Entry],
    news: Mapping[int, BadNews],
    reason: str,
    person: str,
    *,
    erase_subjects: bool = False,
    policy: int | None = None,
) -> bytes:
    """The decision's payload; what remains to be said of each entry is in it."""
    indexes = {f"sha256:{entry.envelope_digest}": entry.index for entry in entries}
    told = {digest: news[index].words for digest, index in indexes.items() if index in news}
    body = Redact(tuple(indexes), reason, erase_subjects, told, policy)
    return forgetting_decisions.build_redact(person, now_us(), body, indexes)


def _found(digests: Sequence[str]) -> list[Entry]:
    """The entries, in log order, with the others that hold the same statements in other wrapping."""
    if not digests:
        raise MalformedError("Name at least one envelope.", where="envelopes")
    named = Entry.objects.filter(envelope_digest__in=digests[: MAX_ENVELOPES + 1])
    known = dict(named.values_list("envelope_digest", "statement_digest"))
    for digest in digests:
        if digest not in known and len(digests) <= MAX_ENVELOPES:
            raise NotFoundError(
                f"No entry has the envelope sha256:{digest}.",
                hint="An envelope's digest is that of its bytes, not of the statement in it.",
                where="envelopes",
            )
    same = Entry.objects.filter(statement_digest__in=set(known.values())).order_by("index")
    entries = list(same[: MAX_ENVELOPES + 1])
    if len(digests) > MAX_ENVELOPES or len(entries) > MAX_ENVELOPES:
        raise TooLargeError(
            f"One decision redacts at most {MAX_ENVELOPES:,} envelopes.",
            limit=MAX_ENVELOPES,
            where="envelopes",
        )
    gone = redactions.among([entry.envelope_digest for entry in entries])
    for digest in digests:
        if digest in gone:
            raise ConflictError(
                f"The envelope sha256:{digest} is redacted already, by entry {gone[digest].index}.",
                where="envelopes",
            )
    left = [entry for entry in entries if entry.envelope_digest not in gone]
    indexes = [entry.index for entry in left]
    stored = set(Envelope.objects.filter(pk__in=indexes).values_list("pk", flat=True))
    for entry in left:
        if entry.index not in stored:
            raise redactions.missing(entry.envelope_digest, entry.index)
    return left


def _check(entries: Sequence[Entry], news: Mapping[int, BadNews]) -> None:
    """Raises: ConflictError where any of them may not be redacted, or a hold covers it."""
    _refuse(redactable.refusals(entries, news))


def _refuse(refused: Mapping[int, str]) -> None:
    """Raises: ConflictError where there is any."""
    if refused:
        index = min(refused)
        raise ConflictError(f"Entry {index} can't be redacted. {refused[index]}", where="envelopes")

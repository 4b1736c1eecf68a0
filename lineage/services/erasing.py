"""Taking away the bytes that signed redactions name: repeatable, in log order, some envelopes a transaction.

The decision comes first, and is in the log for ever; this may be killed at any time and is taken up again.
Owns: deleting envelopes and blanking what the indexes repeat of them, and the row that says so, in one
transaction. What may not be redacted is kept, and the row says why. Does not own: deciding (`redact`), the
graph, which is made anew from what is left (`project`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext

from django.db import connection, transaction
from django.db.models import Max

from lineage.db.erasure import overwriting
from lineage.db.models import Entry, EntrySubject, Envelope, Redaction, SourceObject
from lineage.graph.model import IDENTIFYING_ALGORITHMS
from lineage.services import archive, forgetting, mlflow_state, redactable, wake
from lineage.services.clock import now_us
from lineage.services.forgetting import Decided
from lineage.services.job_lease import Lease, Result
from lineage.trust.forgetting_decisions import Redact

KIND = "redact"
CHUNK = 100
"""Envelopes in one transaction."""
_AT_ONCE = 500
"""Values in one statement."""
_IDENTIFYING = tuple(f"{algorithm}:" for algorithm in IDENTIFYING_ALGORITHMS)
"""What digests of bytes begin with: they say nothing of anybody, and let pages tell what is missing."""


def pending() -> list[Decided]:
    """Redactions that are not carried out to their end, in log order: all from the newest begun one on.

    None that a thief of the platform's key decided, once that is known: what is not gone yet stays.
    """
    newest = Redaction.objects.aggregate(newest=Max("entry_index"))["newest"]
    later = [
        each
        for each in forgetting.believed()
        if isinstance(each.body, Redact) and (newest is None or each.index >= newest)
    ]
    return [each for each in later if each.index != newest or _left(each)]


def carry_out(tick: Callable[[], None] = lambda: None) -> int:
    """Take away what pending redactions name; returns how many envelopes have gone. `tick` is called before
    each few of them; what it raises leaves the rest for another."""
    gone, waiting = 0, pending()
    with overwriting(connection) if waiting else nullcontext():
        for decided in waiting:
            for chunk in _chunks(_left(decided)):
                tick()
                gone += _erase(decided, chunk)
    if gone:
        forgetting.noticed()
        wake.soon()
    return gone


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """A job where a redaction was decided and not carried out: whoever decided it may have died."""
    if pending():
        yield "", {}


def run(lease: Lease) -> Result:
    """The job that does it."""
    return {"erased": carry_out(lambda: lease.progress(0, 0, "erasing"))}


def _left(decided: Decided) -> list[str]:
    """The envelopes that the decision names and of which nothing has become yet."""
    done = Redaction.objects.filter(entry_index=decided.index).values_list("envelope_digest", flat=True)
    return sorted(forgetting.envelopes(decided.index) - set(done))


def _chunks(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(digests), CHUNK):
        yield digests[start : start + CHUNK]


def _erase(decided: Decided, digests: Sequence[str]) -> int:
    assert isinstance(decided.body, Redact)
    with transaction.atomic(durable=True):
        rows = _judged(decided, digests)
        # Another process may have done the same meanwhile: its rows are as good.
        Redaction.objects.bulk_create(rows, ignore_conflicts=True)
        erased = [row.envelope_digest for row in rows if not row.refused]
        gone, _ = Envelope.objects.filter(entry__envelope_digest__in=erased).delete()
        indexes = list(Entry.objects.filter(envelope_digest__in=erased).values_list("index", flat=True))
        _erase_subjects(indexes, wholly=decided.body.erase_subjects)
        _blank_records(erased)
        archive.erase(indexes)
    return gone


def _erase_subjects(indexes: Sequence[int], *, wholly: bool) -> None:
    """All that the index says of what these entries are about, or all but digests of bytes."""
    subjects = EntrySubject.objects.filter(entry_id__in=indexes)
    if wholly:
        subjects.delete()
        return
    said = set(subjects.values_list("digest", flat=True))
    other = [digest for digest in said if not digest.startswith(_IDENTIFYING)]  # any text may stand there
    for start in range(0, len(other), _AT_ONCE):
        subjects.filter(digest__in=other[start : start + _AT_ONCE]).delete()
    subjects.exclude(name="").update(name="")


def _blank_records(digests: Sequence[str]) -> None:
    """What a sync compares with keeps only which thing it is: unchanged there, it is not recorded anew."""
    rows = Entry.objects.filter(envelope_digest__in=digests, kind=Entry.Kind.OBSERVATION)
    observed = list(rows.values_list("index", flat=True))
    if observed:
        mlflow_state.hold()
    for row in SourceObject.objects.filter(entry_index__in=observed):
        row.record = mlflow_state.blank(row) if row.record else b""
        row.save(update_fields=["record"])


def _judged(decided: Decided, digests: Sequence[str]) -> list[Redaction]:
    """What becomes of each: what may not go is kept, whoever signed the redaction."""
    entries = {e.envelope_digest: e for e in Entry.objects.filter(envelope_digest__in=digests)}
    known = list(entries.values())
    refused = redactable.refusals(known, redactable.bad_news(known), decided.index)
    at_us, rows = now_us(), []
    for digest in digests:
        entry = entries.get(digest)
        earlier = entry is not None and entry.index < decided.index
        why = refused.get(entry.index, "") if entry and earlier else "It names no earlier entry."
        rows.append(Redaction(envelope_digest=digest, entry_index=decided.index, refused=why, done_us=at_us))
    return rows

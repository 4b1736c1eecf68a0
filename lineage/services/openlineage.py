"""OpenLineage events become entries: each once, signed by our collector as something that it was told.

Owns: that the same event is one entry, and what becomes of attestations inside an event. Does not own:
reading events (`openlineage_events`), what an event means (`lineage.predicates`), HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lineage.db.models import Entry, EntrySubject
from lineage.errors import LineageError, MalformedError, UnavailableError
from lineage.predicates.openlineage_observation import TYPE
from lineage.services import append, intake, keyring, observe, openlineage_batch, openlineage_events
from lineage.services.log_batch import Prepared
from lineage.services.openlineage_events import Read
from lineage.trust.policy import KeyRing

MAX_BATCH_EVENTS = 1_000
MAX_BATCH_BYTES = 16 << 20


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event that is in the log.

    Attributes:
        digest: of the collector's envelope, `sha256:…`: its attestation's address.
        event: SHA-256 of the event as it was kept, by which it is known again.
        created: False where the log had it before.
        attestations: entries that its `lineage_attestation` facets made; `refused`: why others made none.
    """

    digest: str
    event: str
    created: bool
    attestations: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def record(data: bytes, *, token: str) -> RecordedEvent:
    """Make one event an entry; it is durable once this returns. `token` names the API key.

    Raises: MalformedError, TooLargeError; UnavailableError where the log could not be written.
    """
    (outcome,) = record_all([data], token=token)
    if isinstance(outcome, LineageError):
        raise outcome
    return outcome


def record_all(events: Sequence[bytes], *, token: str) -> list[RecordedEvent | LineageError]:
    """Make each an entry; one answer an event, in order. One bad event harms no other.

    Raises: UnavailableError where the log could not be written: sending them again is safe.
    """
    append.refuse_rolled_back()
    reads = [_try_read(data) for data in events]
    good = [read for read in reads if isinstance(read, Read)]
    made = _append(good, token)
    return [made[read.digest] if isinstance(read, Read) else read for read in _attested(reads, made, token)]


def _try_read(data: bytes) -> Read | LineageError:
    try:
        return openlineage_events.read(data)
    except LineageError as error:
        return error


def _append(events: Sequence[Read], token: str) -> dict[str, RecordedEvent | LineageError]:
    """By the events' digests. What the log has is not signed again."""
    known = _known(read.digest for read in events)
    found: dict[str, RecordedEvent | LineageError] = {
        digest: RecordedEvent(envelope, digest, created=False) for digest, envelope in known.items()
    }
    news = {read.digest: read for read in events if read.digest not in known}
    ring = keyring.current()
    prepared: dict[str, Prepared] = {}
    for digest, read in news.items():
        try:
            prepared[digest] = _signed(read, token, ring)
        except LineageError as error:
            found[digest] = error
    outcomes = append.append(list(prepared.values()))
    for (digest, one), outcome in zip(prepared.items(), outcomes, strict=True):
        found[digest] = (
            outcome
            if isinstance(outcome, LineageError)
            else RecordedEvent(f"sha256:{one.envelope_digest}", digest, created=True)
        )
    return found


def _known(digests: Iterable[str]) -> Mapping[str, str]:
    """Events that were recorded, with their envelopes; redacted ones too, which so don't come back."""
    wanted = [f"sha256:{digest}" for digest in digests]
    rows = EntrySubject.objects.filter(
        digest__in=wanted, entry__kind=Entry.Kind.OBSERVATION, entry__predicate_type=TYPE
    ).values_list("digest", "entry__envelope_digest")
    return {digest.removeprefix("sha256:"): f"sha256:{envelope}" for digest, envelope in rows}


def _signed(read: Read, token: str, ring: KeyRing) -> Prepared:
    subject = {"name": read.name, "digest": {"sha256": read.digest}}
    return observe.statement_of("collector", TYPE, [subject], {"reportedBy": token} | read.predicate, ring)


def _attested(
    reads: Sequence[Read | LineageError], made: dict[str, RecordedEvent | LineageError], token: str
) -> Sequence[Read | LineageError]:
    """Submit what the recorded events carry. What is refused is listed among the refusals, and said."""
    for read in reads:
        if not isinstance(read, Read) or not read.envelopes:
            continue
        recorded = made[read.digest]
        if isinstance(recorded, RecordedEvent) and not (recorded.attestations or recorded.refused):
            accepted, refused = _submitted(read.envelopes, token)
            made[read.digest] = msgspec.structs.replace(recorded, attestations=accepted, refused=refused)
    return reads


def _submitted(envelopes: Sequence[bytes], token: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    accepted, refused = [], []
    for envelope in envelopes:
        try:
            accepted.append(intake.submit(envelope, token=token).receipt.digest)
        except UnavailableError:
            raise  # the client sends the event again, and with it the attestation
        except LineageError as error:
            refused.append(error.message)
    return tuple(accepted), tuple(refused)


def split(data: bytes) -> list[bytes]:
    """The events of a batch, a JSON array, each as the text that was sent.

    Raises: MalformedError, TooLargeError for more than `MAX_BATCH_EVENTS`.
    """
    return openlineage_batch.items(data, MAX_BATCH_EVENTS)


def retriable(error: LineageError) -> bool:
    """Whether the same event may be taken later."""
    return not isinstance(error, MalformedError) and error.status >= 500

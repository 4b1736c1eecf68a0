"""Sources as people and programs read them: configuration without secrets, and what their syncs came to.

Owns: what is told of a source. Reads only; `sources` changes them. No secret is ever read here, so none can
be told: a box that is not empty is all that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from django.db.models import Count, Q

from lineage.db.models import Entry, Source, SourceObject, SourceProblem, SourceState
from lineage.graph.model import run_key
from lineage.mlflow.provenance import builder_id
from lineage.services import mlflow_state, source_certificates, sources
from lineage.services.clock import now_us
from lineage.services.source_certificates import CertificateRecord
from lineage.trust.leaf import rfc3339

MAX_PROBLEMS = 100
CHANGED_LISTED = 20


class SyncState(msgspec.Struct, frozen=True):
    """What the syncs of a source came to. Times are RFC 3339, UTC, empty where it has not come to that.

    Attributes:
        state: paused, waiting (never synced), following, late, failing.
        polled_at: the last sync that came through.
        swept_at: the last full sweep that did.
        rehashed_at: the last one of them that hashed every byte again.
        tried_at: the last sync that began.
        lag_seconds: since the last sync that came through; null where none has.
        error: why the last sync did not come through.
        failures: how many in a row did not.
    """

    state: str
    server_version: str
    polled_at: str
    swept_at: str
    rehashed_at: str
    tried_at: str
    lag_seconds: int | None
    error: str
    failures: int


class Recorded(msgspec.Struct, frozen=True):
    """How many things of one kind the log knows of a source, by their newest record.

    `gone` are deleted or purged there; `changed` have changed after they had ended.
    """

    kind: str
    present: int
    gone: int
    changed: int


class SourceRecord(msgspec.Struct, frozen=True):
    """One source. Secrets are never told, only whether there are any."""

    name: str
    url: str
    auth: str
    username: str
    has_secret: bool
    has_webhook_secret: bool
    ca_certificates: list[CertificateRecord]
    client_certificates: list[CertificateRecord]
    proxy: str
    data_roots: list[str]
    requests_per_second: int
    poll_seconds: int
    sweep_seconds: int
    rehash_seconds: int
    max_file_bytes: int
    paused: bool
    created_at: str
    created_by: str
    sync: SyncState
    recorded: list[Recorded]
    problems: int

    @property
    def objects(self) -> int:
        """Everything that was recorded, of each kind, gone or not."""
        return sum(kind.present + kind.gone for kind in self.recorded)

    @property
    def changed(self) -> int:
        """How many of them changed after they had ended."""
        return sum(kind.changed for kind in self.recorded)


class ProblemRecord(msgspec.Struct, frozen=True):
    """Something on a source that could not be read or recorded, and why; gone once it could."""

    kind: str
    id: str
    problem: str
    reason: str
    first_at: str
    last_at: str


class ChangedRecord(msgspec.Struct, frozen=True):
    """Something that changed after it had ended.

    `entry` is the newest log entry about it and `statement` that entry's digest (hex); `run` is the node key
    of the run that it is or belongs to, empty where there is none.
    """

    kind: str
    id: str
    name: str
    state: str
    run: str
    entry: int
    statement: str


def read(name: str) -> SourceRecord:
    """Raises: NotFoundError."""
    return _records([sources.find(name)])[0]


def every() -> list[SourceRecord]:
    """All sources, by name."""
    return _records(sources.listed())


def problems(name: str) -> list[ProblemRecord]:
    """What could not be read or recorded, the newest first, at most MAX_PROBLEMS."""
    rows = SourceProblem.objects.filter(source=name).order_by("-last_us", "-pk")[:MAX_PROBLEMS]
    return [
        ProblemRecord(
            row.kind, row.external_id, row.slug, row.reason, rfc3339(row.first_us), rfc3339(row.last_us)
        )
        for row in rows
    ]


def changed(name: str) -> list[ChangedRecord]:
    """What changed after it had ended, by the newest entry first, at most CHANGED_LISTED."""
    found = SourceObject.objects.filter(source=name, changed_after_end=True).order_by("-entry_index")
    rows = list(found[:CHANGED_LISTED])
    entries = Entry.objects.filter(index__in=[row.entry_index for row in rows])
    digests = dict(entries.values_list("index", "envelope_digest"))
    return [
        ChangedRecord(
            kind=row.kind,
            id=row.external_id,
            name=str(mlflow_state.unpack(bytes(row.record)).get("name", "")),
            state=row.state,
            run=_run_key(row),
            entry=row.entry_index,
            statement=digests.get(row.entry_index, ""),
        )
        for row in rows
    ]


def _run_key(row: SourceObject) -> str:
    run_id = row.run_id or (row.external_id if row.kind.startswith("run") else "")
    return run_key(builder_id(row.source), run_id, "") if run_id else ""


def _records(rows: Iterable[Source]) -> list[SourceRecord]:
    rows = list(rows)
    names = [row.name for row in rows]
    states = {state.source: state for state in SourceState.objects.filter(source__in=names)}
    troubles = dict(
        SourceProblem.objects.filter(source__in=names).values_list("source").annotate(count=Count("pk"))
    )
    now = now_us()
    return [
        _record(
            row,
            _sync(row, states.get(row.name) or SourceState(source=row.name), now),
            _recorded(row, states.get(row.name)),
            troubles.get(row.name, 0),
        )
        for row in rows
    ]


_counted: dict[str, tuple[tuple[int, int], list[Recorded]]] = {}
"""Source → what was counted, and when: counting a few hundred thousand rows takes half a second, and a page
asks each few seconds. Rows change only while `followed_index` moves, in the same transaction."""


def _recorded(source: Source, state: SourceState | None) -> list[Recorded]:
    moment = (source.created_us, state.followed_index if state else 0)
    known = _counted.get(source.name)
    if known is None or known[0] != moment or not moment[1]:
        known = _counted[source.name] = (moment, _count(source.name))
    return known[1]


def _count(name: str) -> list[Recorded]:
    counted = (
        SourceObject.objects.filter(source=name)
        .values_list("kind")
        .annotate(
            present=Count("pk", filter=Q(state="present")),
            gone=Count("pk", filter=~Q(state="present")),
            changed=Count("pk", filter=Q(changed_after_end=True)),
        )
        .order_by("kind")
    )
    return [Recorded(*counts) for counts in counted]


def _sync(source: Source, state: SourceState, now: int) -> SyncState:
    return SyncState(
        state=_word(source, state, now),
        server_version=state.server_version,
        polled_at=_time(state.polled_us),
        swept_at=_time(state.swept_us),
        rehashed_at=_time(state.rehashed_us),
        tried_at=_time(state.tried_us),
        lag_seconds=max(0, now - state.polled_us) // 1_000_000 if state.polled_us else None,
        error=state.error,
        failures=state.failures,
    )


LATE_POLLS, LATE_SECONDS = 4, 60
"""A source is late where the last sync that came through is this many pauses, and this long, ago."""


def _word(source: Source, state: SourceState, now: int) -> str:
    if source.paused:
        return "paused"
    if state.failures:
        return "failing"
    if not state.polled_us:
        return "waiting"
    late = state.polled_us + max(LATE_POLLS * source.poll_seconds, LATE_SECONDS) * 1_000_000 < now
    return "late" if late else "following"


def _record(source: Source, sync: SyncState, recorded: list[Recorded], troubles: int) -> SourceRecord:
    return SourceRecord(
        name=source.name,
        url=source.url,
        auth=source.auth,
        username=source.username,
        has_secret=bool(source.secret_box),
        has_webhook_secret=bool(source.webhook_box),
        ca_certificates=source_certificates.records(source.ca_pem),
        client_certificates=source_certificates.records(source.client_certificate_pem),
        proxy=source.proxy,
        data_roots=source.data_roots.splitlines(),
        requests_per_second=source.requests_per_second,
        poll_seconds=source.poll_seconds,
        sweep_seconds=source.sweep_seconds,
        rehash_seconds=source.rehash_seconds,
        max_file_bytes=source.max_file_bytes,
        paused=source.paused,
        created_at=rfc3339(source.created_us),
        created_by=source.created_by,
        sync=sync,
        recorded=recorded,
        problems=troubles,
    )


def _time(us: int) -> str:
    return rfc3339(us) if us else ""

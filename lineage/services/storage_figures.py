"""What is known of each storage: whether it answers, how its copies stand, what was read of it and how fast.

Owns: figures for pages, programs and the command line; folders and MLflow servers too. Reads only. No secret
is ever read here: a box that is not empty is all that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from django.db.models import Count, Q, Sum

from lineage.artifacts.storage import by_kind
from lineage.db.models import Copy, Entry, Storage, StorageState, StorageSweep
from lineage.errors import NotFoundError
from lineage.services import check_policies, policy_words, source_certificates, storages
from lineage.services.clock import now_us
from lineage.services.source_certificates import CertificateRecord
from lineage.services.storages import MLFLOW, Place
from lineage.trust.leaf import rfc3339

HOUR_US = 3600 * 1_000_000
PERIODS = (("day", 24 * HOUR_US), ("week", 7 * 24 * HOUR_US), ("month", 30 * 24 * HOUR_US))
MAX_SWEEPS = 20
MAX_FAILURES = 100


class Standing(msgspec.Struct, frozen=True):
    """How the copies in a storage stand: the first four add up to `total`.

    `overdue` matched once, and that counts no more; `due` are to be checked by now; `bytes` as read last.
    """

    match: int = 0
    mismatch: int = 0
    inconclusive: int = 0
    never_checked: int = 0
    overdue: int = 0
    due: int = 0
    bytes: int = 0

    @property
    def total(self) -> int:
        return self.match + self.mismatch + self.inconclusive + self.never_checked


class Sweep(msgspec.Struct, frozen=True):
    """One signed statement of checks. `entry` is its log index, `digest` names its envelope."""

    entry: int
    digest: str
    started_at: str
    finished_at: str
    seconds: float
    bytes: int
    bytes_per_second: int
    match: int
    mismatch: int
    inconclusive: int


class Coverage(msgspec.Struct, frozen=True):
    """Copies whose newest check is within a period, and their bytes; `read_bytes`: by all sweeps in it."""

    period: str
    copies: int
    bytes: int
    read_bytes: int


class LocationRecord(msgspec.Struct, frozen=True):
    """One storage. Times are RFC 3339, empty where it has not come to that.

    Attributes:
        kind: of the storage schemes, or `mlflow`.
        configured: by name, so that it can be changed here; else a folder or an MLflow server.
        state: `here`, `gone` (since `gone_at`), `paused`, or `unknown` before it was looked for.
        failures: tries in a row that did not reach it.
        limits: bytes a second, checks at a time, quiet hours (UTC) of the check policy, in words.
    """

    name: str
    kind: str
    title: str
    uri: str
    configured: bool
    paused: bool
    state: str
    reached_at: str
    gone_at: str
    tried_at: str
    error: str
    failures: int
    copies: Standing
    last_sweep: Sweep | None
    endpoint: str = ""
    region: str = ""
    username: str = ""
    has_secret: bool = False
    has_token: bool = False
    ca_certificates: list[CertificateRecord] = []
    insecure_http: bool = False
    limits: list[str] = []
    created_at: str = ""
    created_by: str = ""


class FailedCopy(msgspec.Struct, frozen=True):
    """A copy that differs from its artifact."""

    key: str
    location: str
    at: str


class LocationAnswer(msgspec.Struct, frozen=True):
    """A storage with its newest sweeps, what was covered lately, and copies that failed, at most 100."""

    location: LocationRecord
    sweeps: list[Sweep]
    coverage: list[Coverage]
    failed: list[FailedCopy]


def every() -> list[LocationRecord]:
    """Folders, MLflow servers, others, each by name."""
    return _records(storages.listed())


def read(name: str) -> LocationRecord:
    """Raises: NotFoundError."""
    place = storages.find(name)
    if place is None:
        hint = "`lineage locations list` lists them."
        raise NotFoundError(f"There is no storage {name[:80]!r}.", hint=hint)
    return _records([place])[0]


def answer(name: str) -> LocationAnswer:
    """Raises: NotFoundError."""
    return LocationAnswer(read(name), sweeps(name), coverage(name), failed(name))


def sweeps(name: str, limit: int = MAX_SWEEPS) -> list[Sweep]:
    """The newest first."""
    rows = list(StorageSweep.objects.filter(storage=name).order_by("-finished_us", "-pk")[:limit])
    return _sweeps(rows)


def coverage(name: str) -> list[Coverage]:
    """What was checked in the last day, week and month."""
    now = now_us()
    rows, read_rows = Copy.objects.filter(storage=name), StorageSweep.objects.filter(storage=name)
    since = {period: now - length for period, length in PERIODS}
    told = rows.filter(last_us__gte=since["month"]).aggregate(
        **{f"{period}_copies": Count("pk", Q(last_us__gte=us)) for period, us in since.items()},
        **{f"{period}_bytes": Sum("bytes", filter=Q(last_us__gte=us)) for period, us in since.items()},
    )
    spent = read_rows.filter(finished_us__gte=since["month"]).aggregate(
        **{period: Sum("bytes", filter=Q(finished_us__gte=us)) for period, us in since.items()}
    )
    return [
        Coverage(period, told[f"{period}_copies"] or 0, told[f"{period}_bytes"] or 0, spent[period] or 0)
        for period, _ in PERIODS
    ]


def failed(name: str, limit: int = MAX_FAILURES) -> list[FailedCopy]:
    """Copies that differ, those checked last first."""
    rows = Copy.objects.filter(storage=name, outcome="mismatch").order_by("-last_us", "pk")
    return [
        FailedCopy(key, location, rfc3339(at))
        for key, location, at in rows.values_list("node__key", "location", "last_us")[:limit]
    ]


def _records(places: Iterable[Place]) -> list[LocationRecord]:
    places = list(places)
    names = [place.name for place in places]
    states = StorageState.objects.in_bulk(names)
    rows = {row.name: row for row in Storage.objects.filter(name__in=names)}
    standing = _standing(names)
    newest = {sweep.storage: sweep for sweep in _newest(names)}
    told = dict(zip(newest, _sweeps(list(newest.values())), strict=True))
    policy = check_policies.current()
    return [
        _record(
            place,
            states.get(place.name) or StorageState(storage=place.name),
            rows.get(place.name),
            standing.get(place.name, Standing()),
            told.get(place.name),
            policy_words.of_storage(policy, place.root.uri),
        )
        for place in places
    ]


def _record(
    place: Place,
    state: StorageState,
    row: Storage | None,
    standing: Standing,
    newest: Sweep | None,
    limits: list[str],
) -> LocationRecord:
    record = LocationRecord(
        name=place.name,
        kind=place.kind,
        title=place.title,
        uri=place.root.uri,
        configured=row is not None,
        paused=place.paused,
        state=_word(place, state),
        reached_at=_time(state.reached_us),
        gone_at=_time(state.gone_us),
        tried_at=_time(state.tried_us),
        error=state.error,
        failures=state.failures,
        copies=standing,
        last_sweep=newest,
        limits=limits,
    )
    return record if row is None else _configured(record, row)


def _configured(record: LocationRecord, row: Storage) -> LocationRecord:
    return msgspec.structs.replace(
        record,
        endpoint=row.endpoint,
        region=row.region,
        username=row.username,
        has_secret=bool(row.secret_box),
        has_token=bool(row.token_box),
        ca_certificates=source_certificates.records(row.ca_pem) if row.ca_pem else [],
        insecure_http=row.insecure_http,
        created_at=rfc3339(row.created_us),
        created_by=row.created_by,
    )


def kind_title(kind: str) -> str:
    """What a kind of storage is called."""
    return "MLflow server" if kind == MLFLOW else by_kind(kind).title


def _word(place: Place, state: StorageState) -> str:
    if place.paused:
        return "paused"
    if state.gone_us:
        return "gone"
    return "here" if state.reached_us else "unknown"


def _standing(names: list[str]) -> dict[str, Standing]:
    now = now_us()
    overdue = Q(full_us__gt=0, overdue_us__lte=now) & ~Q(outcome="mismatch")
    rows = (
        Copy.objects.filter(storage__in=names)
        .values_list("storage")
        .annotate(
            match=Count("pk", Q(outcome="match")),
            mismatch=Count("pk", Q(outcome="mismatch")),
            inconclusive=Count("pk", Q(outcome="inconclusive")),
            never=Count("pk", Q(outcome="never-checked")),
            overdue=Count("pk", overdue),
            due=Count("pk", Q(due_us__lte=now)),
            size=Sum("bytes"),
        )
        .order_by("storage")
    )
    return {storage: Standing(*figures) for storage, *figures in rows}


def _newest(names: list[str]) -> list[StorageSweep]:
    rows = StorageSweep.objects.order_by("-finished_us", "-pk")
    found = [rows.filter(storage=name).first() for name in names]
    return [sweep for sweep in found if sweep is not None]


def _sweeps(rows: list[StorageSweep]) -> list[Sweep]:
    entries = Entry.objects.filter(index__in=[row.entry_index for row in rows])
    digests = dict(entries.values_list("index", "envelope_digest"))
    return [_sweep(row, digests.get(row.entry_index, "")) for row in rows]


def _sweep(row: StorageSweep, digest: str) -> Sweep:
    seconds = max(row.finished_us - row.started_us, 0) / 1e6
    return Sweep(
        entry=row.entry_index,
        digest=f"sha256:{digest}" if digest else "",
        started_at=rfc3339(row.started_us),
        finished_at=rfc3339(row.finished_us),
        seconds=round(seconds, 3),
        bytes=row.bytes,
        bytes_per_second=round(row.bytes / seconds) if seconds else 0,
        match=row.matches,
        mismatch=row.mismatches,
        inconclusive=row.inconclusive,
    )


def _time(us: int) -> str:
    return rfc3339(us) if us else ""

"""What an officer asks first: how does everything stand, and what has become worse since yesterday?

Reads only. Does not own: what a status is (`graph.status`), or any one answer (`services.lineage`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from django.db.models import Sum

from lineage.db.models import RefusalCount
from lineage.graph.model import NodeKind
from lineage.services import as_of as moments
from lineage.services import (
    audit_condition,
    clock_watch,
    exceptions,
    gone_storages,
    incidents,
    key_records,
    lineage,
    observations,
    publish,
    records,
    witnesses,
)
from lineage.services.as_of import AsOf
from lineage.services.audit_condition import Line
from lineage.services.clock import now_us
from lineage.services.gone_storages import GoneStorage
from lineage.services.incidents import IncidentRecord
from lineage.services.key_records import KeyRecord
from lineage.services.lineage import Counts, ExceptionRecord, Gap
from lineage.services.observations import AfterFact
from lineage.services.records import AttestationSummary
from lineage.trust.leaf import parse_rfc3339, rfc3339

DAY_US = 86_400_000_000
ENTRIES_SHOWN = 8
EXCEPTIONS_SHOWN = 20
GAPS_SHOWN = 5
INCIDENTS_SHOWN = 5
CHANGED_DAYS = 7
CHANGED_SHOWN = 10
MODELS_SEARCHED = 5
"""The newest models whose gaps are looked for: each costs a walk of its whole lineage."""

STATUSES = ("failed", "expired", "unverified", "verified")


class Figure(msgspec.Struct, frozen=True):
    """How many nodes have a status; `change` since a day before, None where nothing was known then."""

    status: str
    count: int
    change: int | None


class GoneAlarm(msgspec.Struct, frozen=True):
    """A storage that can't be reached, and how many copies hang on it."""

    storage: GoneStorage
    copies: int


class Overview(msgspec.Struct, frozen=True):
    """Everything on the first page. Times are microseconds since the epoch, UTC.

    `recorded`: the graph holds more than keys.
    `exceptions` are cut at EXCEPTIONS_SHOWN of `exceptions_total`; `gaps`, those of the newest models, at
    GAPS_SHOWN of `gaps_total`. `gone`: storages that can't be reached now, none where the moment is past;
    nor is `clock` told then, why this machine's can't be relied on.
    `alarm` is what stands above everything, else empty: the log is damaged, or a witness contradicts it, as
    `contradicted` says. `audits`: how log and graph were looked at, none where the moment is past.
    `overdue`: artifacts with a copy whose last match counts no more, and none that failed.
    `changed`: on MLflow after it had finished, in the last CHANGED_DAYS.
    `refused` counts the day and the day before, by slug. `incidents`: the worst of those that are open.
    """

    since_us: int
    recorded: bool
    total: int
    figures: tuple[Figure, ...]
    tainted: Figure
    exceptions: tuple[ExceptionRecord, ...]
    exceptions_total: int
    changed: AfterFact
    gaps: tuple[Gap, ...]
    gaps_total: int
    entries: tuple[AttestationSummary, ...]
    gone: tuple[GoneAlarm, ...]
    clock: str
    alarm: str
    contradicted: tuple[str, ...]
    audits: tuple[Line, ...]
    overdue: int
    last_check_us: int | None
    neglected_us: int | None
    expiring: tuple[KeyRecord, ...]
    refused: dict[str, int]
    refused_total: int
    incidents: tuple[IncidentRecord, ...] = ()
    incidents_total: int = 0


def overview(as_of: AsOf) -> Overview:
    """How everything stands at a moment, compared with a day earlier."""
    since_us = max(as_of.at_us - DAY_US, 0)
    now = lineage.status_counts(as_of)
    yesterday = moments.resolve(rfc3339(since_us))
    figures = _figures(now, lineage.status_counts(yesterday))
    worse, worse_total = exceptions.new(as_of, yesterday, limit=EXCEPTIONS_SHOWN)
    gaps = _gaps(as_of)
    age = lineage.check_age(as_of)
    refused = _refused(as_of.at_us)
    audits = tuple(audit_condition.lines(audit_condition.standing(), now_us())) if as_of.live else ()
    contradicted = _contradicted() if as_of.live else ()
    open_incidents, open_total = incidents.open_now(as_of, INCIDENTS_SHOWN)
    return Overview(
        since_us=since_us,
        recorded=bool(now.by_kind.keys() - {NodeKind.SIGNER}),
        total=now.total,
        figures=figures[:-1],
        tainted=figures[-1],
        exceptions=tuple(worse),
        exceptions_total=worse_total,
        changed=observations.after_the_fact(
            as_of, max(as_of.at_us - CHANGED_DAYS * DAY_US, 0), CHANGED_SHOWN
        ),
        gaps=gaps[:GAPS_SHOWN],
        gaps_total=len(gaps),
        gone=_gone(as_of),
        clock=clock_watch.trouble() if as_of.live else "",
        alarm=_alarm(audits, contradicted),
        contradicted=contradicted,
        audits=audits,
        overdue=now.by_kind.get(NodeKind.ARTIFACT, {}).get("expired", 0),
        entries=tuple(records.listed(as_of, limit=ENTRIES_SHOWN).attestations),
        last_check_us=parse_rfc3339(age.newest) if age.newest else None,
        neglected_us=parse_rfc3339(age.oldest) if age.oldest else None,
        expiring=tuple(key_records.expiring(as_of)),
        refused=refused,
        refused_total=sum(refused.values()),
        incidents=open_incidents,
        incidents_total=open_total,
    )


def _alarm(audits: tuple[Line, ...], contradicted: tuple[str, ...]) -> str:
    if audits and audits[0].tone == audit_condition.BAD:
        return "The log is damaged"
    return "A witness contradicts the log" if contradicted else ""


def _contradicted() -> tuple[str, ...]:
    found = [state for state in witnesses.states() if state.contradicts]
    return tuple(witnesses.trouble(found, publish.published_size(), now_us()))


def _figures(now: Counts, before: Counts) -> tuple[Figure, ...]:
    """The four statuses, then the tainted."""
    figures = []
    for status in (*STATUSES, "tainted"):
        count = getattr(now, status)
        change = count - getattr(before, status) if before.total else None
        figures.append(Figure(status, count, change))
    return tuple(figures)


def _gone(as_of: AsOf) -> tuple[GoneAlarm, ...]:
    """One alarm a storage: ten thousand copies that can't be reached are one thing that is wrong."""
    if not as_of.live:
        return ()
    return tuple(GoneAlarm(each, gone_storages.copies_in(each.name)) for each in gone_storages.listed())


def _gaps(as_of: AsOf) -> tuple[Gap, ...]:
    """Each gap once, however many of the newest models share it."""
    models = lineage.search(as_of, kind="model", limit=MODELS_SEARCHED).nodes
    found = {(gap.slug, gap.key): gap for model in models for gap in lineage.gaps(model.key, as_of)}
    return tuple(found.values())


def _refused(at_us: int) -> dict[str, int]:
    """Most first. Refusals are counted by day."""
    day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).date()
    rows = (
        RefusalCount.objects.filter(day__gte=day - timedelta(days=1), day__lte=day)
        .values_list("slug")
        .annotate(total=Sum("count"))
        .order_by("-total", "slug")
    )
    return dict(rows)

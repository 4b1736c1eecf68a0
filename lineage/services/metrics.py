"""Figures of the installation and of the web processes, as OpenMetrics.

Owns: names, help and labels of every family. Does not own: what a process measures of itself
(`lineage.meters`), or looking at the services (`sightings`).

What comes from the database is the same from whichever web server is asked; what a server measures of itself
is its own. Labels are from closed sets: slugs, states, kinds of jobs, names of URL patterns and of storages.

Source: OpenMetrics 1.0 (text format).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import DatabaseError
from django.db.models import Count
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from lineage import meters
from lineage.db.models import Job
from lineage.errors import UnavailableError
from lineage.services import as_of, audit_condition, condition, copy_counts, lineage, sightings
from lineage.services.clock import now_us
from lineage.services.condition import DEGRADED, OFF, OK
from lineage.services.probe import Probe
from lineage.services.sightings import Found

OPENMETRICS = CONTENT_TYPE_LATEST
Labels = TypeVar("Labels", tuple[()], tuple[str], tuple[str, str])
STATUSES = ("verified", "unverified", "expired", "failed", "tainted")
DEADLINE_SECONDS = 5.0
COPIES_KEPT_SECONDS = 30.0
"""Counting copies reads them all, so however often we are asked it is done twice a minute by each process."""


def forget() -> None:
    """Have copies counted anew, however short ago they were."""
    _copies.forget()


def exposition() -> bytes:
    """Everything, as text. Of a service that is away it says so and leaves out what only that one knows."""
    registry = CollectorRegistry()
    registry.register(_Installation())
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text


@dataclass(frozen=True, slots=True)
class _Counts:
    """What only a look at the tables tells. Jobs by (kind, state)."""

    refusals: Mapping[str, int] = field(default_factory=dict)
    nodes: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)


class _Installation(Collector):
    """Collected at each question. The meters of the processes come along, so that there is one document."""

    def collect(self) -> Iterable[Metric]:
        found = sightings.look()
        yield _gauge("lineage_ready", "1 where requests can be answered.", {(): float(found.ready)})
        yield from _of_services(found)
        if found.ready:
            yield from _of_log(found)
            yield from _of_tables()
        yield from meters.registry().collect()


def _of_services(found: Found) -> Iterator[Metric]:
    states = {(each.name,): _level(each.state) for each in condition.services(found) if each.state != OFF}
    yield _gauge(
        "lineage_service_up",
        "1 where the service does what it should, 0.5 where it is behind, 0 where it is down.",
        states,
        ("service",),
    )
    yield _gauge(
        "lineage_graph_backend_up",
        "1 where the graph backend can be asked.",
        {(state.name,): float(state.up) for state in found.backends},
        ("backend",),
    )
    yield _gauge(
        "lineage_graph_backend_answers",
        "1 for the graph backend that answers questions about now.",
        {(state.name,): float(state.answers) for state in found.backends},
        ("backend",),
    )


def _level(state: str) -> float:
    return {OK: 1.0, DEGRADED: 0.5}.get(state, 0.0)


def _of_log(found: Found) -> Iterator[Metric]:
    figures = found.figures
    appends = CounterMetricFamily("lineage_appends", "Entries that were appended since the log began.")
    appends.add_metric((), figures.size)
    yield appends
    yield _gauge("lineage_log_entries", "Entries in the log.", {(): figures.size})
    yield _gauge("lineage_log_published_entries", "Entries under a checkpoint.", {(): figures.published})
    yield _gauge(
        "lineage_log_rolled_back",
        "1 where an older state of the log was put back, or that can't be told: nothing is appended.",
        {(): float(bool(figures.high_water.wrong))},
    )
    yield _gauge(
        "lineage_log_epoch", "Over 1 where published entries were given up as lost.", {(): figures.epoch}
    )
    yield _gauge(
        "lineage_high_water_entries",
        "Entries under the checkpoint that is kept outside the database.",
        {(): figures.high_water.size},
    )
    yield _gauge(
        "lineage_log_unpublished_seconds",
        "How long the oldest entry under no checkpoint has waited.",
        {(): figures.unpublished_seconds},
    )
    yield from _of_audits(figures.audits)
    yield _gauge("lineage_graph_entries", "Entries that the graph has followed.", {(): figures.projected})
    backends = [state for state in found.backends if state.up]
    yield _gauge(
        "lineage_projection_lag_entries",
        "Entries that the backend has not followed yet.",
        {(state.name,): state.lag for state in backends},
        ("backend",),
    )
    yield _gauge(
        "lineage_projection_lag_seconds",
        "How long the oldest of them has waited.",
        {(state.name,): state.lag_seconds for state in backends},
        ("backend",),
    )
    yield _gauge(
        "lineage_witness_entries",
        "Entries under the newest checkpoint that the witness cosigned.",
        {(each.witness.key,): each.size for each in figures.witnesses},
        ("witness",),
    )
    yield _gauge(
        "lineage_witness_contradicts",
        "1 where the witness has seen another log than this one.",
        {(each.witness.key,): float(each.contradicts) for each in figures.witnesses},
        ("witness",),
    )
    ages = {(beat.name,): beat.age_seconds for beat in figures.beats if beat.age_seconds is not None}
    yield _gauge("lineage_beat_age_seconds", "Since a worker last looked after the queue.", ages, ("queue",))
    gone = {each.name for each in figures.gone}
    yield _gauge(
        "lineage_storage_gone",
        "1 where the storage can't be reached.",
        {(name,): float(name in gone) for name in figures.storages},
        ("storage",),
    )


def _of_audits(audits: audit_condition.Standing) -> Iterator[Metric]:
    now, log = now_us(), audits.log
    yield _gauge(
        "lineage_log_damaged",
        "1 where the log, read again, was found to be damaged.",
        {(): float(bool(log.wrong))},
    )
    yield _gauge("lineage_log_audit_entries", "Entries that were read again the last time.", {(): log.read})
    ages = {"run": log.ran_us, "round": log.rounded_us}
    yield _gauge(
        "lineage_log_audit_age_seconds",
        "Since the log was last read again: a run of the schedule, and the whole log.",
        {(name,): (now - at_us) / 1e6 for name, at_us in ages.items() if at_us is not None},
        ("what",),
    )
    yield _gauge(
        "lineage_graph_check_age_seconds",
        "Since the backend was last compared with the log.",
        {(each.backend,): (now - each.at_us) / 1e6 for each in audits.graphs if each.at_us is not None},
        ("backend",),
    )
    yield _gauge(
        "lineage_graph_check_differences",
        "Differences from the log that were found then and left.",
        {(each.backend,): each.differences for each in audits.graphs if each.at_us is not None},
        ("backend",),
    )


def _of_tables() -> Iterator[Metric]:
    try:
        counts = _tables.ask()
    except (DatabaseError, UnavailableError):
        return
    refused = CounterMetricFamily("lineage_refusals", "Envelopes that were refused.", labels=("reason",))
    for slug, count in sorted(counts.refusals.items()):
        refused.add_metric((slug,), count)
    yield refused
    yield _gauge(
        "lineage_nodes",
        "Nodes by status; tainted overlaps the others.",
        {(status,): count for status, count in counts.nodes.items()},
        ("status",),
    )
    yield _gauge("lineage_jobs", "Jobs by kind and state.", counts.jobs, ("kind", "state"))
    yield from _of_copies()


def _of_copies() -> Iterator[Metric]:
    try:
        counts = _copies.ask()
    except (DatabaseError, UnavailableError):
        return
    yield _gauge(
        "lineage_copies", "Copies by how their checks came out.", counts.by_outcome, ("storage", "outcome")
    )
    for name, text, found in (
        ("lineage_copies_due", "Copies that are to be checked by now.", counts.due),
        ("lineage_copies_overdue", "Copies whose last match counts no more.", counts.overdue),
        ("lineage_storage_day_bytes", "Bytes that sweeps read in the last day.", counts.read_bytes),
    ):
        yield _gauge(name, text, {(storage,): number for storage, number in found.items()}, ("storage",))


def _count() -> _Counts:
    nodes = lineage.status_counts(as_of.resolve(None))
    jobs = Job.objects.values_list("kind", "state").annotate(count=Count("pk"))
    return _Counts(
        condition.refusals(),
        {status: getattr(nodes, status) for status in STATUSES},
        {(kind, state): count for kind, state, count in jobs},
    )


_tables = Probe(_count, seconds=DEADLINE_SECONDS)
_copies = Probe(copy_counts.count, seconds=DEADLINE_SECONDS, keep_seconds=COPIES_KEPT_SECONDS)


def _gauge(
    name: str, text: str, samples: Mapping[Labels, float], labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in sorted(samples.items()):
        family.add_metric(values, value)
    return family

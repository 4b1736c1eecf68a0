"""The page of the system: each service, whether it does what it should, and what follows where it doesn't."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import django
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.db.models import Job
from lineage.errors import LineageError
from lineage.services import (
    beats,
    condition,
    epoch_records,
    graph_check,
    high_water,
    jobs,
    log_audit_round,
    sightings,
)
from lineage.services.clock import now_us
from lineage.services.condition import DEGRADED, DOWN, OFF, OK, Service
from lineage.services.graph_choice import BackendState
from lineage.web.pages import Page
from lineage.web.words import Status

STATES: Mapping[str, Status] = {
    OK: Status("verified", "Works", "check", "It does what it should."),
    DEGRADED: Status("expired", "Behind", "clock", "It works, later than it should."),
    DOWN: Status("failed", "Down", "x", "It does not work."),
    OFF: Status("unverified", "Not used", "circle-dashed", "It is not configured, and nothing needs it."),
}
"""A service's state, in the colour of the status whose slug comes first."""
NAMES: Mapping[str, tuple[str, str]] = {
    "database": ("Database", "Holds the log. Without it nothing is answered."),
    "migrations": ("Tables", "Are as this version needs them."),
    "log": ("Log", "What was accepted, and the signed checkpoints over it."),
    "high-water": (
        "High water",
        "The newest checkpoint, kept outside the database, shows where an older one is put back.",
    ),
    "witnesses": ("Witnesses", "Cosign checkpoints, so that nobody can rewrite the log unseen."),
    "audit": ("Audits", "Read the log again, and compare the graph with it."),
    "graph-sql": ("Lineage graph, database", "Statuses, names, lists; answers where Neo4j can't."),
    "graph-neo4j": ("Lineage graph, Neo4j", "Answers questions about ancestors, descendants and paths."),
    "broker": ("Redis", "Wakes the workers at once, and counts failed sign-ins for all web processes."),
    "worker": ("Workers", "Bring statements into the graph, sign checkpoints, do jobs."),
    "storage": ("Storages", "Hold the bytes that are checked."),
    "clock": ("Clock", "By this machine's, entries get their time; keys and checks are judged by that."),
}
"""A service's name and what it is for, in words."""
CLOCK = Status("expired", "Not reliable", "clock", "It was set, or is not where the log is.")
ROLLED_BACK = Status("failed", "Rolled back", "x", "The log lacks what it had published.")
NOT_YET = Status("unverified", "Not yet", "circle-dashed", "Never looked at, which is not late yet.")
WEAK = Status("expired", "Shows little", "clock", "What was put back before can't be told.")
OWN: Mapping[tuple[str, str], Status] = {
    ("audit", OFF): NOT_YET,
    ("clock", DEGRADED): CLOCK,
    ("high-water", DOWN): ROLLED_BACK,
    ("high-water", DEGRADED): WEAK,
}
"""States that have words of their own, by service."""
BACKENDS = {"sql": "the database", "neo4j": "Neo4j"}


@dataclass(frozen=True, slots=True)
class Row:
    """One service as the page shows it."""

    title: str
    purpose: str
    state: Status
    reason: str


class System(Page):
    section = "system"
    template_name = "system.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        found = sightings.look()
        services = condition.services(found)
        troubled = [service for service in services if service.state in (DOWN, DEGRADED)]
        return self.render(
            services=[_row(service) for service in services],
            troubles=[_row(service) for service in troubled],
            told=[_row(service) for service in troubled if not _on_every_page(service)],
            ready=found.ready,
            answers=_who_answers(found.backends),
            backends=[(BACKENDS[state.name], state) for state in found.backends],
            size=found.figures.size,
            beats=found.figures.beats,
            alarm_seconds=round(beats.ALARM_SECONDS),
            checks=_last_checks(),
            epochs=_epochs(),
            versions=_versions(),
            now_us=now_us(),
            may_audit=self.person.may(User.Role.OPERATOR),
        )


class AuditNow(Page):
    """POST has the log read again, as the schedule does, and the graph compared with it."""

    role = User.Role.OPERATOR
    section = "system"
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest) -> HttpResponse:
        jobs.enqueue(log_audit_round.KIND, by=self.person.email)
        for backend in graph_check.configured():
            jobs.enqueue(graph_check.KIND, backend, by=self.person.email)
        messages.success(request, "A worker reads the log again and compares the graph with it.")
        return redirect("jobs")


def _row(service: Service) -> Row:
    title, purpose = NAMES[service.name]
    state = OWN.get((service.name, service.state), STATES[service.state])
    return Row(title, purpose, state, service.reason)


def _on_every_page(service: Service) -> bool:
    """A rollback is told above every page, so above this one too."""
    return service.name == "high-water" and bool(high_water.warning())


def _who_answers(backends: Sequence[BackendState]) -> str:
    return next((BACKENDS[state.name] for state in backends if state.answers), "")


@dataclass(frozen=True, slots=True)
class Check:
    """The newest comparison of a backend with the log. `at`: microseconds since the epoch."""

    at: int
    words: str
    examples: tuple[str, ...] = ()


MAX_EXAMPLES = 5


def _last_checks() -> list[Check]:
    """Of each backend that was ever checked."""
    ended = Job.objects.filter(kind=graph_check.KIND, finished_us__isnull=False).order_by("-finished_us")
    newest = (ended.filter(key__startswith=name).first() for name in BACKENDS)
    return [_check(job) for job in newest if job is not None]


def _epochs() -> list[str]:
    """What is told of each epoch of the log after the first, newest first."""
    try:
        return [each.sentence() for each in epoch_records.history()]
    except (LineageError, ObjectDoesNotExist) as error:
        return [f"Not known: {error}"]


def _check(job: Job) -> Check:
    at, report = job.finished_us or 0, graph_check.kept(job.result or {})
    if report is None:
        return Check(at, f"The check of {job.key} failed: {job.error}")
    return Check(at, report.sentence(), () if report.repaired else report.examples[:MAX_EXAMPLES])


def _versions() -> list[tuple[str, str]]:
    return [
        ("Lineage", version("lineage")),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        (connection.display_name, ".".join(map(str, connection.get_database_version()))),
    ]

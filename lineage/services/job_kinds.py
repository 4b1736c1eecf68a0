"""The kinds of jobs that there are. A new one is a service with a `run`, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lineage.broker import LONG, SHORT, SYNC
from lineage.errors import MalformedError
from lineage.services import (
    erasing,
    graph_check,
    log_audit_round,
    notify,
    retention,
    reverify,
    sources,
    sync,
    sync_files,
    taint_rows,
    tidy,
    witnesses,
)
from lineage.services.job_lease import Lease, Result


@dataclass(frozen=True, slots=True)
class JobKind:
    """How jobs of one kind are run.

    Attributes:
        run: does the work; may be run again from its start at any time, so what it appends are steps.
        queue: `long` for what takes more than a few seconds, `sync` for what polls other servers.
        lease_seconds: how long the job stays its worker's without a word of progress.
        max_attempts: of them; then it has failed, until an operator says to try again.
        title: what it does, for people; the name unless given.
        every_seconds: None, or how often a job of this kind, without a key, is due by itself.
        then: None, or from a job's result to the kinds of jobs that follow it, with the same key.
        due: None, or what is due at a time (µs) by itself: keys and arguments of jobs of this kind.
    """

    name: str
    run: Callable[[Lease], Result]
    queue: str
    lease_seconds: float = 60.0
    max_attempts: int = 5
    every_seconds: float | None = None
    then: Callable[[Result], tuple[str, ...]] | None = None
    due: Callable[[int], Iterable[tuple[str, Mapping[str, Any]]]] | None = None
    title: str = ""


KINDS: tuple[JobKind, ...] = (
    JobKind("tidy", tidy.run, SHORT, every_seconds=3600.0, title="Forget what is kept for a time only"),
    # A storage that does not answer may keep a worker waiting for as long as its timeouts.
    JobKind(
        reverify.KIND, reverify.run, LONG, lease_seconds=300.0, due=reverify.due, title="Check copies again"
    ),
    JobKind(
        notify.KIND,
        notify.run,
        SHORT,
        lease_seconds=notify.LEASE_SECONDS,
        due=notify.due,
        title="Tell a subscriber what failed",
    ),
    # The schedule asks again, so one attempt is enough.
    JobKind(
        sync.KIND,
        sync.run,
        SYNC,
        lease_seconds=300.0,
        max_attempts=1,
        then=sync.then,
        due=sources.due,
        title="Follow an MLflow server",
    ),
    JobKind(
        sync_files.KIND,
        sync_files.run,
        LONG,
        lease_seconds=300.0,
        max_attempts=1,
        due=sync_files.due,
        title="Hash files on an MLflow server",
    ),
    # A witness that does not answer keeps nobody else waiting than what polls other servers too.
    JobKind(
        witnesses.KIND,
        witnesses.run,
        SYNC,
        max_attempts=1,
        due=witnesses.due,
        title="Ask a witness to cosign the newest checkpoint",
    ),
    JobKind(
        taint_rows.KIND,
        taint_rows.run,
        SHORT,
        lease_seconds=120.0,
        due=taint_rows.due,
        title="Write down what is tainted, and by what",
    ),
    JobKind(erasing.KIND, erasing.run, LONG, due=erasing.due, title="Erase what was decided to be redacted"),
    JobKind(
        retention.KIND,
        retention.run,
        LONG,
        lease_seconds=600.0,
        every_seconds=86_400.0,
        title="Redact what the retention policy no longer keeps",
    ),
    JobKind(
        graph_check.KIND,
        graph_check.run,
        LONG,
        lease_seconds=300.0,
        max_attempts=2,
        due=graph_check.due,
        title="Compare the graph with the log",
    ),
    # A part is read within a second or a few, but it may wait for processes to start, and for others' cores.
    JobKind(
        log_audit_round.KIND,
        log_audit_round.run,
        LONG,
        lease_seconds=300.0,
        max_attempts=2,
        due=log_audit_round.due,
        title="Read a part of the log again",
    ),
)


def title(name: str) -> str:
    """What jobs of this kind do, for people; the name itself of a kind that is no more."""
    return next((kind.title for kind in KINDS if kind.name == name and kind.title), name)


def by_name(name: str) -> JobKind:
    """Raises: MalformedError for a kind that is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise MalformedError(f"{name!r} is no kind of job; there are {', '.join(kind.name for kind in KINDS)}.")

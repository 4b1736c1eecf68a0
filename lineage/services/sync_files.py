"""The job `sync-files`: files of what was recorded are hashed, and with their digests lineage is said.

Owns: when files of a source are looked at, apart from polls, because bytes may take hours. Does not own: how
(`sync_bytes`, `sync_lineage`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from django.db import transaction
from django.db.models import F

from lineage.db.models import Source, SourceObject, SourceProblem, SourceState
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection
from lineage.services import log_head, mlflow_state, sources, sync_bytes, sync_lineage, sync_models
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.log_batch import Prepared
from lineage.services.sync_recorder import Recorder, Sink
from lineage.services.sync_visit import Visit

KIND = "sync-files"
SWEEP, REHASH = "sweep", "rehash"
PAUSE_US = 60_000_000
"""Between two looks at files of which some could not be read."""
MAX_COUNTED = 10_000
"""Of what is pending: counting reads each row, and there may be as many as there are runs."""


def run(lease: Lease) -> Result:
    """The job `sync-files`; its key is a source's name.

    Raises: NotFoundError for an unknown source, SourceError where the server gives no usable answer.
    """
    source = sources.find(lease.key)
    mlflow_state.follow(source.name)
    began = now_us()
    with locked(source.name) as state:
        state.files_tried_us, asked, first = began, state.files_wanted, not state.listed_us
    with Connection(sources.settings_of(source)) as connection:
        server = Mlflow(connection)
        about = {"url": source.url, "version": server.version()}
        recorder = Recorder(source.name, about, sink(lease, source.name))
        visit = Visit(
            source,
            server,
            recorder,
            lease.progress,
            sweep=bool(asked),
            rehash=asked == REHASH,
            first=False,
        )
        steps(visit)
    with locked(source.name) as state:
        if state.files_wanted == asked:  # else more was asked for meanwhile
            state.files_wanted = ""
        if asked or first:
            state.listed_us = began
        if asked == REHASH or first:
            state.rehashed_us = began
    return {**recorder.told(), "problems": SourceProblem.objects.filter(source=source.name).count()}


def steps(visit: Visit) -> None:
    """Each rests on the rows of those before it."""
    settle = partial(sync_lineage.settle, size=log_head.size())
    followed: tuple[Callable[[Visit], None], ...] = (
        sync_bytes.models,
        sync_bytes.run_files,
        settle,
        sync_models.name_artifacts,
    )
    for step in followed:
        step(visit)
        visit.flush()


def sink(lease: Lease, source: str) -> Sink:
    """Appends under the lease, and brings the rows of the source up to it."""

    def append(prepared: Sequence[Prepared]) -> None:
        lease.append_all(prepared)
        mlflow_state.follow(source)

    return append


def due(now: int) -> list[tuple[str, dict[str, bool]]]:
    """The sources whose files are to be looked at, at `now` (µs)."""
    found: list[tuple[str, dict[str, bool]]] = []
    for source in Source.objects.filter(paused=False).order_by("name"):
        state = mlflow_state.state_of(source.name)
        rested = state.files_tried_us + PAUSE_US <= now or state.files_tried_us > now
        if rested and (state.files_wanted or pending(source.name)):
            found.append((source.name, {}))
    return found


def pending(source: str) -> int:
    """Of how many runs and models the files or the lineage are still to be followed; at most MAX_COUNTED."""
    ended = SourceObject.objects.filter(source=source, ended=True).exclude(state="purged")
    files = ended.filter(kind__in=("run", "logged-model")).exclude(files_digest=F("digest"))
    lineage = ended.filter(kind="run").exclude(settled_digest=F("digest"))
    # One after the other, because each has an index of its own.
    counted = files[:MAX_COUNTED].count()
    return counted + lineage.filter(files_digest=F("digest"))[: MAX_COUNTED - counted].count()


def wanted(source: str) -> str:
    """Whether all files are to be looked at: SWEEP, REHASH, or "" where only what is pending is."""
    return mlflow_state.state_of(source).files_wanted


@contextmanager
def locked(source: str) -> Iterator[SourceState]:
    """The source's state, which two jobs write; saved at the end."""
    mlflow_state.state_of(source)
    with transaction.atomic():
        state = SourceState.objects.select_for_update().get(source=source)
        yield state
        state.save()

"""The job `sync`: one look at an MLflow server, and what is new there becomes signed observations.

Owns: the order of the steps, what is written of how it went. Does not own: the steps (`sync_runs`,
`sync_models`, `sync_gone`), files (`sync_files`, a job of its own: bytes may take hours), recording
(`sync_recorder`), credentials and schedule (`sources`).

Every step may be done again: what is new is judged against the log. A full sweep looks at everything, a poll
at what may have moved. What could not be read is a problem of the source, never a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from lineage.db.models import Source, SourceProblem, SourceState
from lineage.errors import LineageError, RollbackError
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection
from lineage.services import mlflow_state, sources, sync_files, sync_gone, sync_models, sync_runs
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.log_batch import Prepared
from lineage.services.sync_recorder import Recorder, Sink
from lineage.services.sync_visit import Visit

KIND = "sync"
MAX_ERROR = 1000

Progress = Callable[[int, int, str], None]


def run(lease: Lease) -> Result:
    """The job `sync`; its key is a source's name, its arguments `sweep` and `rehash`.

    Raises: NotFoundError for an unknown source, SourceError where the server gives no usable answer.
    """
    source = sources.find(lease.key)
    sweep, rehash = bool(lease.arguments.get("sweep")), bool(lease.arguments.get("rehash"))
    mlflow_state.follow(source.name)
    SourceState.objects.filter(source=source.name).update(tried_us=now_us())
    try:
        recorder = _look(
            source, sync_files.sink(lease, source.name), lease.progress, sweep=sweep, rehash=rehash
        )
    except RollbackError:
        raise  # not the server's fault
    except LineageError as error:
        state = mlflow_state.state_of(source.name)
        state.error, state.failures = error.message[:MAX_ERROR], state.failures + 1
        state.save(update_fields=["error", "failures"])
        raise
    return {
        **recorder.told(),
        "problems": SourceProblem.objects.filter(source=source.name).count(),
        "files_pending": sync_files.pending(source.name),
        "files_again": sync_files.wanted(source.name),
    }


def then(result: Result) -> tuple[str, ...]:
    """The kinds of jobs that are to follow one with this result, for the same source."""
    return (sync_files.KIND,) if result["files_pending"] or result["files_again"] else ()


def dry_run(name: str, *, sweep: bool = False, rehash: bool = False) -> Iterator[str]:
    """What a sync would record now, a line each; nothing is written but what the log has already.

    Of files and lineage it says what is new of the runs and models that were recorded before.

    Raises: as `run`.
    """
    source = sources.find(name)
    mlflow_state.follow(name)
    lines: list[str] = []

    def sink(prepared: Sequence[Prepared]) -> None:
        lines.extend(_line(each) for each in prepared)

    _look(source, sink, lambda done, total, note: None, sweep=sweep, rehash=rehash, dry=True)
    yield from lines


def _line(prepared: Prepared) -> str:
    said = prepared.statement
    return f"{said.predicate_type}  {', '.join(subject.name for subject in said.subjects)}"


def _look(
    source: Source, sink: Sink, progress: Progress, *, sweep: bool, rehash: bool, dry: bool = False
) -> Recorder:
    state = mlflow_state.state_of(source.name)
    first = not state.swept_us
    began = now_us()
    if state.polled_us > began:  # our clock was ahead: it is not known since when to look
        state.ended_ms = state.models_ms = state.versions_ms = 0
    with Connection(sources.settings_of(source)) as connection:
        server = Mlflow(connection)
        version = server.version()
        recorder = Recorder(source.name, {"url": source.url, "version": version}, sink)
        visit = Visit(
            source, server, recorder, progress, sweep=sweep or first, rehash=rehash, first=first, dry=dry
        )
        _steps(visit, state)
        if dry:
            sync_files.steps(visit)
    if not dry:
        _came_through(visit, version, began)
    return recorder


def _steps(visit: Visit, state: SourceState) -> None:
    """In this order, because each rests on the rows of those before it."""
    experiments = sync_models.experiments(visit)
    steps: tuple[Callable[[], None], ...] = (
        partial(sync_models.logged_models, visit, experiments, state.models_ms),
        partial(sync_runs.runs, visit, experiments, state.ended_ms),
        partial(sync_gone.gone, visit),
        partial(sync_models.registry, visit, state.versions_ms),
        partial(sync_gone.registrations_gone, visit),
    )
    for step in steps:
        step()
        visit.flush()


def _came_through(visit: Visit, version: str, began: int) -> None:
    with sync_files.locked(visit.name) as state:
        state.server_version, state.error, state.failures = version, "", 0
        state.polled_us = now_us()
        # A clock of theirs that runs ahead, or ours that did, must not hide what ends until then.
        limit = began // 1000
        state.ended_ms = min(max(state.ended_ms, visit.newest_end_ms), limit)
        state.models_ms = min(max(state.models_ms, visit.newest_model_ms), limit)
        state.versions_ms = min(max(state.versions_ms, visit.newest_version_ms), limit)
        if visit.sweep:
            state.swept_us = began
            if visit.rehash:
                state.files_wanted = sync_files.REHASH
            elif not visit.first and not state.files_wanted:
                state.files_wanted = sync_files.SWEEP

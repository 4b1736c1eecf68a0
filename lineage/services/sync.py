"""The job `sync`: one look at an MLflow server, and what is new there becomes signed observations.

Owns: the order of the steps, what is written of how it went. Does not own: the steps (`sync_runs`,
`sync_models`, `sync_bytes`, `sync_lineage`, `sync_gone`), recording (`sync_recorder`), credentials, schedule
(`sources`).

Every step may be done again: what is new is judged against the log. A full sweep looks at everything, a poll
at what may have moved. What could not be read is a problem of the source, never a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from lineage.db.models import Source, SourceProblem, SourceState
from lineage.errors import LineageError
from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection
from lineage.services import (
    mlflow_state,
    sources,
    sync_bytes,
    sync_gone,
    sync_lineage,
    sync_models,
    sync_runs,
)
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.log_batch import Prepared
from lineage.services.sync_recorder import Recorder
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

    def sink(prepared: Sequence[Prepared]) -> None:
        lease.append_all(prepared)
        mlflow_state.follow(source.name)

    mlflow_state.follow(source.name)
    SourceState.objects.filter(source=source.name).update(tried_us=now_us())
    try:
        recorder = _look(source, sink, lease.progress, sweep=sweep, rehash=rehash)
    except LineageError as error:
        state = mlflow_state.state_of(source.name)
        state.error, state.failures = error.message[:MAX_ERROR], state.failures + 1
        state.save(update_fields=["error", "failures"])
        raise
    return {
        "recorded": recorder.counts.total() - recorder.counts["changed after it finished"],
        **{kind: count for kind, count in sorted(recorder.counts.items()) if count},
        "problems": SourceProblem.objects.filter(source=source.name).count(),
    }


def dry_run(name: str, *, sweep: bool = False, rehash: bool = False) -> Iterator[str]:
    """What a sync would record now, a line each; nothing is written but what the log has already.

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
    source: Source, sink: Callable[[Sequence[Prepared]], None], progress: Progress, *, sweep: bool,
    rehash: bool, dry: bool = False,
) -> Recorder:  # fmt: skip
    state = mlflow_state.state_of(source.name)
    first = not state.swept_us
    began = now_us()
    with Connection(sources.settings_of(source)) as connection:
        server = Mlflow(connection)
        version = server.version()
        recorder = Recorder(source.name, {"url": source.url, "version": version}, sink)
        visit = Visit(
            source, server, recorder, progress, sweep=sweep or first, rehash=rehash, first=first, dry=dry
        )
        _steps(visit, state)
    if not dry:
        _came_through(visit, state, version, began)
    return recorder


def _steps(visit: Visit, state: SourceState) -> None:
    """In this order, because each rests on the rows of those before it."""
    experiments = sync_models.experiments(visit)
    steps: tuple[Callable[[], None], ...] = (
        partial(sync_models.logged_models, visit, experiments, state.models_ms),
        partial(sync_runs.runs, visit, experiments, state.ended_ms),
        partial(sync_gone.gone, visit),
        partial(sync_bytes.models, visit),
        partial(sync_bytes.run_files, visit),
        partial(sync_lineage.settle, visit),
        partial(sync_models.registry, visit, state.versions_ms),
        partial(sync_gone.registrations_gone, visit),
    )
    for step in steps:
        step()
        visit.flush()


def _came_through(visit: Visit, state: SourceState, version: str, began: int) -> None:
    state.refresh_from_db()
    state.server_version, state.error, state.failures = version, "", 0
    state.polled_us = now_us()
    # A clock of theirs that runs ahead must not hide what ends until then.
    limit = began // 1000
    state.ended_ms = max(state.ended_ms, min(visit.newest_end_ms, limit))
    state.models_ms = max(state.models_ms, min(visit.newest_model_ms, limit))
    state.versions_ms = max(state.versions_ms, min(visit.newest_version_ms, limit))
    if visit.sweep:
        state.swept_us = began
        state.rehashed_us = began if visit.rehash or not state.rehashed_us else state.rehashed_us
    state.save()

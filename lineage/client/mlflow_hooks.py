"""Be told of what goes through MLflow's client in this process.

Owns: which methods are wrapped, and that nothing of ours ever reaches MLflow's callers. Does not own: what is
kept of it (`mlflow_seen`), what happens at a run's end (`mlflow_signing`).

Methods of MLflow's classes are wrapped, so that it doesn't matter how a script imported `mlflow`. All of its
ways to end a run (`end_run`, `with`, the end of the process, autologging) come to `set_terminated`.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lineage.client.mlflow_seen import Process, local_path, uploaded, uploaded_file
from lineage.errors import LineageError

log = logging.getLogger(__name__)

Arguments = Mapping[str, Any]
Original = Callable[..., Any]

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})


class Watcher(Protocol):
    """Who is told, at what moment it is asked."""

    process: Process
    strict: bool

    def ending(self, run_id: str, status: str, end_time: int, end: Callable[[str], None]) -> None:
        """A run ends. Calls `end` with the status that MLflow is told, exactly once."""


_watcher: Watcher | None = None
_installed = False


def install(watcher: Watcher) -> None:
    """From now on tell `watcher`, and nobody else."""
    global _watcher, _installed  # noqa: PLW0603 MLflow's classes are the process's too
    _watcher = watcher
    if _installed:
        return
    from mlflow import MlflowClient
    from mlflow.tracking.fluent import ActiveRun

    for name, after in _AFTER.items():
        _wrap(MlflowClient, name, after=after)
    for name, before in _BEFORE.items():
        _wrap(MlflowClient, name, before=before)
    _wrap(ActiveRun, "__init__", after=_active)
    for name, end in _ENDS.items():
        _wrap_end(MlflowClient, name, end)
    _installed = True


def _wrap(
    owner: type,
    name: str,
    *,
    before: Callable[[Process, Arguments], None] | None = None,
    after: Callable[[Process, Arguments, Any], None] | None = None,
) -> None:
    original: Original = getattr(owner, name)
    signature = inspect.signature(original)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            _tell(name, lambda said: before(_process(), said), signature, args, kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            _tell(name, lambda said: after(_process(), said, result), signature, args, kwargs)
        return result

    setattr(owner, name, wrapped)


def _wrap_end(owner: type, name: str, read: Callable[[Arguments], tuple[str, int] | None]) -> None:
    original: Original = getattr(owner, name)
    signature = inspect.signature(original)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return original(*args, **kwargs)  # it says what is wrong
        ended = read(bound.arguments)
        if _watcher is None or ended is None:
            return original(*args, **kwargs)
        status, moment = ended

        def end(told: str) -> None:
            bound.arguments["status"] = told
            if "end_time" in signature.parameters:
                bound.arguments["end_time"] = moment
            original(*bound.args, **bound.kwargs)

        return _watcher.ending(str(bound.arguments["run_id"]), status, moment, end)

    setattr(owner, name, wrapped)


def _process() -> Process:
    assert _watcher is not None
    return _watcher.process


def _tell(
    name: str,
    note: Callable[[Arguments], None],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    if _watcher is None:
        return
    try:
        note(signature.bind(*args, **kwargs).arguments)
    except LineageError:
        if _watcher.strict:
            raise
        log.warning("A call of MLflow's %s is not recorded", name, exc_info=True)
    except Exception as error:  # whatever MLflow hands over, training goes on
        log.warning("A call of MLflow's %s is not recorded: %s", name, error)


def _run(process: Process, said: Arguments, run: Any) -> None:
    process.run(run.info.run_id).begun(run)


def _active(process: Process, said: Arguments, _: Any) -> None:
    _run(process, said, said["run"])


def _param(process: Process, said: Arguments, _: Any) -> None:
    process.run(said["run_id"]).params[said["key"]] = str(said["value"])


def _tag(process: Process, said: Arguments, _: Any) -> None:
    if said["run_id"] in process.runs:
        process.runs[said["run_id"]].tags[said["key"]] = str(said["value"])


def _no_tag(process: Process, said: Arguments, _: Any) -> None:
    if said["run_id"] in process.runs:
        process.runs[said["run_id"]].tags.pop(said["key"], None)


def _metric(process: Process, said: Arguments, _: Any) -> None:
    run = process.run(said["run_id"])
    run.metric(said["key"], said["value"], said.get("step"), said.get("timestamp"))


def _batch(process: Process, said: Arguments, _: Any) -> None:
    if said["run_id"] not in process.runs and not (said.get("params") or said.get("metrics")):
        return  # tags may be set of any run; that makes it none of this process
    run = process.run(said["run_id"])
    for each in said.get("params") or ():
        run.params[each.key] = str(each.value)
    for each in said.get("tags") or ():
        run.tags[each.key] = str(each.value)
    for each in said.get("metrics") or ():
        run.metric(each.key, each.value, each.step, each.timestamp)


def _inputs(process: Process, said: Arguments, _: Any) -> None:
    run = process.run(said["run_id"])
    for each in said.get("datasets") or ():
        run.dataset(each)
        path = local_path(each)
        if path is not None:
            # Told as an input of its own only for its digest: the dataset is one input already.
            digest = run.told.used(path, name=each.dataset.name)
            run.told.inputs.pop()
            run.hashed(each.dataset.name, digest)
    run.models_in.extend(each.model_id for each in said.get("models") or ())


def _outputs(process: Process, said: Arguments, _: Any) -> None:
    run = process.run(said["run_id"])
    for each in said.get("models") or ():
        run.models_out[each.model_id] = each.step


def _model(process: Process, said: Arguments, made: Any) -> None:
    model = process.model(made.model_id)
    model.name, model.source_run = made.name or "", made.source_run_id or ""
    if model.source_run:
        process.run(model.source_run)


def _folder(process: Process, said: Arguments) -> None:
    uploaded(process.model(said["model_id"]), said["local_dir"], said.get("artifact_path"))


def _file(process: Process, said: Arguments) -> None:
    uploaded_file(process.model(said["model_id"]), said["local_path"], said.get("artifact_path"))


def _terminated(said: Arguments) -> tuple[str, int] | None:
    return said.get("status") or "FINISHED", said.get("end_time") or time.time_ns() // 1_000_000


def _updated(said: Arguments) -> tuple[str, int] | None:
    return _terminated(said) if said.get("status") in ENDED else None


_AFTER: Mapping[str, Callable[[Process, Arguments, Any], None]] = {
    "create_run": _run,
    "log_param": _param,
    "log_metric": _metric,
    "log_batch": _batch,
    "set_tag": _tag,
    "delete_tag": _no_tag,
    "log_inputs": _inputs,
    "log_outputs": _outputs,
    "_create_logged_model": _model,
}
_BEFORE: Mapping[str, Callable[[Process, Arguments], None]] = {
    "log_model_artifact": _file,
    "log_model_artifacts": _folder,
}
_ENDS: Mapping[str, Callable[[Arguments], tuple[str, int] | None]] = {
    "set_terminated": _terminated,
    "update_run": _updated,
}

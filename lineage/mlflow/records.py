"""What is recorded of each thing on an MLflow server: a canonical JSON value, and the digest that names it.

Owns: which members a record has, how texts and numbers stand in it, what is cut. Does not own: fetching
answers, hashing files, comparing records (`changes`), what a record means for the graph (`provenance`).

A record says everything that someone may ask for later, so that any change of it changes the digest. Secrets
are masked first (`masking`), and a text over `MAX_TEXT` characters stands as its SHA-256 and its beginning.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec

from lineage.errors import MalformedError
from lineage.mlflow import answers, masking
from lineage.mlflow.fitting import MAX_FILES_BYTES, MAX_RECORD_BYTES, fitted, short
from lineage.predicates.mlflow_reading import State
from lineage.predicates.wire import explained
from lineage.trust import canonical
from lineage.trust.digest import sha256_hex

MAX_ID = 400
"""Characters of an id; MLflow's own are at most 256, and a version's number."""

MAX_METRICS = 200
"""Latest values that a record shows; its digest covers all of them."""

MAX_MET = 50
"""Sources, and contents, that are kept of one dataset."""

RUN_ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
MODEL_ENDED = frozenset({"READY", "UPLOAD_FAILED", "FAILED"})

_MODEL_STATUS = {"0": "UNSPECIFIED", "1": "PENDING", "2": "READY", "3": "UPLOAD_FAILED"}
"""Source: MLflow's service.proto, LoggedModelStatus."""


class Record(msgspec.Struct, frozen=True, dict=True):
    """One state of one thing.

    Attributes:
        id: MLflow's; of a model version `<name>/<version>`.
        name: for people.
        ended: what changes from now on is a change after the fact.
        content: JSON value that has a canonical form, with `kind`, `id` and `state` in it.
    """

    kind: str
    id: str
    state: str
    name: str
    ended: bool
    content: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form (RFC 8785) of `content`, in hex."""
        return canonical.digest(self.content)


class FileFound(msgspec.Struct, frozen=True):
    """One file of a run or model; without `sha256` `reason` says why it was not hashed."""

    path: str
    size: int | None = None
    sha256: str | None = None
    reason: str = ""


def experiment(raw: Mapping[str, Any]) -> Record:
    """Of one experiment, as `experiments/get` and `experiments/search` give it. Raises MalformedError."""
    told = answers.read(raw, answers.Experiment, wrapper="experiment")
    content = {
        "artifact_location": _text(told.artifact_location),
        "created": _whole(told.creation_time),
        "updated": _whole(told.last_update_time),
        "tags": _pairs(told.tags),
    }
    return _record("experiment", told.experiment_id, told.name, _state(told.lifecycle_stage), False, content)


def run(raw: Mapping[str, Any]) -> Record:
    """Of one run, as `runs/get` gives it (a search leaves its model inputs out). Raises MalformedError."""
    told = answers.read(raw, answers.Run, wrapper="run")
    info, tags = told.info, _pairs(told.data.tags)
    content = {
        "experiment_id": _text(info.experiment_id),
        "status": _text(info.status),
        "user": _text(info.user_id) or _said(tags, "mlflow.user"),
        "start_time": _whole(info.start_time),
        "end_time": _whole(info.end_time),
        "artifact_uri": _text(info.artifact_uri),
        "parent": _said(tags, "mlflow.parentRunId"),
        "source": {
            "name": _said(tags, "mlflow.source.name"),
            "type": _said(tags, "mlflow.source.type"),
            "commit": _said(tags, "mlflow.source.git.commit"),
            "branch": _said(tags, "mlflow.source.git.branch"),
            "repo": _said(tags, "mlflow.source.git.repoURL"),
        },
        "params": _pairs(told.data.params),
        "tags": tags,
        "metrics": _metrics(told.data.metrics),
        "datasets": [_dataset(each) for each in told.inputs.dataset_inputs],
        "models_in": sorted({_id(each.model_id) for each in told.inputs.model_inputs}),
        "models_out": sorted(
            ({"id": _id(each.model_id), "step": _whole(each.step)} for each in told.outputs.model_outputs),
            key=lambda each: (str(each["id"]), str(each["step"])),
        ),
    }
    name = info.run_name or next((tag.value for tag in told.data.tags if tag.key == "mlflow.runName"), None)
    ended = (info.status or "") in RUN_ENDED
    return _record("run", info.run_id, name or info.run_id, _state(info.lifecycle_stage), ended, content)


def logged_model(raw: Mapping[str, Any]) -> Record:
    """Of one logged model, as `logged-models/{id}` and its search give it. Raises MalformedError."""
    told = answers.read(raw, answers.LoggedModel, wrapper="model")
    info = told.info
    status = str(info.status if info.status is not None else "").removeprefix("LOGGED_MODEL_")
    status = _MODEL_STATUS.get(status, status)
    content = {
        "experiment_id": _text(info.experiment_id),
        "model_type": _text(info.model_type),
        "status": _text(status),
        "status_message": _text(info.status_message),
        "run_id": _text(info.source_run_id),
        "user": _text(None if info.creator_id is None else str(info.creator_id)),
        "artifact_uri": _text(info.artifact_uri),
        "created": _whole(info.creation_timestamp_ms),
        "updated": _whole(info.last_updated_timestamp_ms),
        "params": _pairs(told.data.params),
        "tags": _pairs(info.tags),
        "metrics": _metrics(told.data.metrics),
    }
    return _record(
        "logged-model", info.model_id, info.name or info.model_id, "present", status in MODEL_ENDED, content
    )


def registered_model(raw: Mapping[str, Any]) -> Record:
    """Of one registered model with its aliases; versions have records of their own. Raises MalformedError."""
    told = answers.read(raw, answers.RegisteredModel, wrapper="registered_model")
    content = {
        "user": _text(told.user_id),
        "description": _text(told.description),
        "created": _whole(told.creation_timestamp),
        "updated": _whole(told.last_updated_timestamp),
        "aliases": {_text(each.alias) or "": _text(str(each.version)) for each in told.aliases},
        "tags": _pairs(told.tags),
    }
    return _record("registered-model", told.name, told.name, "present", False, content)


def model_version(raw: Mapping[str, Any]) -> Record:
    """Of one version of a registered model; aliases stand in the model's record. Raises MalformedError."""
    told = answers.read(raw, answers.ModelVersion, wrapper="model_version")
    model = told.model_id or model_of_source(told.source or "")
    content = {
        "model": _text(told.name),
        "version": _text(str(told.version)),
        "source": _text(told.source),
        "model_id": _text(model),
        "run_id": _text(told.run_id),
        "run_link": _text(told.run_link),
        "stage": _text(told.current_stage),
        "status": _text(told.status),
        "status_message": _text(told.status_message),
        "user": _text(told.user_id),
        "description": _text(told.description),
        "created": _whole(told.creation_timestamp),
        "updated": _whole(told.last_updated_timestamp),
        "tags": _pairs(told.tags),
    }
    id = f"{told.name}/{told.version}"
    return _record("model-version", id, id, "present", False, content)


def model_of_source(source: str) -> str:
    """The logged model that a version's `source` names (`models:/m-…`), "" where it names none."""
    found = source.removeprefix("models:/")
    return found if source != found and found.startswith("m-") and "/" not in found else ""


def files(
    kind: Literal["run-files", "logged-model-files"],
    id: str,
    name: str,
    found: Sequence[FileFound],
    *,
    ended: bool,
    state: State = "present",
) -> Record:
    """Of the files of a run or logged model. Raises MalformedError for a path twice."""
    listed: dict[str, Any] = {}
    for each in sorted(found, key=lambda each: each.path):
        path = short(canonical.text(each.path))
        if path in listed:
            raise MalformedError("A path is listed twice.", where=path)
        members = {"size": _whole(each.size), "sha256": each.sha256, "reason": _text(each.reason)}
        listed[path] = {name: value for name, value in members.items() if value is not None}
    return _record(kind, id, name, state, ended, {"ended": ended, "files": listed}, most=MAX_FILES_BYTES)


def run_lineage(
    run: Record, used: Sequence[Mapping[str, Any]], generated: Sequence[Mapping[str, Any]]
) -> Record:
    """Of what a run used and made (`provenance.used`, `.generated`): the digest of both lists.

    It never ends: that more of it could be digested later is no change of the run.
    """
    content = {"used": _listed(used), "generated": _listed(generated)}
    return _record("run-lineage", run.id, run.name, run.state, False, content)


def dataset(name: str, digest: str, sources: Mapping[str, str], contents: Mapping[str, str]) -> Record:
    """Of what MLflow calls one dataset: a name and a digest of its own, and all that was met under them.

    `sources` has the sources, `contents` the SHA-256 of bytes, each with the run that it was met in first.
    """
    shown = {"sources": _first(sources), "contents": _first(contents)}
    name, digest = canonical.text(name), canonical.text(digest)
    id = f"{name}@{digest}"
    if len(id) > MAX_ID:
        id = sha256_hex(id.encode())
    content = {"digest": _text(digest), **shown}
    return _record("dataset", id, name, "present", True, content)


def _first(met: Mapping[str, str]) -> dict[str, Any]:
    return {as_met(what): met[what] for what in list(met)[:MAX_MET]}


def as_met(what: str) -> str:
    """A source or content as a record of a dataset names it."""
    return short(masking.text(canonical.text(what)))


def _listed(descriptors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"count": len(descriptors), "sha256": canonical.digest(list(descriptors))}


def purged(before: Record) -> Record:
    """The tombstone of something that is no longer on the server: what it was stands in the record before."""
    content = {
        "ended": before.ended,
        "last": before.digest,
        "run_id": before.content.get("run_id"),
        "experiment_id": before.content.get("experiment_id"),
    }
    if before.kind in ("run", "logged-model", "experiment"):
        content["last_status"] = before.content.get("status")
    content = {name: value for name, value in content.items() if value is not None}
    return _record(before.kind, before.id, before.name, "purged", before.ended, content)


def decode(content: Mapping[str, Any]) -> Record:
    """A record from the `content` that one of these functions made. Raises MalformedError if it is none."""
    try:
        heading = msgspec.convert(content, _Heading)
    except msgspec.ValidationError as error:
        raise explained(error, "$") from None
    return Record(heading.kind, heading.id, heading.state, heading.name, heading.ended, dict(content))


class _Heading(msgspec.Struct, frozen=True):
    kind: str
    id: str
    state: str
    name: str
    ended: bool


def _record(
    kind: str,
    id: str,
    name: str,
    state: str,
    ended: bool,
    content: dict[str, Any],
    *,
    most: int = MAX_RECORD_BYTES,
) -> Record:
    id, name = _id(id), short(masking.text(canonical.text(name)))
    whole = {"kind": kind, "id": id, "state": state, "name": name, "ended": ended, **content}
    return Record(kind, id, state, name, ended, fitted(whole, most))


def _id(value: str) -> str:
    if not value or len(value) > MAX_ID:
        raise MalformedError(f"An id has 1 to {MAX_ID} characters, this one {len(value):,}.")
    return canonical.text(value)


def _state(stage: str | None) -> State:
    return "deleted" if stage == "deleted" else "present"


def _text(value: str | None) -> str | None:
    """A text as records show it; None where there is none."""
    return masking.text(canonical.text(value)) if value else None


def _whole(value: int | None) -> int | float | str | None:
    return None if value is None else canonical.number(value)


def _said(tags: Mapping[str, Any], name: str) -> Any:
    return tags.get(name) or None


def _pairs(pairs: Sequence[answers.Pair]) -> dict[str, Any]:
    """Name to value, sorted. A name that is there twice, which MLflow never gives, is numbered."""
    found: dict[str, Any] = {}
    for key, value in sorted((pair.key, pair.value or "") for pair in pairs):
        name, number = short(canonical.text(key)), 2
        while name in found:
            name, number = f"{short(canonical.text(key))} ({number})", number + 1
        found[name] = masking.named(key, canonical.text(value))
    return found


def _metrics(metrics: Sequence[answers.Metric]) -> dict[str, Any]:
    """The latest values: how many, the digest of all, and the first by name."""
    told = sorted(
        (
            (
                canonical.text(each.key),
                canonical.plain(each.value),
                _whole(each.step) or 0,
                _whole(each.timestamp),
            )
            for each in metrics
        ),
        key=lambda each: tuple(map(str, each)),
    )
    shown = {
        short(key): {"value": value, "step": step, "timestamp": timestamp}
        for key, value, step, timestamp in told[:MAX_METRICS]
    }
    return {"count": len(told), "sha256": canonical.digest([list(each) for each in told]), "values": shown}


def _dataset(each: answers.DatasetInput) -> dict[str, Any]:
    told = each.dataset
    context = next((tag.value for tag in each.tags if tag.key == "mlflow.data.context"), None)
    schema = canonical.text(told.schema or "")
    return {
        "name": _text(told.name),
        "digest": _text(told.digest),
        "source_type": _text(told.source_type),
        "source": _source(told.source),
        "context": _text(context),
        "schema_sha256": sha256_hex(schema.encode()) if schema else None,
    }


def _source(value: str | None) -> str | None:
    """A dataset's source. JSON with escapes in it is masked text by text: an escape may hide a secret."""
    if value and "\\" in value:
        with contextlib.suppress(ValueError, RecursionError):
            return _text(json.dumps(_masked(canonical.plain(json.loads(value))), ensure_ascii=False))
    return _text(value)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masking.text(value)
    if isinstance(value, dict):
        return {
            name: masking.named(name, m) if isinstance(m, str) else _masked(m) for name, m in value.items()
        }
    return [_masked(item) for item in value] if isinstance(value, list) else value

"""What a run used and made, as resource descriptors, and its SLSA provenance.

Owns: which artifact each input and output of a record is. Does not own: hashing bytes, or whether a statement
is new. Descriptors always have `digest`, which is empty for what nobody hashed: that stays a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lineage.graph.model import unnamed_uri
from lineage.mlflow import stated
from lineage.mlflow.fitting import short
from lineage.mlflow.records import Record
from lineage.predicates.delta import MAX_TEXT_BYTES
from lineage.predicates.folders import MAX_FILES
from lineage.predicates.mlflow_observation import builder_id, moment
from lineage.predicates.wire import MAX_REFERENCES
from lineage.trust import canonical
from lineage.trust.digest import sha256_hex

__all__ = [
    "BUILD_TYPE",
    "ModelBytes",
    "about",
    "builder_id",
    "generated",
    "model_location",
    "model_uri",
    "repository",
    "slsa",
    "used",
]

BUILD_TYPE = "urn:lineage:build-type:mlflow-run:v1"
MAX_DESCRIPTORS_BYTES = 1 << 20
"""Of a run's inputs, of its outputs, and of its byproducts; what is over it is left out and counted."""

MAX_LISTED_BYTES = 3 << 19
"""Paths and digests that one statement lists of its subjects' files."""

Descriptor = dict[str, Any]


class ModelBytes(msgspec.Struct, frozen=True):
    """What the bytes of a logged model are, as we hashed them.

    Attributes:
        digest: `{"dirHash": …}`, `{"sha256": …}` of a single file, or empty: they could not be hashed.
        files: path to sha256; empty for a single file, or for more than are listed.
        source_run: MLflow's id of the run that the model says it comes from.
    """

    model_id: str
    name: str
    digest: dict[str, str]
    files: dict[str, str] = {}
    source_run: str = ""


def model_uri(source: str, model_id: str) -> str:
    """What stands for a model whose bytes nobody hashed."""
    return f"{builder_id(source)}:model:{model_id}"


def model_location(source: str, model_id: str) -> str:
    """Where the bytes of a logged model lie: a copy on the followed server."""
    return f"mlflow://{source}/models/{model_id}"


def about(model: ModelBytes, *, source: str, files: bool = False) -> Descriptor:
    """A logged model; with `files` each of them under `annotations.files`, unless there are too many.

    An observation of `logged-model-files` needs no list beside its record's, which is projected just so.
    """
    found: Descriptor = {
        "name": short(model.name or model.model_id),
        "digest": dict(model.digest),
        "downloadLocation": model_location(source, model.model_id),
        "annotations": {"role": "model", "mlflowModelId": model.model_id},
    }
    if not model.digest:
        del found["downloadLocation"]
        found["uri"] = model_uri(source, model.model_id)
    if files and _listed_bytes(model) <= MAX_LISTED_BYTES:
        _list_files(found, model)
    return found


def _listed_bytes(model: ModelBytes) -> int:
    """About what a list of the files takes; paths have few characters that JSON escapes."""
    return sum(len(path.encode()) + 80 for path in model.files)


def _list_files(descriptor: Descriptor, model: ModelBytes) -> None:
    if "dirHash" in model.digest and 0 < len(model.files) <= MAX_FILES:
        descriptor["annotations"]["files"] = dict(model.files)


def used(
    run: Record,
    models: Mapping[str, ModelBytes],
    datasets: Mapping[str, str],
    *,
    source: str,
    named: bool = False,
) -> list[Descriptor]:
    """The run's datasets and base models.

    `models` has the bytes of models by id, `datasets` the SHA-256 of datasets by name that we read ourselves;
    where it has none, a tag of the run may state it. A model that the run made itself is none of its inputs.
    With `named` datasets and models have a URI also beside a digest: whoever saw the run without that digest
    calls them so.
    """
    found = [_dataset(run, each, datasets, source, named) for each in stated.datasets(run)]
    for model_id in stated.models_in(run):
        model = about(models.get(model_id) or ModelBytes(model_id, "", {}), source=source)
        found.append({**model, "uri": model_uri(source, model_id)} if named else model)
    found += [_base_model(each) for each in stated.base_models(run) if each.form != "none"]
    return _distinct(found, f"{builder_id(source)}:run:{run.id}:used")


def generated(run: Record, models: Mapping[str, ModelBytes], *, source: str) -> list[Descriptor]:
    """The models that the run made: its outputs, and those of `models` that name it as their source."""
    ids = dict.fromkeys(stated.models_out(run))
    ids |= dict.fromkeys(key for key, model in sorted(models.items()) if model.source_run == run.id)
    known = (models.get(model_id) or ModelBytes(model_id, "", {}) for model_id in ids)
    made = (about(model, source=source) for model in known)
    return _distinct(made, f"{builder_id(source)}:run:{run.id}:generated")


def slsa(
    run: Record,
    models: Mapping[str, ModelBytes],
    datasets: Mapping[str, str],
    files: Record | None,
    *,
    source: str,
    server_version: str,
    observed_at: str,
) -> tuple[list[Descriptor], dict[str, Any]]:
    """Subjects and predicate of the run's SLSA provenance v1; without digested outputs there are no subjects.

    `files` is the record of the run's artifacts; `observed_at` RFC 3339.
    Source: SLSA 1.1, provenance.
    """
    subjects = [each for each in generated(run, models, source=source) if each["digest"]]
    listed = 0
    for subject in subjects:
        subject["name"] = short(f"{source}/logged-model/{subject['annotations']['mlflowModelId']}")
        model = models[subject["annotations"]["mlflowModelId"]]
        size = _listed_bytes(model)
        if listed + size <= MAX_LISTED_BYTES:
            _list_files(subject, model)
            listed += size
    content = run.content
    code = stated.source(run)
    external = {
        "params": content.get("params"),
        "source": {"name": code.get("name"), "type": code.get("type")},
        "commit": code.get("commit"),
        "experimentId": content.get("experiment_id"),
        "runName": run.name,
    }
    metadata = {
        "invocationId": run.id,
        "startedOn": moment(content.get("start_time")),
        "finishedOn": moment(content.get("end_time")) if run.ended else "",
        "observedAt": observed_at,
    }
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": _present(external),
            "internalParameters": _internal(run, server_version),
            "resolvedDependencies": used(run, models, datasets, source=source)
            + repository(run, source=source),
        },
        "runDetails": {
            "builder": {"id": builder_id(source)},
            "metadata": _present(metadata),
            "byproducts": _byproducts(run, files),
        },
    }
    return subjects, predicate


def _internal(run: Record, server_version: str) -> dict[str, Any]:
    """Versions and images that tags of the run name."""
    tags = stated.pairs(run, "tags")
    named = {name: tags[name] for name in tags if name.startswith(("mlflow.docker.", "mlflow.project.env"))}
    return _present({"mlflowServer": server_version, **named})


def repository(run: Record, *, source: str) -> list[Descriptor]:
    """The repository at its commit, if any; MLflow knows it of projects and of scripts that lie in one."""
    commit = stated.commit(run).lower()
    if len(commit) not in (40, 64) or set(commit) - set("0123456789abcdef"):
        return []
    code = stated.source(run)
    uri, name = stated.text(code.get("repo")), stated.text(code.get("name"))
    found: Descriptor = {"name": short(uri or name or commit), "digest": {"gitCommit": commit}}
    if uri and len(uri.encode()) <= MAX_TEXT_BYTES:
        found["uri"] = uri if uri.startswith("git+") else f"git+{uri}"
    else:
        found["uri"] = unnamed_uri(builder_id(source), f"gitCommit:{commit}")
    return [{**found, "annotations": {"role": "code"}}]


def _byproducts(run: Record, files: Record | None) -> list[Descriptor]:
    """The record itself, the digest of all metrics, and the run's artifacts as far as they fit."""
    found: list[Descriptor] = [{"name": "mlflow-run-record", "digest": {"sha256": run.digest}}]
    metrics = run.content.get("metrics")
    if isinstance(metrics, dict) and isinstance(metrics.get("sha256"), str):
        found.append({"name": "mlflow-metrics", "digest": {"sha256": metrics["sha256"]}})
    if files is None:
        return found
    found.append({"name": "mlflow-run-files-record", "digest": {"sha256": files.digest}})
    hashed: list[Descriptor] = [
        {"name": path, "digest": {"sha256": each["sha256"]}}
        for path, each in stated.pairs(files, "files").items()
        if isinstance(each, dict) and isinstance(each.get("sha256"), str)
    ]
    size = sum(len(each["name"].encode()) + 110 for each in hashed)
    fits = len(hashed) <= MAX_REFERENCES and size <= MAX_DESCRIPTORS_BYTES // 2
    return found + (hashed if fits else [])


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        name: _present(value) if isinstance(value, dict) and name == "source" else value
        for name, value in members.items()
    }
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def _dataset(
    run: Record, dataset: Mapping[str, Any], known: Mapping[str, str], source: str, named: bool
) -> Descriptor:
    name, mlflow_digest = stated.text(dataset.get("name")), stated.text(dataset.get("digest"))
    said, ours = stated.dataset_sha256(run, name), known.get(name, "")
    annotations = {
        "role": "dataset",
        "mlflowDigest": mlflow_digest,
        "context": stated.text(dataset.get("context")),
        "sourceType": stated.text(dataset.get("source_type")),
        "schemaSha256": stated.text(dataset.get("schema_sha256")),
        "statedSha256": said if ours and said != ours else "",
    }
    digest = ours or said
    found: Descriptor = {"name": short(name), "digest": {"sha256": digest} if digest else {}}
    uri = stated.source_uri(dataset)
    if uri and len(uri.encode()) <= MAX_TEXT_BYTES:
        found["uri"] = uri
    elif named or not digest:
        # Names are the users' own: those of two servers, or with another digest, are not one dataset.
        own = f"{name}@{mlflow_digest}" + (f"@{sha256_hex(uri.encode())}" if uri else "")
        found["uri"] = unnamed_uri(builder_id(source), own)
    return {**found, "annotations": {key: value for key, value in annotations.items() if value}}


def _base_model(base: stated.BaseModel) -> Descriptor:
    annotations = {"role": "model", "statedBy": stated.BASE_MODEL}
    if base.form != "uri":
        return {"digest": {base.form: base.value}, "annotations": annotations}
    uri = base.value if len(base.value.encode()) <= MAX_TEXT_BYTES else short(base.value)
    return {"name": short(base.value), "uri": uri, "digest": {}, "annotations": annotations}


def _distinct(found: Iterable[Descriptor], rest: str) -> list[Descriptor]:
    """Each once, in their order, at most as many as fit into a statement.

    What is left out is counted by one more, without digest, so that it shows as a gap; `rest` is its URI.
    """
    kept: dict[bytes, Descriptor] = {}
    size = left = 0
    for each in found:
        key = canonical.encode(each)
        if key in kept:
            continue
        size += len(key)
        if len(kept) < MAX_REFERENCES - 10 and size <= MAX_DESCRIPTORS_BYTES:
            kept[key] = each
        else:
            left += 1
    listed = list(kept.values())
    if left:
        name = f"{left:,} more, which do not fit into a statement"
        listed.append({"name": name, "uri": rest, "digest": {}})
    return listed

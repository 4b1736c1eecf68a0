"""What this process saw of its MLflow runs and models, and their record as MLflow's JSON has it.

Owns: collecting what went through MLflow's client, hashing files before they are uploaded or while they are
named as datasets. Does not own: how that is noticed (`mlflow_hooks`), or the statement (`mlflow_signing`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from lineage.artifacts.hashing import FileDigest, dirhash, hash_file, hash_folder
from lineage.client.told import Told
from lineage.errors import InconclusiveError
from lineage.mlflow import stated


class Model(msgspec.Struct):
    """A logged model. `files` are path → sha256 of what was uploaded; `problem` why they aren't all."""

    id: str
    name: str = ""
    source_run: str = ""
    files: dict[str, str] = {}
    problem: str = ""

    def digest(self) -> dict[str, str]:
        """What the uploaded bytes are: one file's sha256, else the folder's dirHash."""
        if self.problem or not self.files:
            return {}
        if len(self.files) == 1:
            return {"sha256": next(iter(self.files.values()))}
        return {"dirHash": dirhash(FileDigest(path.encode(), sha, 0) for path, sha in self.files.items())}


class Seen:
    """One run. Members with MLflow's names are as its JSON has them."""

    def __init__(self, run_id: str, *, strict: bool = False) -> None:
        self.run_id = run_id
        self.info: dict[str, Any] = {"run_id": run_id}
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, dict[str, Any]] = {}
        self.datasets: list[dict[str, Any]] = []
        self.models_in: list[str] = []
        self.models_out: dict[str, int] = {}
        self.told = Told(strict=strict)
        self.digests: dict[str, list[dict[str, str]]] = {}
        """Name of a dataset → the digest sets that were found for it."""

    def raw(self) -> dict[str, Any]:
        """The run as `runs/get` would give it."""
        outputs = [{"model_id": each, "step": step} for each, step in self.models_out.items()]
        return {
            "info": self.info,
            "data": {
                "params": _pairs(self.params),
                "tags": _pairs(self.tags),
                "metrics": list(self.metrics.values()),
            },
            "inputs": {
                "dataset_inputs": self.datasets,
                "model_inputs": [{"model_id": each} for each in self.models_in],
            },
            "outputs": {"model_outputs": outputs},
        }

    def begun(self, run: Any) -> None:
        """Take in a run as MLflow's client gives it: a new one, or an old one that goes on."""
        info, data = run.info, run.data
        for name in ("experiment_id", "run_name", "user_id", "start_time", "artifact_uri", "lifecycle_stage"):
            if (value := getattr(info, name, None)) is not None:
                self.info[name] = value
        self.params |= data.params
        self.tags |= data.tags
        for key, value in data.metrics.items():
            self.metrics.setdefault(key, {"key": key, "value": float(value), "step": 0})
        for each in getattr(run.inputs, "dataset_inputs", None) or ():
            self.dataset(each)
        for each in getattr(run.inputs, "model_inputs", None) or ():
            self.models_in.append(each.model_id)
        for each in getattr(run.outputs, "model_outputs", None) or ():
            self.models_out.setdefault(each.model_id, each.step)

    def metric(self, key: str, value: Any, step: int | None, timestamp: int | None) -> None:
        """Take in a value; the one of the highest step is the latest, as in MLflow."""
        before = self.metrics.get(key)
        if before is None or (step or 0) >= (before.get("step") or 0):
            plain = {"value": float(value), "step": int(step or 0), "timestamp": int(timestamp or 0)}
            self.metrics[key] = {"key": key, **plain}  # numbers of NumPy are none to JSON

    def dataset(self, entity: Any) -> None:
        """Take in a dataset input of MLflow's client, once."""
        told = entity.dataset
        found = {
            "dataset": {
                name: getattr(told, name, None)
                for name in ("name", "digest", "source_type", "source", "schema")
            },
            "tags": [{"key": tag.key, "value": tag.value} for tag in entity.tags or ()],
        }
        if found not in self.datasets:
            self.datasets.append(found)

    def hashed(self, name: str, digest: Mapping[str, str]) -> None:
        """Take in what a dataset's bytes are."""
        if digest and dict(digest) not in self.digests.setdefault(name, []):
            self.digests[name].append(dict(digest))


class Process:
    """All runs and models of this process. Threads may share it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.strict = False
        self.runs: dict[str, Seen] = {}
        self.models: dict[str, Model] = {}
        self.always: list[tuple[dict[str, Any], dict[str, str]]] = []
        """Inputs that were told outside of any run, with their digests: runs that start later used them."""

    def run(self, run_id: str) -> Seen:
        """The run with this id; from now on this process is one that it runs in."""
        with self.lock:
            seen = self.runs.get(run_id)
            if seen is None:
                seen = self.runs[run_id] = Seen(run_id, strict=self.strict)
                for descriptor, digest in self.always:
                    seen.told.inputs.append(descriptor)
                    seen.hashed(str(descriptor.get("name", "")), digest)
            return seen

    def model(self, model_id: str) -> Model:
        """The logged model with this id."""
        with self.lock:
            return self.models.setdefault(model_id, Model(model_id))

    def made_by(self, seen: Seen) -> list[Model]:
        """The models that a run made."""
        with self.lock:
            ids = dict.fromkeys(seen.models_out)
            ids |= dict.fromkeys(key for key, model in self.models.items() if model.source_run == seen.run_id)
            return [self.models[each] for each in ids if each in self.models]


def uploaded(model: Model, folder: str, within: str | None) -> None:
    """Hash what is about to be uploaded into a logged model. Where that fails, `problem` says why."""
    try:
        for each in hash_folder(folder).files:
            path = each.path.decode()
            model.files[f"{within.strip('/')}/{path}" if within else path] = each.sha256
    except (InconclusiveError, UnicodeDecodeError) as error:
        model.problem = str(error)


def uploaded_file(model: Model, path: str, within: str | None) -> None:
    """As `uploaded`, of a single file."""
    name = Path(path).name
    try:
        model.files[f"{within.strip('/')}/{name}" if within else name] = hash_file(path)
    except InconclusiveError as error:
        model.problem = str(error)


def local_path(entity: Any) -> Path | None:
    """Where the bytes of a dataset input lie on this machine; None where its source names no such place."""
    told = entity.dataset
    if told.source_type not in ("local", "file"):
        return None
    address = _address(told.source or "")
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        address = unquote(parts.path)
    path = Path(address)
    return path if address and path.exists() else None


def _address(source: str) -> str:
    """`uri` (or the like) of a source's JSON; unlike `stated.source_uri` a relative path too."""
    try:
        found = msgspec.json.decode(source.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return source
    if not isinstance(found, dict):
        return ""
    return next((stated.text(found[name]) for name in ("uri", "path", "url") if found.get(name)), "")


def _pairs(pairs: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"key": str(key), "value": str(value)} for key, value in pairs.items()]


def names(digests: Iterable[Mapping[str, str]], algorithm: str) -> list[str]:
    """Values of one algorithm, each once."""
    return list(dict.fromkeys(each[algorithm] for each in digests if algorithm in each))

"""What a run's own record says of its inputs: `lineage.*` tags, and the sources of datasets.

Owns: the tags that a pipeline may set, and where a dataset's source JSON names an address. Does not own: what
follows from it (`provenance`, `run_gaps`). All of it is user input: nothing here is ever fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from lineage.mlflow import masking
from lineage.mlflow.fitting import is_cut
from lineage.mlflow.records import Record
from lineage.trust import canonical

BASE_MODEL = "lineage.base_model"
DIRTY = ("lineage.git.dirty", "mlflow.source.git.dirty")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})", re.ASCII)
_DIGEST = re.compile(r"(sha256|dirHash):([0-9a-fA-F]{64})", re.ASCII)
_FAMILIAR = ("uri", "url", "path", "table_name", "delta_table_name")


class BaseModel(NamedTuple):
    """What `lineage.base_model` says: none, a digest (algorithm and hex), or an address or name."""

    form: Literal["none", "sha256", "dirHash", "uri"]
    value: str = ""


def text(value: Any) -> str:
    """A text of a record; the beginning of a long one; "" for anything else."""
    if isinstance(value, Mapping):
        value = value.get("begins")
    return value if isinstance(value, str) else ""


def items(run: Record, member: str) -> list[Any]:
    """A list of a record, or what is shown of a long one."""
    value = run.content.get(member)
    if is_cut(value):
        value = value["first"]
    return list(value) if isinstance(value, list) else []


def pairs(run: Record, member: str) -> dict[str, Any]:
    """A map of a record, or what is shown of a long one."""
    value = run.content.get(member)
    if is_cut(value):
        value = value["first"]
    return dict(value) if isinstance(value, Mapping) else {}


def tag(run: Record, name: str) -> str:
    """A tag's text, "" without one."""
    return text(pairs(run, "tags").get(name)).strip()


def datasets(run: Record) -> list[dict[str, Any]]:
    """The dataset inputs of a record."""
    return [each for each in items(run, "datasets") if isinstance(each, dict)]


def dataset_sha256(run: Record, name: str) -> str:
    """The SHA-256 (lowercase hex) that the pipeline stated of a dataset by a tag, "" without one."""
    found = _SHA256.fullmatch(tag(run, f"lineage.dataset.{name}.sha256"))
    return found[1].lower() if found else ""


def base_models(run: Record) -> list[BaseModel]:
    """What the tag, else the param, `lineage.base_model` says; several stand on a line each."""
    said = tag(run, BASE_MODEL) or text(pairs(run, "params").get(BASE_MODEL)).strip()
    return [_base_model(word.strip()) for word in said.split("\n") if word.strip()]


def _base_model(word: str) -> BaseModel:
    if word.lower() == "none":
        return BaseModel("none")
    if found := _DIGEST.fullmatch(word):
        return BaseModel("sha256" if found[1] == "sha256" else "dirHash", found[2].lower())
    return BaseModel("uri", word)


def models_in(run: Record) -> list[str]:
    """Ids of the models that the run used, but for those that it made itself."""
    made = set(models_out(run))
    return [each for each in items(run, "models_in") if isinstance(each, str) and each not in made]


def models_out(run: Record) -> list[str]:
    """Ids of the models that MLflow lists as the run's outputs, each once."""
    listed = (each.get("id") for each in items(run, "models_out") if isinstance(each, dict))
    return list(dict.fromkeys(each for each in listed if isinstance(each, str)))


def commit(run: Record) -> str:
    """The git commit that MLflow recorded, "" without one."""
    return text(source(run).get("commit"))


def source(run: Record) -> dict[str, Any]:
    """Where the run's code came from, as the record has it."""
    value = run.content.get("source")
    return dict(value) if isinstance(value, Mapping) else {}


def dirty(run: Record) -> bool:
    """Whether a tag says that the tree had edits that were not committed."""
    return any(tag(run, name).lower() in ("true", "1", "yes") for name in DIRTY)


def source_uri(dataset: Mapping[str, Any]) -> str:
    """The address in a dataset's source, which is JSON mostly; "" where it names none.

    An absolute path becomes a `file` URI, a Hugging Face name `hf://datasets/<name>@<revision>`.
    """
    said = text(dataset.get("source"))
    if not said.startswith("{"):
        return _uri(said)
    try:
        found: dict[str, Any] = msgspec.json.decode(said.encode())
    except (msgspec.DecodeError, RecursionError):
        return ""
    # Escapes inside of the JSON may have kept a secret from being seen, and stand for any character.
    addresses = [masking.url(canonical.text(text(found.get(name)))) for name in _FAMILIAR]
    address = next(filter(None, addresses), "")
    if address and text(dataset.get("source_type")) == "hugging_face" and not _SCHEME.match(address):
        revision = text(found.get("revision"))
        return f"hf://datasets/{quote(address)}{f'@{quote(revision)}' if revision else ''}"
    return _uri(address)


def _uri(address: str) -> str:
    if _DRIVE.match(address):
        return "file:///" + quote(address.replace("\\", "/"), safe="/:*")
    if _SCHEME.match(address) and not any(character.isspace() for character in address):
        return address
    return f"file://{quote(address, safe='/*')}" if address.startswith("/") else ""

"""The JSON of MLflow's answers, as far as it is read: its members and their types.

Owns: turning an answer into typed members, or saying where it isn't what MLflow gives. Does not own: fetching
it, and what is recorded of it (`records`). Members that are not listed are ignored; absent ones are empty.
Source: MLflow 3.17, service.proto and model_registry.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lineage.errors import MalformedError
from lineage.predicates.wire import explained


class Pair(msgspec.Struct, frozen=True):
    key: str
    value: str | None = None


class Metric(msgspec.Struct, frozen=True):
    """`value` is a number, or "NaN"."""

    key: str
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = None


class RunInfo(msgspec.Struct, frozen=True):
    run_id: str
    experiment_id: str = ""
    run_name: str | None = None
    user_id: str | None = None
    status: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str | None = None
    lifecycle_stage: str | None = None


class RunData(msgspec.Struct, frozen=True):
    params: list[Pair] = []
    tags: list[Pair] = []
    metrics: list[Metric] = []


class Dataset(msgspec.Struct, frozen=True):
    name: str | None = None
    digest: str | None = None
    source_type: str | None = None
    source: str | None = None
    schema: str | None = None


class DatasetInput(msgspec.Struct, frozen=True):
    dataset: Dataset = Dataset()
    tags: list[Pair] = []


class ModelInput(msgspec.Struct, frozen=True):
    model_id: str


class ModelOutput(msgspec.Struct, frozen=True):
    model_id: str
    step: int | None = None


class Inputs(msgspec.Struct, frozen=True):
    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class Outputs(msgspec.Struct, frozen=True):
    model_outputs: list[ModelOutput] = []


class Run(msgspec.Struct, frozen=True):
    info: RunInfo
    data: RunData = RunData()
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()


class Experiment(msgspec.Struct, frozen=True):
    experiment_id: str
    name: str = ""
    artifact_location: str | None = None
    lifecycle_stage: str | None = None
    creation_time: int | None = None
    last_update_time: int | None = None
    tags: list[Pair] = []


class ModelInfo(msgspec.Struct, frozen=True):
    model_id: str
    experiment_id: str = ""
    name: str | None = None
    model_type: str | None = None
    status: str | int | None = None
    status_message: str | None = None
    source_run_id: str | None = None
    creator_id: str | int | None = None
    artifact_uri: str | None = None
    creation_timestamp_ms: int | None = None
    last_updated_timestamp_ms: int | None = None
    tags: list[Pair] = []


class ModelData(msgspec.Struct, frozen=True):
    params: list[Pair] = []
    metrics: list[Metric] = []


class LoggedModel(msgspec.Struct, frozen=True):
    info: ModelInfo
    data: ModelData = ModelData()


class Alias(msgspec.Struct, frozen=True):
    alias: str
    version: str | int = ""


class ModelVersion(msgspec.Struct, frozen=True):
    name: str
    version: str | int
    user_id: str | None = None
    current_stage: str | None = None
    description: str | None = None
    source: str | None = None
    run_id: str | None = None
    run_link: str | None = None
    status: str | None = None
    status_message: str | None = None
    model_id: str | None = None
    creation_timestamp: int | None = None
    last_updated_timestamp: int | None = None
    tags: list[Pair] = []


class RegisteredModel(msgspec.Struct, frozen=True):
    name: str
    user_id: str | None = None
    description: str | None = None
    creation_timestamp: int | None = None
    last_updated_timestamp: int | None = None
    tags: list[Pair] = []
    aliases: list[Alias] = []


T = TypeVar("T", bound=msgspec.Struct)


def read(raw: Mapping[str, Any], kind: type[T], *, wrapper: str = "") -> T:
    """One thing of an answer; it may stand inside a member `wrapper`, as `…/get` calls give it.

    Integers may be texts, as protobuf writes them.

    Raises:
        MalformedError: a member is missing or of another type; `where` is its path.
    """
    inner = raw.get(wrapper) if wrapper else None
    try:
        return msgspec.convert(inner if isinstance(inner, Mapping) else raw, kind, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        found = explained(error, "$")
        raise MalformedError(
            f"MLflow's answer is not a {kind.__name__}: {found.message}", where=found.where
        ) from None

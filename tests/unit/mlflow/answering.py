"""Answers of an MLflow server as tests need them; the forms are those that 3.17.2 gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MODEL_ID = "m-1c5cc18e86a1436ab33caec3115f5f33"
RUN_ID = "4cbdcb76b8ff475ba6fda667030112e1"
COMMIT = "9f1c2ab8a3d4e5f60718293a4b5c6d7e8f901234"


def pairs(**members: str) -> list[dict[str, str]]:
    """As MLflow lists params and tags; `__` in a name is a dot."""
    return [{"key": name.replace("__", "."), "value": value} for name, value in members.items()]


def dataset(name: str = "ds", **members: Any) -> dict[str, Any]:
    """One dataset input, in the context `training`."""
    described: dict[str, Any] = {
        "name": name,
        "digest": "300830b9",
        "source_type": "http",
        "source": '{"url": "https://data.example/x.csv"}',
        "schema": '{"mlflow_colspec": []}',
        "profile": '{"num_rows": 2}',
    }
    shown = {member: value for member, value in (described | members).items() if value is not None}
    return {"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": shown}


def a_run(
    *,
    params: Sequence[Mapping[str, Any]] = (),
    tags: Sequence[Mapping[str, Any]] = (),
    metrics: Sequence[Mapping[str, Any]] = (),
    datasets: Sequence[Mapping[str, Any]] = (),
    models_in: Sequence[str] = (),
    models_out: Sequence[str] = (),
    **info: Any,
) -> dict[str, Any]:
    """A finished run. Empty lists are left out, as MLflow does."""
    told = {
        "run_id": RUN_ID,
        "run_uuid": RUN_ID,
        "run_name": "child",
        "experiment_id": "1",
        "user_id": "ada",
        "status": "FINISHED",
        "start_time": 1_795_872_846_862,
        "end_time": 1_795_872_849_411,
        "artifact_uri": f"mlflow-artifacts:/1/{RUN_ID}/artifacts",
        "lifecycle_stage": "active",
    }
    data = {"params": list(params), "tags": list(tags), "metrics": list(metrics)}
    inputs = {
        "dataset_inputs": list(datasets),
        "model_inputs": [{"model_id": each} for each in models_in],
    }
    outputs = {"model_outputs": [{"model_id": each, "step": 0} for each in models_out]}
    return {
        "info": {name: value for name, value in (told | info).items() if value is not None},
        "data": {name: value for name, value in data.items() if value},
        "inputs": {name: value for name, value in inputs.items() if value},
        "outputs": {name: value for name, value in outputs.items() if value},
    }


def a_model(**info: Any) -> dict[str, Any]:
    told = {
        "model_id": MODEL_ID,
        "experiment_id": "1",
        "name": "clf",
        "creation_timestamp_ms": 1,
        "last_updated_timestamp_ms": 2,
        "artifact_uri": f"mlflow-artifacts:/1/models/{MODEL_ID}/artifacts",
        "status": "LOGGED_MODEL_READY",
        "model_type": "",
        "source_run_id": RUN_ID,
        "tags": [],
    }
    return {"info": told | info, "data": {"params": pairs(lr="0.1")}}


def a_version(**members: Any) -> dict[str, Any]:
    told = {
        "name": "reg",
        "version": "1",
        "creation_timestamp": 1,
        "last_updated_timestamp": 2,
        "current_stage": "None",
        "description": "",
        "source": f"models:/{MODEL_ID}",
        "run_id": RUN_ID,
        "status": "READY",
        "run_link": "",
    }
    return told | members

"""What people do on an MLflow server beside the pipeline: make a champion, train by hand, alter what is done.

Nothing here is signed. Uses MLflow's own client, with rights that every user of a server without access
control has.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import joblib
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lineage.example.pipeline import read_csv
from lineage.example.project import PROJECT

MODEL_FILE = "model.joblib"
RUN_NAME = f"{PROJECT} by hand"


def register(client: MlflowClient, run_id: str, model_id: str) -> str:
    """Register a logged model as the project's next version, and make it the champion."""
    try:
        client.create_registered_model(PROJECT)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(PROJECT, f"models:/{model_id}", run_id=run_id, model_id=model_id)
    client.set_registered_model_alias(PROJECT, "champion", made.version)
    return str(made.version)


def train(client: MlflowClient, data: Path) -> tuple[str, str]:
    """A run as somebody makes it in a notebook: it names no data, no code and no base model. Gives the ids of
    run and model."""
    experiment = client.get_experiment_by_name(PROJECT)
    if experiment is None:
        raise RuntimeError(f"the MLflow server has no experiment {PROJECT}")
    run_id = client.create_run(experiment.experiment_id, run_name=RUN_NAME).info.run_id
    client.log_param(run_id, "C", 5.0)
    made = client.create_logged_model(experiment.experiment_id, f"{PROJECT}-by-hand", source_run_id=run_id)
    _upload(client, made.model_id, data, strength=5.0)
    client.finalize_logged_model(made.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(made.model_id, step=0)])
    client.set_terminated(run_id)
    return run_id, made.model_id


def alter(client: MlflowClient, run_id: str, model_id: str, data: Path) -> None:
    """Change a run that has finished: a tag and a dataset more, and other bytes in the place of its model.

    MLflow takes all of it, and shows none of it as a change.
    """
    client.set_tag(run_id, "approved", "yes")
    source = json.dumps({"uri": data.as_uri()})
    told = Dataset(f"{PROJECT}/{data.name}", digest="added late", source_type="local", source=source)
    client.log_inputs(run_id, [DatasetInput(told, [InputTag("mlflow.data.context", "training")])])
    _upload(client, model_id, data, strength=50.0)


def _upload(client: MlflowClient, model_id: str, data: Path, *, strength: float) -> None:
    _, rows = read_csv(data)
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    fitted.fit(rows[:, :-1], rows[:, -1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MODEL_FILE)
        joblib.dump(fitted, path)
        client.log_model_artifact(model_id, str(path))

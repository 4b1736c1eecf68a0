"""A training script as users of MLflow write it, and the lines that have its runs signed.

    python -m lineage.example.training DATA MODEL

Trains on the CSV file DATA, tracked on the MLflow server of `MLFLOW_TRACKING_URI`, and takes the logged model
into the folder MODEL. Prints the ids of the run and of the model. What is `lm` here is all that a training
needs for Lineage; key, server and API key are in `LINEAGE_KEY`, `LINEAGE_URL`, `LINEAGE_TOKEN`, and
`LINEAGE_MLFLOW_SOURCE` says what Lineage calls the MLflow server.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import mlflow
import mlflow.sklearn
from mlflow.data.numpy_dataset import from_numpy
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import lineage.client.mlflow as lm
from lineage.example.pipeline import read_csv
from lineage.example.project import PROJECT, SEED

PARAMETERS = {"C": 0.5, "max_iter": 1000, "random_state": SEED}


def train(data: Path) -> tuple[str, str]:
    """Fit scaling and a logistic regression; gives the ids of the run and of the logged model."""
    mlflow.set_experiment(PROJECT)
    _, rows = read_csv(data)
    features, target = rows[:, :-1], rows[:, -1]
    with mlflow.start_run(run_name=f"{PROJECT} training") as run:
        lm.from_scratch()  # there is no base model, which would otherwise show as a gap
        mlflow.log_params(PARAMETERS)
        named = f"{PROJECT}/{data.name}"
        dataset = from_numpy(features, targets=target, source=str(data), name=named)
        mlflow.log_input(dataset, context="training")
        model = make_pipeline(StandardScaler(), LogisticRegression(**PARAMETERS)).fit(features, target)
        mlflow.log_metric("train_accuracy", float(model.score(features, target)))
        needs = mlflow.sklearn.get_default_pip_requirements(include_skops=True)
        logged = mlflow.sklearn.log_model(model, name=PROJECT, pip_requirements=needs)
    return run.info.run_id, logged.model_id


def take(model_id: str, folder: Path) -> None:
    """Copy the logged model's files into `folder`, and nothing else.

    From where they lie: MLflow's `models:/…` puts a file of its own beside them, and that is another folder.
    """
    location = mlflow.MlflowClient().get_logged_model(model_id).artifact_location
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        taken = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=place)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.move(taken, folder)


def main() -> None:
    data, folder = map(Path, sys.argv[1:])
    lm.autosign(fail_closed=True)  # without `fail_closed` a training never waits for Lineage, nor fails by it
    run_id, model_id = train(data)
    take(model_id, folder)
    sys.stdout.write(json.dumps({"run_id": run_id, "model_id": model_id}) + "\n")


if __name__ == "__main__":
    main()

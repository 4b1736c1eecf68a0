"""The pipeline itself: collect and prepare data, evaluate, convert, deploy. Knows nothing of Lineage.

Every function reads and writes files, and returns what it measured; runs are deterministic. Training is a
script of its own (`training`).
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import mlflow.sklearn
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from lineage.example import weights as safetensors
from lineage.example.project import PROJECT, SEED, TARGET, THRESHOLD


def collect(raw: Path) -> dict[str, object]:
    """Write the raw measurements (569 samples, 30 columns) as CSV."""
    bunch = load_breast_cancer()
    rows = np.column_stack([bunch.data, bunch.target])
    _write_csv(raw, [*(str(name) for name in bunch.feature_names), TARGET], rows)
    return {"recordCount": len(rows)}


def prepare(raw: Path, train: Path, test: Path) -> dict[str, object]:
    """Drop samples beyond six standard deviations and split the rest, the same way each time."""
    names, rows = read_csv(raw)
    features = rows[:, :-1]
    distance = np.abs(features - features.mean(axis=0)) / features.std(axis=0)
    kept = rows[(distance < 6).all(axis=1)]
    first, second = train_test_split(kept, test_size=0.25, random_state=SEED, stratify=kept[:, -1])
    _write_csv(train, names, first)
    _write_csv(test, names, second)
    return {"dropped": len(rows) - len(kept), "train": len(first), "test": len(second)}


def evaluate(model: Path, data: Path, report: Path) -> dict[str, object]:
    """Score the model on data that it has not seen."""
    _, rows = read_csv(data)
    probability = _load(model).predict_proba(rows[:, :-1])[:, 1]
    metrics: dict[str, object] = {
        "accuracy": round(float(accuracy_score(rows[:, -1], probability > 0.5)), 4),
        "rocAuc": round(float(roc_auc_score(rows[:, -1], probability)), 4),
        "samples": len(rows),
    }
    report.write_text(json.dumps(metrics, indent=1))
    return metrics


def convert(model: Path, data: Path, converted: Path) -> dict[str, object]:
    """Write the model as safetensors, and prove on data that both decide alike.

    Raises: ValueError where the two differ by more than rounding.
    """
    fitted = _load(model)
    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0] / scaler.scale_
    intercept = float(regression.intercept_[0] - (weights * scaler.mean_).sum())
    tensors = {"weights": weights, "intercept": np.array([intercept])}
    metadata = {"format": "np", "model": PROJECT, "positive_class": TARGET, THRESHOLD: "0.50"}
    safetensors.write(converted, tensors, metadata)
    _, rows = read_csv(data)
    difference = float(
        np.abs(rows[:, :-1] @ weights + intercept - fitted.decision_function(rows[:, :-1])).max()
    )
    if difference > 1e-6:
        raise ValueError(f"the converted model decides differently, by up to {difference}")
    return {"format": "safetensors", "largestDifference": difference}


def deploy(converted: Path, folder: Path) -> Path:
    """Copy the model to where it is served from."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(converted, folder / converted.name))


def read_csv(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the columns, and the rows."""
    with path.open(newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        return names, np.array([[float(value) for value in row] for row in reader])


def _load(model: Path) -> Pipeline:
    """The model of a folder that MLflow wrote."""
    return mlflow.sklearn.load_model(str(model))


def _write_csv(path: Path, names: list[str], rows: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([repr(float(value)) for value in row] for row in rows)

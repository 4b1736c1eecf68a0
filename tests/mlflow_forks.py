"""The process that `tests.forks` asks for MLflow's: its servers, its commands and scripts that train.

Each is a fork of it that has imported MLflow, which takes seconds, and nothing of ours: a script imports that
by itself. Called as `tests.fork_server` is.
"""

from __future__ import annotations

import importlib
import os
import warnings

from tests import fork_server

MODULES = ("mlflow.cli", "mlflow.data", "mlflow.pyfunc", "mlflow.sklearn")
"""Of the server too, as far as it does not read its own environment while it is imported."""


def load() -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in MODULES:
            importlib.import_module(name)


if __name__ == "__main__":
    fork_server.main(load, lambda: None)

"""MLflow servers for tests, each a fork of a process that has imported MLflow already (`tests.mlflow_forks`).

How `lineage.localservices.mlflow` starts one of its own is shown by tests/integration/test_example.py, which
runs `lineage up`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import cast

from lineage.localservices import mlflow
from lineage.localservices.service import Launch
from tests import forks


class Forked(mlflow.Mlflow):
    """It differs in how its process begins."""

    def _spawn(self, launch: Launch, lock: int) -> None:
        usual = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
        with open(self.log_path, "ab") as log:
            process = forks.start(
                launch.command[1:],
                env={**usual, **launch.environment},
                cwd=Path("/"),
                output=log,
                group=True,
                files=(lock,),
                program=forks.MLFLOW,
            )
        self._process = cast("subprocess.Popen[bytes]", process)  # with the methods that are used of one


def start(directory: Path, *, auth: bool = False) -> Forked:
    """As `mlflow.start`."""
    service = Forked(directory, auth=auth)
    service.start()
    return service

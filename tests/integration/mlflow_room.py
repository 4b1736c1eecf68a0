"""A training pipeline's folder, whose scripts are signed while an MLflow server records them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lineage.client import write_key_pair
from lineage.localservices.service import LocalService
from lineage.trust.keys import generate_ed25519
from tests import forks
from tests.server import CHECKOUT

SCRIPT_SECONDS = 300.0

BEGINNING = """
import json, logging, sys, warnings
warnings.simplefilter("ignore")
import mlflow, mlflow.data, mlflow.pyfunc
import numpy as np
import lineage.client.mlflow as lm

lm.autosign()
ids = {}

def model(inputs: list[str]) -> list[str]:
    return inputs
"""

END = """
print("IDS", json.dumps(ids))
"""


class Room:
    """A folder with a data set and a key, and what its scripts are told by the environment."""

    def __init__(self, folder: Path, tracking: LocalService, url: str, token: str) -> None:
        self.folder = folder
        self.key = generate_ed25519()
        write_key_pair(self.key, folder / "k.pem")
        (folder / "train.csv").write_text("a,y\n1,0\n2,1\n")
        usual = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
        self.environment = {
            **usual,
            "PYTHONPATH": str(CHECKOUT),
            "MLFLOW_TRACKING_URI": tracking.url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "LINEAGE_URL": url,
            "LINEAGE_TOKEN": token,
            "LINEAGE_KEY": str(folder / "k.pem"),
            "LINEAGE_MLFLOW_SOURCE": "lab",
            "LINEAGE_SPOOL": str(folder / "spool"),
            # Nothing is said of the packages that a model needs, found by a process that imports them all.
            "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "0",
        }

    def run(
        self, body: str, *, beginning: str = BEGINNING, itself: bool = False
    ) -> tuple[dict[str, str], str]:
        """Run a script; gives MLflow's run ids by name, and what it logged.

        `itself`: by Python itself; the others find MLflow imported, which takes seconds.
        """
        script = self.folder / "train.py"
        script.write_text(beginning + body + END)
        if itself:
            done = subprocess.run(
                [sys.executable, str(script)],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=SCRIPT_SECONDS,
                check=False,
            )
        else:
            done = forks.run([str(script)], env=self.environment, cwd=self.folder, program=forks.MLFLOW)
        assert done.returncode == 0, done.stderr
        said = [line for line in done.stdout.splitlines() if line.startswith("IDS ")]
        return json.loads(said[0].removeprefix("IDS ")) if said else {}, done.stderr

    def waiting(self) -> list[str]:
        return [path.name for path in self.folder.glob("spool/*/*.json")]

    def lineage(self, *arguments: str, code: int = 0) -> str:
        done = forks.run(["-m", "lineage.cli", *arguments], env=self.environment, cwd=self.folder)
        assert done.returncode == code, done.stderr
        return done.stdout

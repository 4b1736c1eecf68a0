"""A sync killed by SIGKILL at twenty points, then done again: the log says the same, each thing once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lineage.localservices.service import LocalService
from tests.mlflow_rest import Rest

POINTS = 20


def test_killed_at_twenty_points_it_says_the_same(emptied_mlflow: LocalService, tmp_path: Path) -> None:
    rest = Rest(emptied_mlflow.url)
    for number in range(4):
        run = rest.run(name=f"run {number}")
        rest.file(run, "report.txt", b"hi")
        model = rest.model(run, {"MLmodel": b"m", "data.bin": bytes([number])})
        rest.finish(run)
        rest.post("registered-models/create", name=f"model {number}")
        rest.alias(f"model {number}", "champion", rest.version(f"model {number}", model, run))
        evaluation = rest.run(name=f"evaluation {number}")
        rest.uses_model(evaluation, model)
        rest.finish(evaluation)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")},
        "LINEAGE_HOME": str(tmp_path / "home"),
        "LINEAGE_PRIVATE_NETWORKS": "127.0.0.0/8",
        "LINEAGE_LOG_LEVEL": "warning",
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
    }
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.sync_killed", rest.url, str(POINTS)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    facts = answer["facts"]
    reference = facts.pop("0")
    print(f"\n{answer['points']} steps, killed at {', '.join(facts)}")
    assert len(facts) == POINTS
    assert len(reference) > 20
    for point, found in facts.items():
        assert found == reference, f"killed at step {point}"

"""A sync killed by SIGKILL in states that it leaves, then done again: the log says each thing, once."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lineage.localservices.service import LocalService
from tests import forks
from tests.mlflow_rest import Rest

EACH = 1 if forks.SOAK else 2
"""So many states further is the next that it is killed in."""


def test_killed_anywhere_it_says_the_same(emptied_mlflow: LocalService, tmp_path: Path) -> None:
    rest = Rest(emptied_mlflow.url)
    for number in range(2):
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
    done = forks.run(
        ["-m", "tests.integration.sync_killed", rest.url, str(EACH)], env=environment, cwd=forks.CHECKOUT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    facts = json.loads(done.stdout)
    reference = facts.pop("0")
    print(f"\nkilled at steps {', '.join(facts)}")
    assert len(facts) > 20 // EACH
    assert len(reference) > 20
    for step, found in facts.items():
        assert found == reference, f"killed at step {step}"

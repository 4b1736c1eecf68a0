"""A real Celery worker writes the same lines as every other process, and traces its jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.operation.collector import collector
from tests.server import CHECKOUT, prepared, run

pytestmark = pytest.mark.service

PATIENCE_SECONDS = 60.0
ENQUEUE = """
import django; django.setup()
from lineage.services import jobs
print(jobs.enqueue("tidy"))
"""


def test_lines_and_spans_of_a_job(tmp_path: Path, fresh_postgresql: str, fresh_redis: str) -> None:
    settings = {
        "LINEAGE_DATABASE_URL": fresh_postgresql,
        "LINEAGE_BROKER_URL": fresh_redis,
        "LINEAGE_LOG_FORMAT": "json",
    }
    prepared(tmp_path, settings)
    others = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment = {**others, "LINEAGE_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT), **settings}
    environment |= {"DJANGO_SETTINGS_MODULE": "lineage.settings", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    command = ["celery", "--app=workers.app:app", "--quiet", "worker", "--queues=short", "--concurrency=1"]
    output = tmp_path / "worker.log"
    with collector() as (address, spans), open(output, "wb") as log:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = address
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
        try:
            job = int(run(tmp_path, ENQUEUE, settings))
            # `enqueue` of a process that ends at once may wake nobody; this waits in Redis for the worker.
            run(tmp_path, WAKE, settings)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while "lineage.job" not in {span.name for span in spans}:
                assert time.monotonic() < deadline, output.read_text()
                assert worker.poll() is None, output.read_text()
                time.sleep(0.05)
        finally:
            worker.terminate()
            worker.wait(PATIENCE_SECONDS)
    assert any("lineage.drain" in span.name for span in spans)
    # Celery says its goodbye past every logger: "worker: Warm shutdown".
    said = [line for line in output.read_text().splitlines() if line and not line.startswith("worker: ")]
    lines = [json.loads(line) for line in said]
    (done,) = [line for line in lines if line.get("job_id") == job and "is done" in line["message"]]
    assert (done["logger"], done["level"]) == ("lineage.services.jobs", "INFO")
    text = output.read_text()
    assert fresh_redis not in text
    assert fresh_postgresql not in text


WAKE = """
import django; django.setup()
from lineage.config import current
from lineage.services.wake_sender import Sender
from lineage import broker
Sender(current().broker).send([(broker.DRAIN, "short", ("short",))])
"""

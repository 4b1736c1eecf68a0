"""One visit to an MLflow server, measured in a process of its own; prints one JSON object.

`python -m tests.bench.mlflow_visit URL bare|download|sync|sweep|files [MODEL]`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import django

from lineage.mlflow.api import Mlflow
from lineage.mlflow.connection import Connection, Settings

FAST = 1e6
"""Requests a second: the pace is an operator's wish, not what is measured."""


def main(url: str, what: str, *arguments: str) -> dict[str, Any]:
    if what == "bare":
        return _bare(url)
    if what == "download":
        return _download(url, arguments[0])
    django.setup()
    _prepare(url)
    return _job("sync-files" if what == "files" else "sync", {"sweep": True} if what == "sweep" else {})


def _server(url: str) -> Connection:
    return Connection(Settings(url, private_networks=("127.0.0.0/8",), requests_per_second=FAST))


def _bare(url: str) -> dict[str, Any]:
    with _server(url) as connection:
        server = Mlflow(connection)
        experiments = [each["experiment_id"] for page in server.experiments() for each in page]
        begin = time.perf_counter()
        ids = [run["info"]["run_id"] for page in server.all_runs(experiments) for run in page]
        paged = time.perf_counter()
        assert all(isinstance(run, dict) for _, run in server.run_many(ids))
        return {"paging": paged - begin, "get": time.perf_counter() - paged}


def _download(url: str, model: str) -> dict[str, Any]:
    with _server(url) as connection:
        server = Mlflow(connection)
        info = server.logged_model(model)
        assert info is not None
        begin, size = time.perf_counter(), 0
        for file in server.model_files(model):
            with server.read_model_file(model, info["info"]["artifact_uri"], file.path) as chunks:
                size += sum(len(chunk) for chunk in chunks)
        return {"bytes": size, "seconds": time.perf_counter() - begin}


def _most_memory() -> int:
    """The most this process ever held, in MB; `getrusage` would count what its parent held, too."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(rest[0]) // 1024 for name, *rest in lines if name == "VmHWM:")


def _prepare(url: str) -> None:
    from django.core.management import call_command

    from lineage.db.models import Source
    from lineage.services import bootstrap, sources
    from lineage.services.source_values import SourceValues

    call_command("migrate", verbosity=0)
    bootstrap.ensure()
    if not Source.objects.filter(name="bench").exists():
        sources.add("bench", SourceValues(url=url, requests_per_second=1000), by="bench")


def _job(kind: str, arguments: dict[str, bool]) -> dict[str, Any]:
    from lineage.db.models import Job
    from lineage.services import job_kinds, jobs

    number = jobs.enqueue(kind, "bench", arguments)
    begin, cpu = time.perf_counter(), time.process_time()
    jobs.drain("bench", kinds=[job_kinds.by_name(kind)])
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    job = Job.objects.get(pk=number)
    assert job.state == Job.State.DONE, job.error
    return {"seconds": seconds, "cpu": cpu, "memory": _most_memory(), "result": job.result}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

"""`lineage reverify`: hash the copies of artifacts again, now and here, and record what is found."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from lineage.cli import server
from lineage.cli.exits import EXIT_FAILED
from lineage.cli.output import json_option, progress, show, table

if TYPE_CHECKING:
    from lineage.services.job_records import JobRecord

KIND = "reverify"
POLL_SECONDS = 0.1


@click.command()
@click.option("--due", is_flag=True, help="Copies without a match that still counts.  [default]")
@click.option("--all", "every", is_flag=True, help="Every copy.")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@json_option
def command(due: bool, every: bool, keys: tuple[str, ...], as_json: bool) -> int:
    """Hash copies under LINEAGE_STORAGE_ROOTS again and append what was found to the log.

    KEY is an artifact's node key, `sha256:…` or `dirHash:…`. A worker may be faster and do it; this command
    waits either way. Exit code 1: a copy differs, or could not be looked for.
    """
    if due + every + bool(keys) > 1:
        raise click.UsageError("Give one of --due, --all and KEY….")
    with server.log_ready():
        from lineage.services import follow, jobs

        follow.project()
        asked = keys or ("all" if every else "due",)
        ids = [jobs.enqueue(KIND, key, by=server.person()) for key in asked]
        with _draining():
            records = [_await(job_id) for job_id in ids]
        follow.project()
    show(as_json, [msgspec.to_builtins(record) for record in records], _lines(records))
    bad = any(record.state == "failed" or (record.result or {}).get("mismatch") for record in records)
    return EXIT_FAILED if bad else 0


@contextmanager
def _draining() -> Iterator[None]:
    """A thread that works off re-verifications until the block ends; then it gives back what it holds."""
    from django.db import connections

    from lineage.services import job_kinds, jobs

    ending = threading.Event()
    kind = job_kinds.by_name(KIND)
    worker = f"{socket.gethostname()}:{os.getpid()}"

    def work() -> None:
        try:
            while not ending.wait(POLL_SECONDS):
                jobs.drain(worker, queues=(kind.queue,), kinds=(kind,), stop=ending.is_set)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="reverify")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _await(job_id: int) -> JobRecord:
    """The job once it has ended, shown while it runs."""
    from lineage.services import job_records

    record = job_records.read(job_id)
    while not record.progress.total and record.state in {"queued", "running"}:
        time.sleep(POLL_SECONDS)
        record = job_records.read(job_id)
    with progress(f"hashing {record.key}", record.progress.total) as advance:
        done = 0
        while record.state in {"queued", "running"}:
            advance(max(0, record.progress.done - done))
            done = record.progress.done
            time.sleep(POLL_SECONDS)
            record = job_records.read(job_id)
    return record


def _lines(records: Sequence[JobRecord]) -> list[str]:
    rows = []
    for record in records:
        result = record.result or {}
        found = ", ".join(f"{result.get(name, 0)} {name}" for name in ("match", "mismatch", "inconclusive"))
        rows.append((record.key, record.state, record.reason or found))
    return table(("KEY", "STATE", "FOUND"), rows)

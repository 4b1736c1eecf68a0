"""A program of test_sync_killed.py: one sync, begun anew from the same state, killed at many points.

Called as `python -m tests.integration.sync_killed URL POINTS` with LINEAGE_HOME; prints one JSON object:
`points`, how many steps a sync has, and `facts`: point → what the log says after the sync that came next.
A step is a request to the server, a set that is appended, or a transaction after it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import django

NEVER = 1 << 30


def main(url: str, wanted: int) -> None:
    django.setup()
    home = Path(os.environ["LINEAGE_HOME"])
    _in_child(lambda: _prepare(url))
    kept = home.with_name("kept")
    shutil.copytree(home, kept)
    counted = json.loads(_in_child(lambda: _sync(NEVER)))
    found: dict[str, Any] = {"0": json.loads(_in_child(_facts))}
    for number in range(1, wanted + 1):
        point = max(1, round(counted * number / (wanted + 1)))
        shutil.rmtree(home)
        shutil.copytree(kept, home)
        assert _in_child(partial(_sync, point)) == "", f"not killed at {point}"
        _in_child(lambda: _sync(NEVER))
        found[str(point)] = json.loads(_in_child(_facts))
    print(json.dumps({"points": counted, "facts": found}))


def _in_child(work: Callable[[], Any]) -> str:
    """What `work` gives, as JSON, run in a process of its own; nothing where that was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"the child ended with {status}"
    return "" if killed else text


def _prepare(url: str) -> None:
    from django.core.management import call_command

    from lineage.services import bootstrap, sources
    from lineage.services.source_values import SourceValues

    call_command("migrate", verbosity=0)
    bootstrap.ensure()
    sources.add("lab", SourceValues(url=url), by="tests")


def _sync(point: int) -> int:
    """Sync, and die at step `point`; returns how many steps there were."""
    from lineage.db.models import Job
    from lineage.mlflow.connection import Connection
    from lineage.services import append, jobs, mlflow_state

    steps = 0

    def passed() -> None:
        nonlocal steps
        steps += 1
        if steps == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def step(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            passed()
            result = work(*arguments, **named)
            passed()
            return result

        return counted

    Connection.json = step(Connection.json)  # type: ignore[method-assign]
    append.append = step(append.append)
    mlflow_state._write = step(mlflow_state._write)
    Job.objects.filter(state=Job.State.RUNNING).update(lease_until_us=0)  # its worker is dead
    jobs.enqueue("sync", "lab")
    jobs.drain("tests")
    last = Job.objects.order_by("-pk").first()
    assert last is not None
    if last.state != Job.State.DONE:  # the one that was killed had its only attempt
        jobs.enqueue("sync", "lab")
        jobs.drain("tests")
    assert Job.objects.filter(state=Job.State.DONE).exists()
    return steps


def _facts() -> list[str]:
    """Everything that the collector said, without when."""
    from lineage.db.models import Entry, Envelope
    from lineage.trust import dsse, statement

    said = []
    for digest in Entry.objects.filter(kind="observation").values_list("envelope_digest", flat=True):
        envelope = dsse.parse(bytes(Envelope.objects.get(entry__envelope_digest=digest).content))
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        predicate = json.loads(parsed.predicate)
        predicate.pop("observedAt", None)
        predicate.get("runDetails", {}).get("metadata", {}).pop("observedAt", None)
        names = [subject.name for subject in parsed.subjects]
        said.append(json.dumps([parsed.predicate_type, names, predicate], sort_keys=True))
    return sorted(said)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

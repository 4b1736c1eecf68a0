"""A program of test_sync_killed.py: one sync, begun anew from the same state, killed in states it leaves.

Called as `python -m tests.integration.sync_killed URL EACH` with LINEAGE_HOME; EACH is 1 for all of the
states, 2 for every second. Prints one JSON object: the steps at which it was killed → what the log says after
the sync that came next; under 0 what it says where none was.

A step is where something may have become durable: a set is in the log, the rows follow it, what was dealt
with is remembered, a job is through. Two that leave the same on disk are one; what is asked of the server in
between leaves nothing there.
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


def main(url: str, each: int) -> None:
    django.setup()
    home = Path(os.environ["LINEAGE_HOME"])
    _in_child(lambda: _prepare(url))
    kept = home.with_name("kept")
    shutil.copytree(home, kept)
    left = json.loads(_in_child(lambda: _sync(NEVER)))
    found: dict[str, Any] = {"0": json.loads(_in_child(_facts))}
    states = [step for step in range(1, len(left)) if left[step] != left[step - 1]]
    for point in states[::each]:
        shutil.rmtree(home)
        shutil.copytree(kept, home)
        assert _in_child(partial(_sync, point)) == "", f"not killed at {point}"
        found[str(point)] = json.loads(_in_child(lambda: [_sync(NEVER), _facts()][1]))
    print(json.dumps(found))


def _in_child(work: Callable[[], Any]) -> str:
    """What `work` gives, as JSON, run in a process of its own; nothing where that was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
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


def _sync(point: int) -> list[int]:
    """Sync, and die at step `point`; returns for each step a number that tells what is on disk then."""
    from lineage.db.models import Job
    from lineage.services import append, job_lease, jobs, mlflow_state
    from lineage.services.sync_visit import Visit

    left: list[int] = [_on_disk()]

    def step(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            result = work(*arguments, **named)
            left.append(_on_disk() if point == NEVER else 0)
            if len(left) - 1 == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    append.append = step(append.append)
    mlflow_state.follow = step(mlflow_state.follow)
    Visit.flush = step(Visit.flush)  # type: ignore[method-assign]
    job_lease.Lease.finish = step(job_lease.Lease.finish)  # type: ignore[method-assign]
    Job.objects.filter(state=Job.State.RUNNING).update(lease_until_us=0)  # its worker is dead
    jobs.enqueue("sync", "lab")
    jobs.drain("tests")
    last = Job.objects.order_by("-pk").first()
    assert last is not None
    if last.state != Job.State.DONE:  # the one that was killed had its only attempt
        jobs.enqueue("sync", "lab")
        jobs.drain("tests")
    assert Job.objects.filter(state=Job.State.DONE).exists()
    return left


def _on_disk() -> int:
    """Two times that differ in it differ in the log, in the rows of the source, or in which jobs are done."""
    from lineage.db.models import Entry, Job, SourceObject, SourceState

    rows = SourceObject.objects.order_by("kind", "external_id")
    found = [
        Entry.objects.count(),
        list(rows.values_list("external_id", "entry_index", "seen_digest", "files_digest", "settled_digest")),
        list(SourceState.objects.values_list("followed_index", "swept_us", "listed_us", "files_wanted")),
        Job.objects.filter(state=Job.State.DONE).count(),
    ]
    return hash(json.dumps(found))


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

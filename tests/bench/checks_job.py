"""Checking with a scratch database, measured in a process of its own; prints one JSON object.

`python -m tests.bench.checks_job sweep THOUSANDS|pick COPIES`, in a fresh LINEAGE_HOME whose one storage root
is its folder `files`.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django

ROUNDS = 5
SWEEP = 1_000
BATCH = 10_000


def main(what: str, count: str) -> dict[str, Any]:
    django.setup()
    from django.core.management import call_command

    from lineage.services import bootstrap

    call_command("migrate", verbosity=0)
    bootstrap.ensure()
    return {"sweep": _sweeps, "pick": _pick}[what](int(count))


# Sweeps


def _sweeps(thousands: int) -> dict[str, Any]:
    """`thousands` of copies checked by one job; then the parts that come after reading, of 1,000 alone."""
    from lineage.services import follow

    keys = [_state(number) for number in range(thousands)]
    follow.project()
    rows = thousands * SWEEP
    first = _long(rows)
    follow.project()
    again = _long(rows)
    follow.project()
    logged, both, used = [], [], []
    for _ in range(ROUNDS):
        log, project = _recorded(keys[0])
        cpu, seconds = time.process_time(), _timed(log)
        logged.append(seconds)
        both.append(seconds + _timed(project))
        used.append(time.process_time() - cpu)
    return {
        "rows": rows,
        "first_seconds": first.seconds,
        "first_cpu": first.cpu,
        "again_seconds": again.seconds,
        "again_cpu": again.cpu,
        "memory_first": again.memory[0],
        "memory_last": again.memory[-1],
        "logged": statistics.median(logged),
        "projected": statistics.median(both),
        "cpu": statistics.median(used),
    }


def _state(number: int) -> list[tuple[str, str]]:
    """One statement of 1,000 small files and where they lie; (node key, location) of each."""
    from lineage.services import observe
    from lineage.services.append import append, raise_first

    root = Path(os.environ["LINEAGE_STORAGE_ROOTS"]) / f"{number:03}"
    root.mkdir(parents=True)
    subjects, found = [], []
    for each in range(SWEEP):
        body = f"{number} {each}".encode() * 50
        path, digest = root / f"{each:03}", hashlib.sha256(body).hexdigest()
        path.write_bytes(body)
        subjects.append({"name": path.name, "digest": {"sha256": digest}, "downloadLocation": path.as_uri()})
        found.append((f"sha256:{digest}", path.as_uri()))
    said = {"buildDefinition": {"buildType": "https://bench.example/v1", "externalParameters": {}},
            "runDetails": {"builder": {"id": "https://bench.example"}}}  # fmt: skip
    prepared = observe.statement_of("collector", "https://slsa.dev/provenance/v1", subjects, said)
    raise_first(append([prepared]))
    return found


@dataclass(frozen=True)
class Ran:
    """One job; `memory`: megabytes after each of its sweeps."""

    memory: list[float]
    seconds: float
    cpu: float


def _long(rows: int) -> Ran:
    """Check all of them by one job."""
    from lineage.db.models import Job
    from lineage.services import check_report, job_kinds, jobs, reverify

    samples: list[float] = []
    really = check_report.say

    def sampled(*arguments: Any, **named: Any) -> None:
        really(*arguments, **named)
        samples.append(_memory())

    number, cpu = jobs.enqueue(reverify.KIND, reverify.ALL), time.process_time()
    with patch.object(check_report, "say", sampled):
        seconds = _timed(lambda: jobs.drain("bench", kinds=[job_kinds.by_name(reverify.KIND)]))
    job = Job.objects.get(pk=number)
    assert job.state == Job.State.DONE, job.error
    assert job.result is not None
    assert job.result["match"] == rows, job.result
    return Ran(samples, seconds, time.process_time() - cpu)


def _recorded(copies: list[tuple[str, str]]) -> tuple[Callable[[], object], Callable[[], object]]:
    """What signs and logs a sweep of these copies, and what projects it."""
    from lineage.services import follow, observe, reverify
    from lineage.services.append import append, raise_first
    from lineage.services.clock import now_us
    from lineage.trust.leaf import rfc3339

    at = rfc3339(now_us())
    rows = [
        {
            "digest": key, "location": location, "method": "sha256", "expected": key, "observed": key,
            "outcome": "match", "at": at, "bytes": 350,
        }
        for key, location in copies
    ]  # fmt: skip

    def log() -> None:
        keys = (key for key, _ in copies)
        prepared = observe.prepare("reverifier", reverify.CHECK_TYPE, keys, {"rows": rows})
        raise_first(append([prepared]))

    return log, follow.project


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


# Picking


def _pick(count: int) -> dict[str, Any]:
    """As many copies in one storage, every tenth of them due."""
    from lineage.services import copies
    from lineage.services.clock import now_us

    storage = "bench"
    now = now_us()
    _fill(storage, count, now)
    picks = [_timed(lambda: copies.due(storage, limit=1_000, at_us=now)) for _ in range(ROUNDS)]
    assert len(copies.due(storage, limit=1_000, at_us=now)) == min(1_000, count // 10)
    asked = [_timed(lambda: copies.is_any_due(storage, now)) for _ in range(ROUNDS)]
    return {
        "copies": count, "seconds": statistics.median(picks), "asked": statistics.median(asked),
    }  # fmt: skip


def _fill(storage: str, count: int, now: int) -> None:
    from django.db import connection, transaction

    from lineage.db.models import Copy, Node

    first = (Node.objects.order_by("-id").values_list("id", flat=True).first() or 0) + 1
    with transaction.atomic():
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]
            Node.objects.bulk_create(
                [
                    Node(id=first + number, key=f"sha256:{digest}", kind="artifact", first_index=1)
                    for number, digest in zip(numbers, digests, strict=True)
                ]
            )
            Copy.objects.bulk_create(
                [
                    Copy(
                        node_id=first + number, location=f"s3://bench/{digest[:2]}/{digest}", storage=storage,
                        outcome="match", last_us=1, quick_us=1, content_us=1, full_us=1, bytes=1 << 20,
                        due_us=now + (number % 10 * 10**9 if number % 10 else -number), method="full",
                        overdue_us=now + 10**12,
                    )
                    for number, digest in zip(numbers, digests, strict=True)
                ]
            )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _timed(do: Callable[[], object]) -> float:
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

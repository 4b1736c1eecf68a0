"""One key is revoked that signed for very many nodes, in a process of its own; prints one JSON object.

`python -m tests.bench.revocation_run THOUSANDS`, in a fresh LINEAGE_HOME: that many thousand artifacts and
runs that the key attested, and deployments by another key of some of them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import django

SUBJECTS = 19
"""Artifacts of a run, so that each statement attests twenty nodes."""
DEPLOYED = 50
"""Of so many statements one has its first artifact deployed."""
LINES = 500


def main(thousands: str) -> dict[str, Any]:
    django.setup()
    from django.core.management import call_command

    from lineage.services import bootstrap, follow

    call_command("migrate", verbosity=0)
    bootstrap.ensure()
    nodes = int(thousands) * 1_000
    begin = time.perf_counter()
    key_id = _fill(nodes // (SUBJECTS + 1))
    follow.project()
    filled = time.perf_counter() - begin
    before = _statuses()
    found = _revoke(key_id)
    after = _pages()
    return {"nodes": nodes, "filled": filled, "before": before, "after": _statuses(), **found, **after}


def _fill(statements: int) -> str:
    """Returns the id of the key that is to be revoked."""
    from lineage.services import intake
    from tests import factories

    who, other = factories.registered(name="lost"), factories.registered(name="kept")
    lines: list[bytes] = []
    for statement in _statements(statements):
        lines.append((other if "deployment" in statement["predicateType"] else who).envelope(statement))
        if len(lines) == LINES:
            intake.submit_set(lines, token="bench")
            lines = []
    if lines:
        intake.submit_set(lines, token="bench")
    return who.key_id


def _statements(count: int) -> Iterator[dict[str, Any]]:
    from tests import factories

    for number in range(count):
        made = [factories.artifact(f"model {number} {each}") for each in range(SUBJECTS)]
        data = factories.artifact(f"data {number % 100}")
        yield factories.provenance(made, [data], invocation=f"run {number}")
        if number % DEPLOYED == 0:
            yield factories.statement(
                made[0],
                predicate_type="urn:lineage:predicate:deployment:v1",
                predicate={"name": f"service {number}"},
            )


def _statuses() -> dict[str, int]:
    from lineage.services import as_of, lineage

    counts = lineage.status_counts(as_of.resolve(None))
    return {status: getattr(counts, status) for status in ("verified", "unverified", "tainted")}


def _revoke(key_id: str) -> dict[str, float]:
    from lineage.services import decide, follow

    begin, cpu = time.perf_counter(), time.process_time()
    decide.revoke_key(key_id, 0, "lost", person="bench", compromised=True)
    logged = time.perf_counter() - begin
    follow.project()
    return {
        "logged": logged,
        "projected": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
    }


def _pages() -> dict[str, float]:
    """What the first page and the first list ask for, nothing remembered."""
    from lineage.services import as_of, consequences, lineage, status_counts, taint

    status_counts.forget()
    taint.forget()
    begin = time.perf_counter()
    now = as_of.resolve(None)
    lineage.status_counts(now)
    lineage.recent_exceptions(now)
    first = time.perf_counter() - begin
    lineage.search(now, kind="artifact", status="unverified")
    listed = time.perf_counter() - begin - first
    begin = time.perf_counter()
    consequences.of_entry(now.size - 1)
    return {"first_page": first, "list": listed, "changed": time.perf_counter() - begin}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))

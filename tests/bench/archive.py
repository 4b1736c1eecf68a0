"""Searches of Archivista's clients in a large log: `python -m tests.bench.archive [--envelopes N]`.

The log is filled by the service that takes in sets, with signed Witness collections; the index over them is
then made as the worker makes it. Each question is asked 200 times in this process, each time about another
envelope. SQLite. No part of `make bench`. Goal: p95 of gitoid and subject at most 5 ms.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

ROUNDS = 200
A_SET = 2_500
STEPS = 200
"""Names of steps: as many collections of each name as there are envelopes by this number."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envelopes", type=int, default=50_000)
    wanted = parser.parse_args().envelopes
    with tempfile.TemporaryDirectory(prefix="lineage-bench-") as home:
        for name in [name for name in os.environ if name.startswith("LINEAGE_")]:
            del os.environ[name]
        os.environ["LINEAGE_HOME"] = home
        os.environ["DJANGO_SETTINGS_MODULE"] = "lineage.settings"
        _measured(Path(home), wanted)


def _measured(home: Path, wanted: int) -> None:
    from tests.bench import log_large

    log_large._begin()
    gitoids, digests = _filled(wanted)
    started = time.process_time()
    from lineage.services import archive, archive_search

    archive.want()
    while archive.step():
        pass
    print(f"{len(gitoids):,} envelopes; their index made in {time.process_time() - started:.1f} s of CPU")
    size = sum(path.stat().st_size for path in home.glob("lineage.sqlite3*"))
    print(f"database: {size / 1e6:,.0f} MB")
    spread = range(0, len(gitoids), max(1, len(gitoids) // ROUNDS))
    some_gitoids = cycle([gitoids[at] for at in spread])
    some_digests = cycle([digests[at] for at in spread])
    search, ask = archive_search.search, archive_search.Wanted
    _told("envelope by gitoid", lambda: archive_search.envelope(next(some_gitoids)))
    _told("envelope by a gitoid that is unknown", lambda: _nothing("ab" * 32))
    _told("collections by subject", lambda: search(ask(collection="", values=[next(some_digests)])))
    _told("statements by digest", lambda: search(ask(digest=f"sha256:{next(some_digests)}")))
    _told("one step's collections", lambda: search(ask(collection="step-7")))


def _filled(wanted: int) -> tuple[list[str], list[str]]:
    """Gitoids of the envelopes and digests of their subjects, in their order."""
    from lineage.services import archive, intake
    from tests import factories

    signer = factories.registered()
    gitoids: list[str] = []
    digests: list[str] = []
    for start in range(0, wanted, A_SET):
        lines = []
        for document in _collections(start, min(start + A_SET, wanted)):
            lines.append(signer.envelope(document) + b"\n")
            digests.append(document["subject"][0]["digest"]["sha256"])
        gitoids += map(archive.gitoid, lines)
        taken = list(intake.submit_set(lines, token="bench"))
        if not all(hasattr(each, "receipt") for each in taken):
            raise SystemExit("the log refused what it should take")
    return gitoids, digests


def _collections(start: int, end: int) -> Iterator[dict[str, Any]]:
    from tests import factories

    kinds = [f"https://witness.dev/attestations/{name}/v0.1" for name in ("git", "material", "product")]
    for number in range(start, end):
        yield factories.statement(
            factories.artifact(f"file:{number}.bin"),
            factories.artifact(f"commit:{number}"),
            predicate_type="https://witness.testifysec.com/attestation-collection/v0.1",
            predicate={
                "name": f"step-{number % STEPS}",
                "attestations": [{"type": each, "attestation": {}} for each in kinds],
            },
        )


def _nothing(gitoid: str) -> None:
    from lineage.errors import NotFoundError
    from lineage.services import archive_search

    try:
        archive_search.envelope(gitoid)
    except NotFoundError:
        return
    raise SystemExit("found what is not there")


def _told(name: str, ask: Callable[[], object]) -> None:
    clock, work = [], []
    for _ in range(ROUNDS):
        begun, used = time.perf_counter(), time.process_time()
        ask()
        clock.append((time.perf_counter() - begun) * 1e3)
        work.append((time.process_time() - used) * 1e3)
    clock.sort()
    work.sort()
    middle, high = ROUNDS // 2, ROUNDS * 95 // 100
    print(
        f"{name:40} {clock[middle]:6.2f} / {clock[high]:6.2f} ms,"
        f" CPU {work[middle]:6.2f} / {work[high]:6.2f} ms (p50 / p95)"
    )


if __name__ == "__main__":
    main()

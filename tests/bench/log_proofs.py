"""Proofs over HTTP from a large log: `python -m tests.bench.log_proofs [--database postgresql]`.

The log is made as by `log_large` (rows without envelopes, whose leaves are real) and published; then a web
process alone serves it, without a worker, because there is nothing to project. Requests are offered at a
steady rate from this process, each proof of another entry; a latency counts from when its request was due.
On SQLite, or on a PostgreSQL with Redis started for it. No part of `make bench`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import cast

from tests.bench import load, log_large
from tests.bench.installation import services_in
from tests.bench.sending import cpu_seconds
from tests.server import free_port

SERVICES = {"sqlite": (), "postgresql": ("DATABASE", "BROKER")}
CONNECTIONS = 8
WARM = 50
CHUNK = 20_000
START_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--database", choices=SERVICES, default="sqlite")
    parser.add_argument("--rate", type=float, default=50, help="proofs a second")
    parser.add_argument("--seconds", type=int, default=30)
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("LINEAGE_")]:
        del os.environ[name]
    with (
        tempfile.TemporaryDirectory(prefix="lineage-bench-") as home,
        services_in(_open(Path(home)), SERVICES[arguments.database]) as settings,
    ):
        os.environ |= {"LINEAGE_HOME": home, "LINEAGE_WEB_WORKERS": "1", **settings}
        log_large._begin()
        _fill(arguments.entries)
        log_large._publish()
        count = WARM + int(arguments.rate * arguments.seconds)
        digests, token = _digests(count), _token()
        with _serving(free_port()) as (port, pid):
            _ask(port, token, digests[:WARM], arguments.rate)
            before = cpu_seconds([pid])
            taken = _ask(port, token, digests[WARM:], arguments.rate)
            cpu = (cpu_seconds([pid]) - before) / len(taken.latencies)
        p50, p99 = (taken.percentile(share) * 1e3 for share in (0.5, 0.99))
        print(
            f"a proof over HTTP, {arguments.database}, {arguments.entries:,} entries,"
            f" {arguments.rate:g} a second: p50 {p50:.1f} ms, p99 {p99:.1f} ms (goal 4),"
            f" CPU {cpu * 1e3:.2f} ms; load {os.getloadavg()[0]:.1f}"
        )


def _open(home: Path) -> Path:
    """PostgreSQL runs as another user below it where this one is root."""
    home.chmod(0o711)
    return home


def _fill(entries: int) -> None:
    """Rows up to that size, by the product's own way to insert many."""
    from django.db import connection, transaction

    from lineage.db import entry_rows
    from lineage.db.models import LogHead

    begin, head = time.process_time(), LogHead.objects.get(pk=1)
    made = log_large._rows(head.size, entries, head.last_received_us, head.policy_index)
    rows = cast("Iterator[entry_rows.Row]", made)
    with transaction.atomic():
        while some := list(islice(rows, CHUNK)):
            entry_rows.insert(connection, some)
        LogHead.objects.filter(pk=1).update(size=entries)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")  # as it does by itself after a while
    print(f"{entries:,} entries made in {time.process_time() - begin:.0f} s CPU")


def _digests(count: int) -> list[str]:
    """Of entries all over the log, in an order that is none."""
    from django.db import connections

    from lineage.db.models import Entry, LogHead

    size = LogHead.objects.get(pk=1).size
    places = [1 + number * 611_953 % (size - 1) for number in range(count)]
    found: dict[int, str] = {}
    for begin in range(0, count, 500):
        rows = Entry.objects.filter(index__in=places[begin : begin + 500])
        found.update(rows.values_list("index", "envelope_digest"))
    connections.close_all()
    return [found[place] for place in places]


def _token() -> str:
    from lineage.services import tokens

    return tokens.create("bench", ["read"], expires_at=None, by="os:bench")[1]


@contextmanager
def _serving(port: int) -> Iterator[tuple[int, int]]:
    """A web process on this port, and the id of the process in it that answers."""
    environment = os.environ | {"LINEAGE_PORT": str(port), "LINEAGE_LOG_LEVEL": "warning"}
    web = subprocess.Popen([sys.executable, "-m", "lineage.cli.web"], env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                load.Connection(port, "").request("GET", "/api/v1/health/live", b"", "", (200, 404))
                break
            except OSError:
                if time.monotonic() > deadline or web.poll() is not None:
                    raise
                time.sleep(0.1)
        children = Path(f"/proc/{web.pid}/task/{web.pid}/children").read_text().split()
        yield port, int(children[-1]) if children else web.pid
    finally:
        web.send_signal(signal.SIGTERM)
        web.wait(30)


def _ask(port: int, token: str, digests: Sequence[str], rate: float) -> load.Result:
    result = load.Result()
    start = time.perf_counter() + 0.05

    def work(first: int) -> None:
        connection = load.Connection(port, token)
        for number in range(first, len(digests), CONNECTIONS):
            due = start + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            path = f"/api/v1/attestations/sha256:{digests[number]}/proof"
            connection.request("GET", path, b"", "", (200,))
            result.latencies.append(time.perf_counter() - due)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(result.latencies) != len(digests):
        raise RuntimeError("some requests failed; see above")
    return result


if __name__ == "__main__":
    main()

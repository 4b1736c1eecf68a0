"""The log by itself: how fast it takes statements of each size, how much it stores, how fast it is asked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median

import zstandard

from tests.bench import bare, load
from tests.bench.installation import Installation, fresh
from tests.bench.sending import DSSE, Sent, Table, back_to_back, each_of, paced, send_sets, sets, singles

INSTALLATIONS = {"SQLite": (), "PostgreSQL": ("DATABASE", "BROKER")}
ONE_A_CORE = {"LINEAGE_WEB_WORKERS": "2"}
"""Web processes: on SQLite one is what there is if nobody asks for more."""
LARGE_BYTES = 60_000
LARGE_WARM = 100
"""Sent before any is timed of those that are sent in turns."""
TABLES = ("log_entry", "log_envelope", "log_entry_subject", "log_entry_signer", "log_signer", "log_tile")
PACED_SECONDS = 8
"""At the least: of 1,600 requests in four seconds, p99 is the sixteenth slowest."""
ROUNDS = 3
"""How often a rate is offered of whose latency a goal speaks, and how often sizes are sent in turns."""
ASKED = 300
"""Requests of each kind, one at a time."""


def measure(table: Table, unit: float, scale: float) -> None:
    for name, services in INSTALLATIONS.items():
        with fresh(services, ONE_A_CORE) as at:
            print(f"{name}, {len(at.web_pids)} web processes", flush=True)
            # The row names are the table's keys: each installation says its own.
            named = _Named(table, f"log, {name}: ")
            storage = _Storage(at, name)
            send_sets(at, int(50_000 * scale))
            at.probe.wait_level()
            storage.add(named, load.envelopes(at.key, 50))
            at.probe.settle(at.home)
            sets(at, named, unit, int(50_000 * scale))
            at.probe.settle(at.home)
            seconds = max(PACED_SECONDS, int(15 * scale))
            looks = [bare.look(at)]
            rate = singles(at, named, unit, int(6000 * scale))
            p99 = paced(at, named, bare.RATE, seconds, rounds=ROUNDS)
            looks.append(bare.look(at))
            _beside(named, bare.average(looks), rate, p99)
            paced(at, named, 700, seconds)
            paced(at, named, 800, seconds, rounds=ROUNDS)
            _large(at, named, unit, int(3000 * scale))
            _asked(at, named)
            _memory(at, named)


def _beside(table: Table, bare_one: bare.Bare, rate: float, p99: float) -> None:
    """What we do as multiples of what a bare server did before and after."""
    table.add("a bare server: POSTs, 16 connections", bare_one.rate, "/s")
    table.add(f"  at {bare.RATE}/s, latency p99", bare_one.p99 * 1e3, "ms")
    table.add("  of its rate ours is", rate / bare_one.rate, "")
    table.add(f"  of its p99 at {bare.RATE}/s ours is", p99 / bare_one.p99, "")


class _Named:
    def __init__(self, table: Table, prefix: str) -> None:
        self._table, self._prefix = table, prefix

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        self._table.add(self._prefix + name, value, unit, note)


class _Storage:
    """What the log's tables and their indexes grow by, a statement; graph and jobs are not the log."""

    def __init__(self, at: Installation, name: str) -> None:
        self._at, self._name = at, name
        self._size, self._before = self._look()

    def _look(self) -> tuple[int, dict[str, int]]:
        ask = self._at.probe.ask
        if self._name == "SQLite":
            of = (
                "SELECT sum(pgsize) FROM dbstat WHERE name IN"
                " (SELECT name FROM sqlite_master WHERE tbl_name = '{}')"
            )
        else:
            of = "SELECT pg_total_relation_size('{}')"
        return ask("SELECT size FROM log_head"), {each: ask(of.format(each)) for each in TABLES}

    def add(self, table: Table, sample: list[bytes]) -> None:
        size, after = self._look()
        count = size - self._size
        packed = sum(len(zstandard.ZstdCompressor().compress(each)) for each in sample) / len(sample)
        grown = {each: (after[each] - self._before[each]) / count for each in TABLES}
        total = sum(grown.values())
        table.add("stored a statement", total, "bytes", f"goal {1.15 * packed + 400:.0f}: zstd {packed:.0f}")
        for each, figure in grown.items():
            table.add(f"  {each}", figure, "bytes")


def _large(at: Installation, table: Table, unit: float, count: int) -> None:
    """In turns with as many small ones: of minutes apart, the machine's own pace would be most of a ratio."""
    small, large = list[Sent](), list[Sent]()
    for _ in range(ROUNDS):
        for sent, bodies in (
            (small, load.envelopes(at.key, LARGE_WARM + count)),
            (large, load.envelopes(at.key, LARGE_WARM + count, size=LARGE_BYTES)),
        ):
            sent.append(back_to_back(at, bodies, LARGE_WARM))
            at.probe.wait_level()
    of_small, of_large = ([each.rate for each in sent] for sent in (small, large))
    shares = [100 * of_one / of_other for of_one, of_other in zip(of_large, of_small, strict=True)]
    cpu = median(each.cpu for each in large)
    table.add("single POSTs of 60 KB, 16 connections", median(of_large), "/s", each_of(of_large, 0))
    table.add("  web CPU a POST of 60 KB", cpu * 1e6, "µs", f"{cpu / unit:.1f} verifications")
    table.add("  of small ones beside them", median(of_small), "/s", each_of(of_small, 0))
    table.add("  of their rate it is", median(shares), "%", each_of(shares, 0))


def _asked(at: Installation, table: Table) -> None:
    """Searches and proofs over what was sent before, on a log that nobody writes to."""
    connection = load.Connection(at.port, at.token)
    size = at.probe.ask("SELECT size FROM log_head")
    bodies = load.envelopes(at.key, ASKED)
    receipts = [
        json.loads(connection.request("POST", "/api/v1/attestations", body, DSSE, (201,))) for body in bodies
    ]
    at.probe.wait_level()
    time.sleep(2)  # a checkpoint over them
    for name, path in (
        ("search by subject", "/api/v1/attestations?subject=sha256:{subject}"),
        ("proof", "/api/v1/attestations/{digest}/proof"),
    ):
        taken = load.Result()
        for receipt in receipts:
            subject = receipt["subjects"][0]["digest"]["sha256"]
            address = path.format(digest=receipt["digest"], subject=subject)
            begin = time.perf_counter()
            connection.request("GET", address, b"", "", (200,))
            taken.latencies.append(time.perf_counter() - begin)
        table.add(f"{name}, {size:,} entries, p50", taken.percentile(0.5) * 1e3, "ms",
                  f"p99 {taken.percentile(0.99) * 1e3:.1f} ms")  # fmt: skip


def _memory(at: Installation, table: Table) -> None:
    for place, pid in enumerate(at.web_pids):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
        table.add(f"memory of web process {place + 1}", resident / 1e3, "MB", f"{own / 1e3:.0f} MB its own")

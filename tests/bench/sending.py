"""Statements sent to a fresh server: one by one, at a steady rate, in sets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from tests.bench import calibration, load
from tests.bench.installation import Installation

DSSE = "application/vnd.in-toto+json"
NDJSON = "application/x-ndjson"
SET_LINES = 500
SET_CONNECTIONS = 8
"""A connection is one web process's for good, whichever took it: of few, most are often the same one's."""
LOOK_SECONDS = 0.25
"""Between two looks how far the graph is behind: a look takes from those who are measured."""
WARM = 500
"""Statements sent before anything is timed: threads, connections and statements are then prepared."""


class Table(Protocol):
    def add(self, name: str, value: float, unit: str, note: str = "") -> None: ...


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds that these processes have used."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sent:
    """`result` of those timed; `rate`: so many a second; `cpu`: seconds of the web processes for each."""

    result: load.Result
    rate: float
    cpu: float


def back_to_back(at: Installation, bodies: list[bytes], warm: int) -> Sent:
    """Over 16 connections; the first `warm` of them untimed, since each thread first asks for its memory."""
    load.post(at.port, at.token, bodies[:warm], connections=16, media=DSSE, expect=(201,))
    at.probe.wait_level()
    before, timed = cpu_seconds(at.web_pids), bodies[warm:]
    result = load.post(at.port, at.token, timed, connections=16, media=DSSE, expect=(201,))
    cpu = (cpu_seconds(at.web_pids) - before) / len(timed)
    return Sent(result, len(timed) / result.seconds, cpu)


def singles(at: Installation, table: Table, unit: float, count: int) -> float:
    """One after the other over each connection; the rate, a second."""
    bodies = load.envelopes(at.key, WARM + count)
    sent = back_to_back(at, bodies, WARM)
    table.add("single POSTs, 16 connections", sent.rate, "/s", f"{len(bodies[0])} bytes each")
    table.add("  web CPU a POST", sent.cpu * 1e6, "µs", f"{sent.cpu / unit:.1f} verifications")
    table.add("  latency p50", sent.result.percentile(0.5) * 1e3, "ms")
    table.add("  latency p99", sent.result.percentile(0.99) * 1e3, "ms")
    backlog = at.probe.behind()["sql"]
    table.add("  projector behind at the end", backlog, "entries")
    seconds = at.probe.wait_level()
    if backlog > 200:
        table.add("  projector alone, catching up", backlog / seconds, "entries/s")
    return sent.rate


def paced(at: Installation, table: Table, rate: int, seconds: int, when: str = "", rounds: int = 1) -> float:
    """Offer a steady rate, so many times, and watch how far the graph is behind; the p99, in seconds.

    Of several rounds the median is the figure and each stands in the note: what others do on the machine
    decides about one round, not about most of them.
    """
    offers = [_offer(at, rate, seconds) for _ in range(rounds)]
    answered = [offer.answered for offer in offers]
    table.add(f"{when}offered {rate}/s for {seconds} s: answered", min(answered), "/s", each_of(answered, 0))
    p50, p99 = ([offer.result.percentile(share) * 1e3 for offer in offers] for share in (0.5, 0.99))
    table.add(f"  {when}at {rate}/s, latency p50", median(p50), "ms", each_of(p50, 1))
    table.add(f"  {when}at {rate}/s, latency p99", median(p99), "ms", each_of(p99, 1))
    for offer in offers:
        print(f"    {offer.machine}", flush=True)
    for backend in offers[0].behind[0]:
        late = [_p95([sample[backend] for sample in offer.behind]) / rate * 1e3 for offer in offers]
        name = f"  {when}graph behind ({backend}), p95"
        table.add(name, median(late), "ms", "; ".join(filter(None, ["as entries / rate", each_of(late, 0)])))
    return median(p99) / 1e3


@dataclass(frozen=True)
class _Offer:
    """`behind`: entries by the graph's backend, each time it was looked at."""

    result: load.Result
    answered: float
    behind: list[dict[str, int]]
    machine: str


def _offer(at: Installation, rate: int, seconds: int) -> _Offer:
    bodies = load.envelopes(at.key, rate * seconds)
    samples: list[dict[str, int]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            samples.append(at.probe.behind())

    watcher = threading.Thread(target=watch)
    before = calibration.now()
    watcher.start()
    result = load.post(at.port, at.token, bodies, connections=16, media=DSSE, expect=(201,), rate=rate)
    done.set()
    watcher.join()
    at.probe.wait_level()
    after = calibration.now()
    return _Offer(result, len(bodies) / result.seconds, samples, f"before: {before}; after: {after}")


def _p95(figures: list[int]) -> int:
    return sorted(figures)[int(0.95 * len(figures))]


def each_of(figures: list[float], places: int) -> str:
    """Those of several rounds, in their order."""
    return "" if len(figures) == 1 else "rounds: " + ", ".join(f"{figure:.{places}f}" for figure in figures)


def send_sets(at: Installation, count: int) -> tuple[load.Result, float]:
    """So many statements, in sets; the CPU seconds of the web processes meanwhile."""
    lines = load.envelopes(at.key, count)
    bodies = [b"\n".join(lines[i : i + SET_LINES]) for i in range(0, count, SET_LINES)]
    before = cpu_seconds(at.web_pids)
    result = load.post(at.port, at.token, bodies, connections=SET_CONNECTIONS, media=NDJSON, expect=(200,))
    return result, cpu_seconds(at.web_pids) - before


def sets(at: Installation, table: Table, unit: float, count: int) -> None:
    send_sets(at, SET_CONNECTIONS * SET_LINES)
    at.probe.wait_level()
    result, used = send_sets(at, count)
    cpu = used / count
    table.add(f"sets of {SET_LINES}, {SET_CONNECTIONS} connections", count / result.seconds, "statements/s")
    table.add("  web CPU a statement", cpu * 1e6, "µs", f"{cpu / unit:.1f} verifications")
    backlog, seconds = at.probe.behind()["sql"], at.probe.wait_level()
    table.add("  projector catching up", backlog / max(seconds, 1e-9), "entries/s", f"{backlog} behind")

"""Run every measurement and print the table; `--json FILE` writes the figures too."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

from tests.bench import (
    calibration,
    checks,
    graph,
    index,
    load,
    log,
    log_audit,
    mlflow,
    pages,
    revocation,
    taint,
    trust,
)
from tests.bench.installation import Installation, fresh
from tests.bench.sending import NDJSON, paced, sets, singles

INSTALLATIONS = {
    "embedded": (),
    "postgresql": ("DATABASE", "BROKER"),
    "full": ("DATABASE", "BROKER", "GRAPH"),
}
"""By name the services that run beside the server; the load and all of them share the machine."""

PARTS = ("log", "log-audit", "graph", "index", "taint", "mlflow", "checks", "revocation", "trust", "pages")


class Table:
    """Figures by name: value, unit, and a note; printed as they come."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, object]] = {}
        self.prefix = ""

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        name = self.prefix + name
        self.figures[name] = {"value": round(value, 4), "unit": unit, "note": note}
        print(f"{name:<52} {value:>12,.2f} {unit:<14} {note}", flush=True)


def calibrate(table: Table) -> float:
    """Seconds of one Ed25519 verification of 3 KB, the best of many; also one SHA-256 pass."""
    best = calibration.best()
    table.add("calibration: one Ed25519 verification", best * 1e6, "µs")
    table.add("calibration: SHA-256", calibration.hashed_a_second() / 1e6, "MB/s")
    return best


def lineage(at: Installation, table: Table) -> None:
    """The API and the page at a closure of 2,000 nodes, one request at a time on an idle server."""
    bodies, root = load.chain(at.key, 40, 26)
    load.post(at.port, at.token, [b"\n".join(bodies)], connections=1, media=NDJSON, expect=(200,))
    at.probe.wait_level()
    connection = load.Connection(at.port, at.token)
    path = f"/api/v1/nodes/{root}/ancestors"
    total = json.loads(connection.request("GET", path, b"", "", (200,)))["total"]
    _latency(
        table,
        f"API ancestors, {total} nodes, page of 100",
        lambda: connection.request("GET", path, b"", "", (200,)),
    )
    cookies = sign_in(at)
    browser = load.Connection(at.port, at.token, f"Cookie: {cookies}\r\n")
    page = f"/models/{root}/lineage"
    _latency(table, f"page lineage, {total} nodes", lambda: browser.request("GET", page, b"", "", (200,)))
    _latency(table, "page today", lambda: browser.request("GET", "/", b"", "", (200,)))
    _latency(
        table, "API one node", lambda: connection.request("GET", f"/api/v1/nodes/{root}", b"", "", (200,))
    )


def _latency(table: Table, name: str, call: Callable[[], object]) -> None:
    call()
    times = sorted(calibration.timed(call) for _ in range(30))
    table.add(name, times[15] * 1e3, "ms p50", f"p95 {times[28] * 1e3:.1f} ms")


def sign_in(at: Installation) -> str:
    """The cookies of the first operator's session."""
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    url = f"http://127.0.0.1:{at.port}/accounts/login/"
    form = opener.open(url).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    if token is None:
        raise RuntimeError("the login page has no form")
    fields = {"csrfmiddlewaretoken": token[1], "login": at.login, "password": at.password}
    opener.open(url, urlencode(fields).encode())
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


def measure(table: Table, unit: float, scale: float, name: str) -> None:
    """One of `INSTALLATIONS`."""
    services = INSTALLATIONS[name]
    table.prefix = f"{name}: "
    with fresh(services) as at:
        singles(at, table, unit, int(6000 * scale))
        if "GRAPH" in services:
            # Java interprets and compiles first; both are of interest.
            paced(at, table, 200, max(2, int(60 * scale)), "the minute before, Java still compiling: ")
        paced(at, table, 200 if "GRAPH" in services else 400, max(2, int(15 * scale)))
        sets(at, table, unit, int(15000 * scale))
        lineage(at, table)
        if services:
            wake_ups(at, table)
    table.prefix = ""


def wake_ups(at: Installation, table: Table) -> None:
    """From a job in line to its start by a worker: through Redis, on an idle system."""
    connection = load.Connection(at.port, at.token)
    found = json.loads(connection.request("GET", "/api/v1/nodes?kind=artifact&limit=30", b"", "", (200,)))
    for node in found["nodes"]:
        connection.request("POST", f"/api/v1/nodes/{node['key']}/checks", b"", "", (202,))
        time.sleep(0.2)
    waits = "percentile_disc({}) WITHIN GROUP (ORDER BY started_us - created_us)"
    asked = "FROM job WHERE kind = 'reverify' AND state = 'done'"
    p50, p95 = (at.probe.ask(f"SELECT {waits.format(share)} {asked}") / 1e3 for share in (0.5, 0.95))
    table.add("wake-up to start of a job", p50, "ms p50", f"p95 {p95:.0f} ms, {len(found['nodes'])} jobs")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a fresh server.")
    parser.add_argument("--json", type=Path, default=Path("bench-results/bench.json"))
    parser.add_argument("--scale", type=float, default=1.0, help="how many requests, as a factor")
    parser.add_argument(
        "--only",
        choices=["", *INSTALLATIONS, *PARTS],
        default="",
        help="one part",
    )
    arguments = parser.parse_args()
    table = Table()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    unit = calibrate(table)
    for name in INSTALLATIONS:
        if arguments.only in ("", name):
            measure(table, unit, arguments.scale, name)
    if arguments.only in ("", "log"):
        log.measure(table, unit, arguments.scale)
    if arguments.only in ("", "log-audit"):
        log_audit.measure(table, unit, arguments.scale)
    if arguments.only in ("", "graph"):
        graph.measure(table, arguments.scale)
    if arguments.only in ("", "index"):
        index.measure(table, arguments.scale)
    if arguments.only in ("", "taint"):
        taint.measure(table, arguments.scale)
    if arguments.only in ("", "mlflow"):
        mlflow.measure(table, arguments.scale)
    if arguments.only in ("", "checks"):
        checks.measure(table, arguments.scale)
    if arguments.only in ("", "revocation"):
        revocation.measure(table, unit, arguments.scale)
    if arguments.only in ("", "trust"):
        trust.measure(table)
    if arguments.only in ("", "pages"):
        pages.measure(table, sign_in)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    arguments.json.write_text(json.dumps({"machine": machine, "figures": table.figures}, indent=1))
    print(f"written to {arguments.json}")


if __name__ == "__main__":
    main()

"""The lineage page of a model with thousands of nodes behind it: what the server takes, what a browser sees.

Times are of one request or page at a time. CPU is that of the web process: a busy machine alters it less.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lineage.client import read_private_key
from lineage.trust import dsse
from lineage.trust.keys import PrivateKey
from tests.bench import load
from tests.bench.installation import Installation, fresh
from tests.bench.sending import NDJSON
from tests.bench.supply_chain import SupplyChain

if TYPE_CHECKING:
    from tests.bench.__main__ import Table

SIZES = (2_000, 10_000)
ASKED = 20
STORE = {"LINEAGE_STORAGE_ROOTS": "/srv/models"}
"""No file lies there: the statements say what checks of them found."""

FIRST_PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  const found = list.getEntriesByName("first-contentful-paint");
  if (found.length) done(found[0].startTime);
}).observe({type: "paint", buffered: true}))"""
SENT = """() => performance.getEntriesByType("resource").filter((e) => /\\.(js|css)$/.test(e.name))
  .reduce((sum, e) => sum + e.encodedBodySize, 0)"""


def measure(table: Table, cookies_of: Callable[[Installation], str]) -> None:
    """`cookies_of` signs in."""
    for size in SIZES:
        with fresh((), STORE) as at:
            chain = SupplyChain(size, datetime.now(UTC))
            _send(at, chain)
            at.probe.wait_level()
            cookies = cookies_of(at)
            _served(table, at, chain, cookies)
            if size == SIZES[0]:
                _seen(table, at, chain, cookies)


def _send(at: Installation, chain: SupplyChain) -> None:
    key = _key(at)
    lines = [
        dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, json.dumps(statement).encode(), key)
        for statement in chain.statements()
    ]
    bodies = [b"\n".join(lines[start : start + 500]) for start in range(0, len(lines), 500)]
    load.post(at.port, at.token, bodies, connections=1, media=NDJSON, expect=(200,))


def _key(at: Installation) -> PrivateKey:
    """One that may say everything."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(at.home), "LINEAGE_PORT": str(at.port)}
    path = at.home / "bank.pem"
    for arguments in (
        ("generate", "--out", str(path)),
        ("register", "--name", "bank", "--public-key", f"{path}.pub", "--any"),
    ):
        command = [sys.executable, "-m", "lineage.cli", "keys", *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return read_private_key(path)


def _served(table: Table, at: Installation, chain: SupplyChain, cookies: str) -> None:
    whole, part = f"Cookie: {cookies}\r\n", f"Cookie: {cookies}\r\nHX-Request: true\r\n"
    page = f"/models/{chain.root}/lineage"
    focus = f"{page}?focus={quote(chain.bad)}"
    for name, path, head in (
        ("page", page, whole),
        ("details of another node, alone", focus, f"{part}HX-Target: details\r\n"),
        ("the picture that follows them", focus, part),
        ("a lane opened, in place", f"{page}?open=source-data", part),
        ("filtered", f"{page}?status=exceptions&kind=artifact", whole),
        ("the ways to one node alone", f"{focus}&isolate=yes", whole),
        ("as SVG", f"{page}?format=svg", whole),
        ("what one dataset affects", f"/impact/{chain.bad}", whole),
        ("changes since the beginning", "/changes?from=1", whole),
    ):
        connection = load.Connection(at.port, at.token, head)
        _asked(table, f"pages, {chain.nodes:,} nodes: {name}", at, connection, path)


def _asked(table: Table, name: str, at: Installation, connection: load.Connection, path: str) -> None:
    for _ in range(3):
        connection.request("GET", path, b"", "", (200,))
    times, begin = [], _cpu(at.web_pids)
    for _ in range(ASKED):
        start = time.perf_counter()
        connection.request("GET", path, b"", "", (200,))
        times.append(time.perf_counter() - start)
    cpu = (_cpu(at.web_pids) - begin) / ASKED
    table.add(
        name,
        _share(times, 0.5) * 1e3,
        "ms p50",
        f"p95 {_share(times, 0.95) * 1e3:.0f}, CPU {cpu * 1e3:.0f} ms",
    )


def _cpu(pids: Sequence[int]) -> float:
    """Seconds of CPU that the processes have taken."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _share(times: Sequence[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _seen(table: Table, at: Installation, chain: SupplyChain, cookies: str) -> None:
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        print("pages: chromium is not installed, so nothing is said of what a browser sees", flush=True)
        return
    from playwright.sync_api import sync_playwright

    base = f"http://127.0.0.1:{at.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        pairs = [pair.partition("=") for pair in cookies.split("; ")]
        context.add_cookies([{"name": name, "value": value, "url": base} for name, _, value in pairs])
        page = context.new_page()
        _painted(table, page, f"{base}/models/{chain.root}/lineage")
        browser.close()


def _painted(table: Table, page: Any, url: str) -> None:
    page.goto(url)  # style sheets and fonts are in the browser's cache from now on
    paints = []
    for _ in range(ASKED):
        page.goto(url)
        paints.append(page.evaluate(FIRST_PAINT) / 1e3)
    table.add(
        "pages: first paint", _share(paints, 0.5) * 1e3, "ms p50", f"p95 {_share(paints, 0.95) * 1e3:.0f} ms"
    )
    table.add("pages: elements of the page", page.evaluate("document.querySelectorAll('*').length"), "")
    table.add(
        "pages: elements of the picture", page.evaluate("document.querySelectorAll('#picture *').length"), ""
    )
    table.add("pages: boxes", page.evaluate("document.querySelectorAll('#picture .box').length"), "")
    table.add("pages: JavaScript and CSS, compressed", page.evaluate(SENT) / 1e3, "KB")
    clicks = []
    for number in range(1, ASKED + 1):
        box = page.locator("#picture .box:not([hx-boost])").nth(number % 20)
        title = box.get_attribute("id").removeprefix("box-")
        if "/" in title:
            continue
        start = time.perf_counter()
        box.click()
        page.locator(f'.detail code[title="{title}"]').first.wait_for(state="attached")
        clicks.append(time.perf_counter() - start)
    table.add(
        "pages: click to details",
        _share(clicks, 0.5) * 1e3,
        "ms p50",
        f"p95 {_share(clicks, 0.95) * 1e3:.0f} ms",
    )

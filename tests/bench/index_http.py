"""Closures of the big graph over HTTP, by a real socket from another process than the one that answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection

from lineage.config import current
from lineage.processes import descendants
from tests.bench.sending import cpu_seconds
from tests.server import free_port

Tell = Callable[[str, float, str, str], None]
ASKED = 50
_WAIT_SECONDS = 60.0


def measure(roots: Sequence[str], token: str, tell: Tell) -> None:
    """`token` may read. Starts the product's web process alone, over the graph of this process's home."""
    port = free_port()
    environment = os.environ | {
        "LINEAGE_PORT": str(port),
        "LINEAGE_HOME": str(current().home),
        "LINEAGE_WEB_WORKERS": "1",
    }
    web = subprocess.Popen(
        [sys.executable, "-m", "lineage.cli.web"], env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a line for each request
    )  # fmt: skip
    try:
        connection = _connected(port)
        for root in roots:
            for name, more in (("page of 100", "?limit=100"), ("page of one", "?limit=1")):
                _asked(connection, f"/api/v1/nodes/{root}/descendants{more}", name, token, web.pid, tell)
    finally:
        web.terminate()
        web.wait(30)


def _connected(port: int) -> HTTPConnection:
    until = time.monotonic() + _WAIT_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=_WAIT_SECONDS)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return connection


def _asked(connection: HTTPConnection, path: str, name: str, token: str, web: int, tell: Tell) -> None:
    headers, times = {"Authorization": f"Bearer {token}"}, list[float]()
    answer: dict[str, object] = {}
    for number in range(ASKED + 5):  # the first of them load what is loaded once
        if number == 5:
            used = cpu_seconds(descendants(web))
        begin = time.perf_counter()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        times.append(time.perf_counter() - begin)
        assert response.status == 200, body
        answer = json.loads(body)
    assert answer["backend"] == "index"
    cpu = (cpu_seconds(descendants(web)) - used) / ASKED
    ordered = sorted(times[5:])
    p95 = ordered[int(ASKED * 0.95)]
    note = f"p95 {p95 * 1e3:.2f} ms; CPU of the server {cpu * 1e3:.2f} ms"
    tell(f"HTTP: descendants of {answer['total']:,}, {name}", ordered[ASKED // 2] * 1e3, "ms p50", note)

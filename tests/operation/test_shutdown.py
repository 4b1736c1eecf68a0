"""SIGTERM under load: every receipt that a sender got is of an entry in the log."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from tests import factories, forks
from tests.factories import Signer
from tests.server import CHECKOUT, Server, free_port, prepared, run

SENDERS = 8
PATIENCE_SECONDS = 60.0
LOGGED = """
import django; django.setup()
from lineage.db.models import Entry
print("\\n".join(Entry.objects.values_list("envelope_digest", flat=True)))
"""


@pytest.mark.parametrize("vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def test_receipts_outlive_the_server(vendor: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = {
        "LINEAGE_PORT": str(free_port()),
        "LINEAGE_WEB_WORKERS": "2",
        "LINEAGE_SECRET_KEY": "the same in both web processes, and no secret",
    }
    if vendor == "postgresql":
        settings["LINEAGE_DATABASE_URL"] = request.getfixturevalue("fresh_postgresql")
    server = Server(int(settings["LINEAGE_PORT"]), tmp_path, prepared(tmp_path, settings))
    web = _start(tmp_path, settings)
    try:
        _await_ready(server, web)
        signer = factories.signer("load")
        server.register(signer.private.public.pem(), "load")
        load = Load(server, signer)
        load.run_until(lambda received: received >= 200)
        web.send_signal(signal.SIGTERM)
        web.wait(PATIENCE_SECONDS)
        load.stop()
    finally:
        web.kill()
        web.wait(PATIENCE_SECONDS)
    logged = set(run(tmp_path, LOGGED, settings).split())
    assert len(load.received) >= 200
    assert load.received - logged == set()
    assert load.statuses <= {201, 503}, load.statuses  # an answer is a receipt, or says to come back


class Load:
    """Senders that post until the server is gone. `received`: digests of all that got a 201."""

    def __init__(self, server: Server, signer: Signer) -> None:
        self.server = server
        self.signer = signer
        self.received: set[str] = set()
        self.statuses: set[int] = set()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def run_until(self, enough: Callable[[int], bool]) -> None:
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not enough(len(self.received)):
            assert time.monotonic() < deadline, (len(self.received), self.statuses)
            time.sleep(0.02)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()

    def _send(self) -> None:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", self.server.port, retries=False, timeout=30)
        headers = {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"}
        while not self._stopping.is_set():
            body = self.signer.envelope(factories.statement())
            try:
                answer = pool.request("POST", "/api/v1/attestations", body=body, headers=headers)
            except urllib3.exceptions.HTTPError:  # closed without an answer: nothing was promised
                time.sleep(0.01)
                continue
            self.statuses.add(answer.status)
            if answer.status == 201:
                self.received.add(str(answer.json()["digest"]).removeprefix("sha256:"))


def _start(home: Path, settings: dict[str, str]) -> forks.Process | subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(home), "PYTHONPATH": str(CHECKOUT), **settings}
    environment["DJANGO_SETTINGS_MODULE"] = "lineage.settings"
    with open(home / "web.log", "wb") as log:
        return forks.start(
            ["-m", "lineage.cli.web"], env=environment, cwd=home, output=log, modules=forks.WEB
        )


def _await_ready(server: Server, web: forks.Process | subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        assert web.poll() is None, (server.home / "web.log").read_text()
        try:
            if server.call("GET", "/health/ready").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
    raise AssertionError((server.home / "web.log").read_text())

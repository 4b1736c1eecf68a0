"""PostgreSQL ends under the real server and comes back: it goes on by itself, with all it acknowledged."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.localservices import postgresql
from lineage.localservices.service import LocalService
from lineage.trust.keys import generate_ed25519
from tests.bench import load
from tests.crash.conftest import Traces
from tests.crash.running import Installation, Senders, until
from tests.services import running

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        "CRASH_ROUNDS" not in os.environ, reason="for `make soak`: a minute on a busy machine"
    ),
]


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[LocalService]:
    """One to stop."""
    yield from running(postgresql.start, tmp_path / "cluster")


@pytest.fixture
def installation(own_postgresql: LocalService, tmp_path: Path) -> Iterator[Installation]:
    (tmp_path / "home").mkdir()
    made = Installation(tmp_path / "home", own_postgresql.url)
    yield made
    own_postgresql.start()  # where the test left it ended
    made.kill()


def _immediately(service: LocalService) -> None:
    """As `pg_ctl stop -m immediate`: every process ends as it is, and the next start recovers."""
    os.kill(service.pid, signal.SIGQUIT)
    until("PostgreSQL has ended", lambda: not service.running)


def test_the_database_is_restarted_under_load(
    installation: Installation, own_postgresql: LocalService, traces: Traces
) -> None:
    trace = traces.new("restarted")
    installation.start()
    key = generate_ed25519()
    installation.server.register(key.public.pem(), "crash")
    senders = Senders(installation.server, lambda count: load.envelopes(key, count), told=trace.acknowledged)
    # A worker whose start finds no database ends, and is started again by whoever supervises it.
    until("the worker has begun", lambda: installation.server.call("GET", "/log/checkpoint").status == 200)
    for end in (_immediately, LocalService.kill):
        told, open_before = len(senders.acknowledged), len(senders.unanswered)
        senders.start()
        try:
            until("it acknowledges", lambda told=told: len(senders.acknowledged) > told + 50)  # type: ignore[misc]
            end(own_postgresql)
            until("it refuses", lambda before=open_before: len(senders.unanswered) > before + 3)  # type: ignore[misc]
            down = len(senders.acknowledged)
            own_postgresql.start()
            until("it acknowledges again", lambda down=down: len(senders.acknowledged) > down + 50)  # type: ignore[misc]
        finally:
            senders.end()
        senders.send_again()
        size = len(senders.acknowledged) + 2
        until("all is published", lambda size=size: installation.reread().published == size)  # type: ignore[misc]
        until("the graph is level", lambda size=size: _projected(installation) == size)  # type: ignore[misc]
        trace.crashed()
        log = installation.reread(trace)
        log.holds(senders.acknowledged)
        assert log.size == size
        assert all(process.poll() is None for process in installation.processes.values())
    installation.audited()


def _projected(installation: Installation) -> int:
    ((projected,),) = installation.ask("SELECT projected FROM graph_state")
    return int(projected)

"""/health/ready of a real server whose services are away, silent or frozen: it answers, and says which."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import urllib3

from lineage.localservices import redis
from lineage.localservices.service import LocalService
from tests.operation.silence import silent_port
from tests.server import Server, free_port, started, started_many
from tests.services import running

pytestmark = pytest.mark.service

PATIENCE_SECONDS = 180.0


def ready(server: Server) -> tuple[int, dict[str, tuple[str, str]]]:
    """Status, and of each service its state and reason."""
    answer = server.call("GET", "/health/ready")
    return answer.status, {
        each["name"]: (each["state"], each["reason"]) for each in answer.json()["services"]
    }


def until(server: Server, true: Callable[[int, dict[str, tuple[str, str]]], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true(*(found := ready(server))):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_silent_services_cost_no_readiness(tmp_path: Path) -> None:
    with (
        silent_port() as port,
        started_many(
            tmp_path,
            webs=1,
            workers=0,
            LINEAGE_GRAPH_URL=f"bolt://neo4j:hidden-password@127.0.0.1:{port}",
            LINEAGE_BROKER_URL=f"redis://:hidden-password@127.0.0.1:{port}/0",
        ) as (server,),
    ):
        status, services = ready(server)
        assert status == 200
        assert services["database"][0] == "ok"
        assert services["graph-neo4j"][0] == "down"
        assert "Answers come from the database's tables" in services["graph-neo4j"][1]
        assert services["broker"][0] == "down"
        assert "nothing is lost" in services["broker"][1]
        metrics = server.call("GET", "/metrics").data.decode()
        assert 'lineage_service_up{service="graph-neo4j"} 0.0' in metrics
        assert 'lineage_graph_backend_answers{backend="sql"} 1.0' in metrics
        assert server.call("GET", "/api/v1/nodes").status == 200
        told = str(services) + metrics
    assert "hidden-password" not in told + (tmp_path / "server.log").read_text()


def test_a_redis_that_comes_and_goes(tmp_path: Path) -> None:
    port = free_port()
    for service in running(lambda folder: redis.start(folder, port=port), tmp_path / "redis"):
        home = tmp_path / "home"
        home.mkdir()
        with started(home, LINEAGE_BROKER_URL=service.url) as server:
            until(server, lambda status, found: status == 200 and found["broker"][0] == "ok")
            service.stop()
            until(server, lambda status, found: status == 200 and found["broker"][0] == "down")
            service.start()
            until(server, lambda status, found: status == 200 and found["broker"][0] == "ok")


def test_a_frozen_postgresql_is_told_and_got_over(
    tmp_path: Path, postgresql_service: LocalService, fresh_postgresql: str
) -> None:
    with started(tmp_path, LINEAGE_DATABASE_URL=fresh_postgresql) as server:
        status, services = ready(server)
        assert (status, services["database"][0]) == (200, "ok")
        assert "PostgreSQL answers" in services["database"][1]
        frozen = _family(postgresql_service.pid)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            status, services = until(server, lambda status, found: status == 503)
            assert services["database"][0] == "down"
            assert "PostgreSQL: It has not answered within 2 s" in services["database"][1]
            assert (
                'lineage_service_up{service="database"} 0.0' in server.call("GET", "/metrics").data.decode()
            )
            assert server.call("GET", "/health/live").status == 200
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        until(server, lambda status, found: status == 200)


def _first_node(server: Server) -> str:
    """The key of a node, once the graph has the log's first entry."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (nodes := server.call("GET", "/api/v1/nodes?limit=1").json()["nodes"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return str(nodes[0]["key"])


def test_a_frozen_neo4j_holds_nobody_for_long(
    tmp_path: Path, neo4j_service: LocalService, fresh_neo4j: str
) -> None:
    with started(tmp_path, LINEAGE_GRAPH_URL=fresh_neo4j) as server:
        until(server, lambda status, found: found["graph-neo4j"][0] == "ok")
        key = _first_node(server)
        # Well while it is a little behind, it answers for a node once it has that node.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _asked(server, key) != "neo4j":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        frozen = _family(neo4j_service.pid)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            # By its own defaults a frozen server holds a question for longer than our patience.
            assert _asked(server, key) == "sql"
            until(server, lambda status, found: status == 200 and found["graph-neo4j"][0] == "down")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        until(server, lambda status, found: found["graph-neo4j"][0] == "ok")


def _asked(server: Server, key: str) -> str:
    """Which backend answered."""
    answer = urllib3.request(
        "GET",
        f"{server.url}/api/v1/nodes/{key}/descendants",
        headers={"Authorization": f"Bearer {server.token}"},
        retries=False,
        timeout=PATIENCE_SECONDS,
    )
    assert answer.status == 200, answer.data
    return str(answer.json()["backend"])


def _family(parent_pid: int) -> list[int]:
    """The process and its children."""
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == parent_pid:
                children.append(int(entry.name))
    return [parent_pid, *children]

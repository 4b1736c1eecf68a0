"""What real web processes log, measure and trace."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests import factories
from tests.operation.collector import collector
from tests.server import CHECKOUT, Server, started

PATIENCE_SECONDS = 60.0


def fresh(server: Server, path: str) -> Any:
    """GET over a connection of its own, which any of the web processes may take."""
    headers = {"Authorization": f"Bearer {server.token}", "Connection": "close"}
    return urllib3.request("GET", server.url + path, headers=headers, retries=False, timeout=PATIENCE_SECONDS)


def sample(server: Server, name: str, **labels: str) -> float:
    """One value of `/metrics`, read by the format's own parser."""
    text = fresh(server, "/metrics").data.decode()
    found = [
        each.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for each in family.samples
        if each.name == name and labels.items() <= each.labels.items()
    ]
    assert len(found) == 1, (name, found)
    return float(found[0])


def test_lines_are_json_and_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    with started(tmp_path, LINEAGE_LOG_FORMAT="json") as server:
        answer = server.call("GET", "/api/v1/nodes?name=customer-4711")
        assert answer.status == 200
        name = answer.headers["X-Request-ID"]
        secret = server.token
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == name]
    assert (line["method"], line["route"], line["status"]) == ("GET", "api:nodes", 200)
    assert all({"ts", "level", "logger", "message", "pid"} <= set(line) for line in lines)
    text = (tmp_path / "server.log").read_text()
    assert secret not in text
    assert "4711" not in text


def test_several_web_processes_answer_as_one(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    more = {"LINEAGE_LOG_FORMAT": "json", "LINEAGE_WEB_WORKERS": "2"}
    labels = {"method": "GET", "route": "api:nodes", "status": "2xx"}
    with started(tmp_path, **more) as server:
        asked = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(pids := _answerers(tmp_path)) < 2 or asked < 20:
            assert time.monotonic() < deadline, pids
            assert fresh(server, "/api/v1/nodes").status == 200
            asked += 1
        for _ in range(4):
            assert sample(server, "lineage_request_seconds_count", **labels) == asked
        os.kill(min(pids), signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(_answerers(tmp_path)) < 3:
            assert time.monotonic() < deadline
            asked += _asked_after_all(server)
        assert sample(server, "lineage_request_seconds_count", **labels) == asked
        assert sample(server, "lineage_open_waits") == 0


def _asked_after_all(server: Server) -> int:
    """1 where the request was answered; a connection to the process that was killed is not."""
    try:
        return int(fresh(server, "/api/v1/nodes").status == 200)
    except urllib3.exceptions.HTTPError:
        return 0


def _answerers(home: Path) -> set[int]:
    lines = [json.loads(line) for line in (home / "server.log").read_text().splitlines() if line[:1] == "{"]
    return {line["pid"] for line in lines if line.get("route") == "api:nodes"}


def test_the_folder_of_meters_begins_empty(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        server.call("GET", "/api/v1/nodes")
        assert sample(server, "lineage_request_seconds_count", route="api:nodes") == 1
        port = server.port
    with started(tmp_path, LINEAGE_PORT=str(port)) as server:
        text = server.call("GET", "/metrics").data.decode()
    assert 'route="api:nodes"' not in text


def test_spans_reach_a_collector(tmp_path: Path, fresh_postgresql: str) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed")
    parent = "0af7651916cd43dd8448eb211c80319c"
    with (
        collector() as (address, spans),
        started(
            tmp_path,
            LINEAGE_DATABASE_URL=fresh_postgresql,
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            OTEL_BSP_SCHEDULE_DELAY="100",
        ) as server,
    ):
        signer = factories.signer("traced")
        server.register(signer.private.public.pem(), "traced")
        answer = _post_traced(server, signer.envelope(factories.statement()), parent)
        assert answer.status == 201, answer.data
        wanted = {"POST api:attestations", "lineage.append", "lineage.project"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (wanted <= {span.name for span in spans} and _of(spans, parent)):
            assert time.monotonic() < deadline, {span.name for span in spans}
            time.sleep(0.1)
        time.sleep(0.5)
    (request,) = _of(spans, parent)
    attributes = {each.key: each.value.string_value or each.value.int_value for each in request.attributes}
    assert attributes["http.route"] == "api:attestations"
    assert attributes["http.response.status_code"] == 201
    below = [span for span in spans if span.parent_span_id == request.span_id]
    assert "lineage.append" in {span.name for span in below}
    statements = [
        each for span in spans for each in span.attributes if each.key in ("db.statement", "db.query.text")
    ]
    assert statements
    assert server.token not in str(spans)


def _post_traced(server: Server, envelope: bytes, trace: str) -> Any:
    return urllib3.request(
        "POST",
        f"{server.url}/api/v1/attestations",
        body=envelope,
        headers={
            "Authorization": f"Bearer {server.token}",
            "Content-Type": "application/json",
            "traceparent": f"00-{trace}-b7ad6b7169203331-01",
        },
        retries=False,
    )


def _of(spans: list[Any], trace: str) -> list[Any]:
    return [span for span in spans if span.trace_id.hex() == trace and re.match("POST ", span.name)]


def test_without_a_collector_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys, lineage.wsgi\n"
        "from lineage import tracing\n"
        "tracing.start('x')\n"
        "with tracing.span('a', b=1): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LINEAGE_"))
    }
    environment |= {"LINEAGE_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"

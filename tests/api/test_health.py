"""/health/live, /health/ready, /metrics: without an API key, and true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lineage.db.models import Job, LogHead
from lineage.services import beats, clock, publish, sightings
from tests import factories
from tests.conftest import Api, problem

SERVICES = (
    "database", "migrations", "log", "high-water", "witnesses", "audit", "graph-sql", "graph-neo4j", "broker",
    "worker", "storage", "clock",
)  # fmt: skip


def states(document: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["state"] for each in document["services"]}


def scraped() -> dict[str, float]:
    """`name{label=value,…}` → value, read by the parser of the format's own makers."""
    answer = Client(headers={"Accept": "application/openmetrics-text"}).get("/metrics")
    assert answer["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    found = {}
    families = text_string_to_metric_families(answer.content.decode())  # type: ignore[no-untyped-call]
    for family in families:
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found
            found[key] = sample.value
    return found


def test_live(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}


def test_ready_tells_how_far_the_graph_is(api: Api, graph: Callable[[], int]) -> None:
    graph()
    signer = factories.registered()
    api.attest(signer.envelope(factories.statement()))
    answer = Client().get("/health/ready")
    assert answer.status_code == 200
    document = answer.json()
    assert set(states(document)) == {*SERVICES}
    del document["services"]
    assert document == {
        "ready": True,
        "database": "ok",
        "migrations": "ok",
        "log": "ok",
        "size": 3,
        "published": 0,
        "projected": 1,
        "lag": 2,
    }
    graph()
    publish.publish_once()
    found = Client().get("/health/ready").json()
    assert (found["lag"], found["published"]) == (0, 3)


def test_not_ready_before_the_first_entry(transactional_db: None) -> None:
    assert not LogHead.objects.exists()
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["log"]) == (503, "not bootstrapped")


def test_not_ready_while_migrations_wait(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sightings._seen, "migrated", False)
    recorder = MigrationRecorder(connection)
    app, name = max(key for key in recorder.applied_migrations() if key[0] == "lineage_db")
    recorder.record_unapplied(app, name)
    try:
        answer = Client().get("/health/ready")
    finally:
        recorder.record_applied(app, name)
    assert answer.status_code == 503
    assert "1 not applied" in answer.json()["migrations"]
    sightings.forget()
    assert Client().get("/health/ready").json()["migrations"] == "ok"


def test_not_ready_without_a_database(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(publish, "published_size", fail)
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")


def test_services_say_what_is_wrong(
    api: Api, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph()
    api.attest(factories.registered().envelope(factories.statement()))
    monkeypatch.setattr(sightings, "now_us", lambda: clock.now_us() + 60_000_000)
    found = Client().get("/health/ready")
    assert found.status_code == 200  # all of this costs time, and no answer is wrong
    told = {each["name"]: each["reason"] for each in found.json()["services"]}
    assert states(found.json()) == {
        "database": "ok",
        "migrations": "ok",
        "log": "degraded",
        "high-water": "ok",
        "witnesses": "off",
        "audit": "off",
        "graph-sql": "degraded",
        "graph-neo4j": "off",
        "broker": "off",
        "worker": "down",
        "storage": "off",
        "clock": "ok",
    }
    assert "3 of 3 entries are under no checkpoint" in told["log"]
    assert "2 entries behind the log" in told["graph-sql"]
    assert "short (never)" in told["worker"]


def test_beats_are_young(graph: Callable[[], int]) -> None:
    graph()
    beats._written.clear()
    for name in ("graph", "short", "sync", "long"):
        beats.beat(name)
    assert states(Client().get("/health/ready").json())["worker"] == "ok"
    assert scraped()["lineage_beat_age_seconds{queue=graph}"] >= 0


def test_metrics(api: Api, graph: Callable[[], int]) -> None:
    api.attest(b"{")
    api.attest(factories.registered().envelope(factories.statement()))
    graph()
    Job.objects.create(kind="tidy", queue="short", due_us=0, max_attempts=5, created_us=0, state="failed")
    found = scraped()
    assert found["lineage_ready"] == 1
    assert found["lineage_log_entries"] == found["lineage_graph_entries"] == 3
    assert found["lineage_appends_total"] == 3
    assert found["lineage_log_published_entries"] == 0
    assert found["lineage_refusals_total{reason=malformed}"] == 1
    assert found["lineage_jobs{kind=tidy,state=failed}"] == 1
    assert found["lineage_projection_lag_entries{backend=sql}"] == 0
    assert found["lineage_graph_backend_answers{backend=sql}"] == 1
    assert found["lineage_service_up{service=database}"] == 1
    assert found["lineage_open_waits"] == 0
    assert sum(value for name, value in found.items() if name.startswith("lineage_nodes{")) > 0
    posts = "method=POST,route=api:attestations,status="
    assert found[f"lineage_request_seconds_count{{{posts}2xx}}"] >= 1
    assert found[f"lineage_request_seconds_bucket{{le=+Inf,{posts}4xx}}"] >= 1


def test_no_label_holds_a_path(api: Api) -> None:
    api.get("/api/v1/nodes/sha256:" + "ab" * 32)
    api.get("/nowhere/at-all")
    api.http.generic("BREW", "/health/live")
    labels = [name for name in scraped() if "ab" * 32 in name or "nowhere/at-all" in name or "BREW" in name]
    assert labels == []


def test_metrics_before_the_first_entry(transactional_db: None) -> None:
    found = scraped()
    assert found["lineage_ready"] == 0
    assert "lineage_log_entries" not in found


def test_metrics_without_a_database(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(publish, "published_size", fail)
    found = scraped()
    assert found["lineage_service_up{service=database}"] == 0


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_other_methods(client: Client, path: str) -> None:
    assert problem(client.post(path)) == (405, "method-not-allowed")

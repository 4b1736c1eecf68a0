"""/health/live, /health/ready, /metrics: without an API key, and true."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from lineage.db.models import LogHead
from lineage.services import condition, publish
from tests import factories
from tests.conftest import Api, problem


def test_live(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "live"}


def test_ready_tells_how_far_the_graph_is(api: Api, graph: Callable[[], int]) -> None:
    graph()
    signer = factories.registered()
    api.attest(signer.envelope(factories.statement()))
    answer = Client().get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {
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
    monkeypatch.setitem(condition._seen, "migrated", False)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: ["one"])
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert "1 not applied" in answer.json()["migrations"]


def test_not_ready_without_a_database(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(publish, "published_size", fail)
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, "does not answer")


def test_metrics(api: Api, graph: Callable[[], int]) -> None:
    api.attest(b"{")
    api.attest(factories.registered().envelope(factories.statement()))
    graph()
    answer = Client(headers={"Accept": "application/openmetrics-text"}).get("/metrics")
    assert answer["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    lines = answer.content.decode().splitlines()
    assert lines[-1] == "# EOF"
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert samples["lineage_ready"] == "1"
    assert samples["lineage_log_entries"] == samples["lineage_graph_entries"] == "3"
    assert samples["lineage_log_published_entries"] == "0"
    assert samples['lineage_refusals_total{reason="malformed"}'] == "1"
    statuses = ("verified", "unverified", "expired", "failed")
    assert sum(int(samples[f'lineage_nodes{{status="{status}"}}']) for status in statuses) > 0
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


def test_metrics_before_the_first_entry(transactional_db: None) -> None:
    assert Client().get("/metrics").content.splitlines()[2] == b"lineage_ready 0"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_other_methods(client: Client, path: str) -> None:
    assert problem(client.post(path)) == (405, "method-not-allowed")

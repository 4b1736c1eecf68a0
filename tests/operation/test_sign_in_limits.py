"""Failed sign-ins are counted in Redis by all web processes, and by each alone while Redis is away."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client, override_settings

from lineage import cache
from lineage.localservices import redis
from lineage.localservices.service import LocalService
from tests import factories
from tests.services import running

pytestmark = pytest.mark.service


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[LocalService]:
    yield from running(redis.start, tmp_path / "redis")


@pytest.fixture
def shared(own_redis: LocalService, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalService]:
    """Django's cache as it is where LINEAGE_BROKER_URL names this Redis."""
    monkeypatch.setattr(cache, "REST_SECONDS", 0.0)
    monkeypatch.setattr(cache, "_rest", cache._Rest())
    with override_settings(CACHES=cache.settings(own_redis.url)):
        yield own_redis


def attempt(email: str) -> Any:
    return Client().post("/accounts/login/", {"login": email, "password": "wrong wrong wrong"})


def refused(email: str, most: int = 30) -> int:
    """How many wrong passwords are taken until the limit refuses to look at one."""
    for count in range(most):
        answer = attempt(email)
        assert answer.status_code in (200, 429), answer.status_code
        if answer.status_code == 429 or b"Too many" in answer.content:
            return count
    raise AssertionError("there is no limit")


def test_the_counters_lie_in_redis(log: None, shared: LocalService) -> None:
    from redis import Redis

    assert 0 < refused("someone@example.com") <= 10
    with Redis.from_url(shared.url, socket_timeout=10) as client:
        keys = list(client.scan_iter("lineage:*"))
        assert any(b"login_failed" in key for key in keys)
        assert not any(client.get(key).startswith(b"\x80") for key in keys)  # JSON, and no pickle


def test_a_limit_stays_while_redis_is_away(
    log: None, shared: LocalService, caplog: pytest.LogCaptureFixture
) -> None:
    email = factories.user("auditor", "correct horse battery").email
    attempt(email)
    shared.kill()
    with caplog.at_level(logging.INFO, "lineage.cache"):
        assert 0 < refused(email) <= 10
        assert refused(email) == 0
        away = [entry for entry in caplog.records if "by itself" in entry.message]
        assert len(away) == 1
        shared.start()
        attempt("another@example.com")
        assert any("answers again" in entry.message for entry in caplog.records)
    assert caches["default"].get("nothing") is None
    assert shared.url.split("@")[0].split(":")[-1] not in caplog.text

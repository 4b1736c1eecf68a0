"""API keys: last use without a write in the request, rotation with overlap."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from lineage.db.models import ApiToken
from lineage.errors import ConflictError, MalformedError, NotFoundError, UnauthenticatedError
from lineage.services import afterwards, token_uses, tokens
from tests.server import started

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    token_uses.forget()
    yield
    token_uses.forget()


@pytest.fixture
def key(log: None) -> tuple[ApiToken, str]:
    return tokens.create("training-ci", ["attest", "read"], expires_at=None, by="os:tests")


def test_a_use_is_written_afterwards_and_not_in_the_request(
    key: tuple[ApiToken, str], django_assert_num_queries: Callable[[int], Any]
) -> None:
    token, secret = key
    tokens.authenticate(secret)
    with django_assert_num_queries(0):
        tokens.authenticate(secret)
    assert tokens.get(token.prefix).last_used_at is None
    afterwards.write_all()
    used = tokens.get(token.prefix).last_used_at
    assert used is not None
    assert token.created_at <= used <= timezone.now()


def test_many_uses_in_a_minute_are_one_write(
    key: tuple[ApiToken, str], django_assert_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(10):
        tokens.authenticate(key[1])
    assert token_uses.write() == 1
    tokens.authenticate(key[1])
    with django_assert_num_queries(0):
        assert token_uses.write() == 0


def test_a_use_after_a_minute_is_written_again(
    key: tuple[ApiToken, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_uses, "NOTE_SECONDS", 0.0)
    seen = []
    for _ in range(2):
        tokens.authenticate(key[1])
        token_uses.write()
        used = tokens.get(key[0].prefix).last_used_at
        assert used
        seen.append(used)
    assert seen[0] < seen[1]


def test_a_process_that_writes_late_takes_nothing_back(key: tuple[ApiToken, str]) -> None:
    later = timezone.now() + HOUR
    ApiToken.objects.update(last_used_at=later)
    tokens.authenticate(key[1])
    token_uses.write()
    assert tokens.get(key[0].prefix).last_used_at == later


def test_a_refused_key_was_not_used(key: tuple[ApiToken, str]) -> None:
    tokens.revoke(key[0].prefix)
    with pytest.raises(UnauthenticatedError):
        tokens.authenticate(key[1])
    assert token_uses.write() == 0


def test_what_the_database_refuses_is_written_the_next_time(
    key: tuple[ApiToken, str], caplog: pytest.LogCaptureFixture
) -> None:
    tokens.authenticate(key[1])

    def locked(execute: Any, *arguments: Any) -> None:
        raise OperationalError("database is locked")

    with connection.execute_wrapper(locked), caplog.at_level(logging.WARNING):
        afterwards.write_all()
    assert "waits for the database: OperationalError" in caplog.text
    assert token_uses.write() == 1


def test_both_secrets_work_until_the_overlap_is_over(
    key: tuple[ApiToken, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, secret = key
    made, new = tokens.rotate(old.prefix, by="os:tests", overlap=HOUR)
    assert (made.name, made.scopes, made.replaces) == (old.name, old.scopes, old.prefix)
    assert made.expires_at is None
    assert tokens.authenticate(secret).prefix == old.prefix
    assert tokens.authenticate(new).prefix == made.prefix
    end = tokens.get(old.prefix).expires_at
    assert end is not None
    monkeypatch.setattr(timezone, "now", lambda: end)
    with pytest.raises(UnauthenticatedError):
        tokens.authenticate(secret)
    assert tokens.authenticate(new).prefix == made.prefix


def test_without_overlap_the_old_secret_ends_at_once(key: tuple[ApiToken, str]) -> None:
    tokens.authenticate(key[1])
    tokens.rotate(f"lin_{key[0].prefix}", by="os:tests", overlap=timedelta(0))
    with pytest.raises(UnauthenticatedError):
        tokens.authenticate(key[1])


def test_the_new_key_lives_as_long_as_the_old_one_did(log: None) -> None:
    old, _ = tokens.create("ci", ["read"], expires_at=timezone.now() + 10 * HOUR, by="os:tests")
    made, _ = tokens.rotate(old.prefix, by="os:tests", overlap=100 * HOUR)
    assert made.expires_at is not None
    assert old.expires_at is not None
    assert made.expires_at > old.expires_at
    assert made.expires_at - made.created_at < 11 * HOUR
    assert tokens.get(old.prefix).expires_at == old.expires_at  # an overlap lengthens no life


def test_what_can_not_be_rotated(key: tuple[ApiToken, str]) -> None:
    prefix = key[0].prefix
    with pytest.raises(NotFoundError):
        tokens.rotate("ffffffff", by="os:tests")
    for overlap in (timedelta(seconds=-1), tokens.MAX_OVERLAP + HOUR):
        with pytest.raises(MalformedError):
            tokens.rotate(prefix, by="os:tests", overlap=overlap)
    with pytest.raises(MalformedError, match="past"):
        tokens.rotate(prefix, by="os:tests", expires_at=timezone.now())
    made, _ = tokens.rotate(prefix, by="os:tests")
    with pytest.raises(ConflictError, match=f"into lin_{made.prefix}"):
        tokens.rotate(prefix, by="os:tests")
    tokens.revoke(made.prefix)
    tokens.rotate(prefix, by="os:tests")  # what took its place is gone, so it may again
    tokens.revoke(prefix)
    with pytest.raises(ConflictError, match="has ended"):
        tokens.rotate(prefix, by="os:tests")


def test_a_real_process_writes_within_seconds_and_what_is_left_at_its_end(tmp_path: Path) -> None:
    with started(tmp_path, LINEAGE_DATABASE_URL="") as server:
        seen = None
        for _ in range(100):
            assert server.call("GET", "/api/v1/keys").status == 200
            seen = _asked(tmp_path, "SELECT last_used_at FROM account_token")
            if seen:
                break
            time.sleep(0.1)
        assert seen
        assert server.call("GET", "/api/v1/decisions").status == 200
    routes = "SELECT group_concat(route) FROM (SELECT route FROM access_record ORDER BY id)"
    assert _asked(tmp_path, routes) == "api:keys,api:decisions"


def _asked(home: Path, query: str) -> str | None:
    with closing(sqlite3.connect(home / "lineage.sqlite3")) as database:
        found: str | None = database.execute(query).fetchone()[0]
        return found

"""Errors that belong to no call: unknown addresses, hosts, failures of our own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.test import Client

from api import problems
from lineage import errors
from lineage.services import key_records
from tests.conftest import Api, problem


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/nodes/",
        "/api/v1/attestations/",
        "/api/v2/nodes",
        "/api/v1/nodes/sha256:00/nothing",
        "/log/tile",
        "/log/tile/0",
        "/log/tile/x/000",
        "/health",
        "/health/nothing",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_address_that_is_nothing(path: str, method: str) -> None:
    answer = Client().generic(method, path)
    assert problem(answer) == (404, "not-found")


def test_a_host_that_is_not_ours() -> None:
    answer = Client().get("/api/v1/nodes", headers={"Host": "elsewhere.example"})
    assert problem(answer) == (400, "malformed")


def test_a_failure_of_ours_tells_nothing_of_the_inside(
    as_scope: Callable[..., Api], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(moment: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(key_records, "list_keys", fail)
    client = as_scope("read")
    client.http.raise_request_exception = False
    answer = client.get("/api/v1/keys")
    assert problem(answer) == (500, "internal")
    assert b"secret" not in answer.content
    assert "a secret of the inside" in caplog.text


def test_a_database_that_does_not_answer(
    as_scope: Callable[..., Api], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(moment: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(key_records, "list_keys", fail)
    answer = as_scope("read").get("/api/v1/keys")
    assert problem(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "1"
    assert b"locked" not in answer.content
    assert "database is locked" in caplog.text


def test_each_error_of_the_tree_has_a_document() -> None:
    error = errors.TooLargeError(
        "33 signatures; the limit is 32.", limit=32, hint="Send fewer.", where="$.signatures"
    )
    assert json.loads(problems.encode(error)) == {
        "type": "urn:lineage:problem:too-large",
        "title": "The input is over a limit",
        "status": 413,
        "detail": "33 signatures; the limit is 32.",
        "where": "$.signatures",
        "hint": "Send fewer.",
        "limit": 32,
    }


def test_a_further_member_does_not_replace_one_of_the_standard() -> None:
    error = errors.ConflictError("Known.", extra={"status": 200, "entry": 7})
    assert problems.document(error)["status"] == 409
    assert problems.document(error)["entry"] == 7

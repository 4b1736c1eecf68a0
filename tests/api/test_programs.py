"""Programs pass by the middleware of pages, and are answered as if they had not."""

from __future__ import annotations

from typing import Any

import pytest

from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/attestations"
OWN = {"x-request-id", "date"}


def headers(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OWN}


@pytest.mark.parametrize("path", [URL, f"{URL}/sha256:{'0' * 64}", "/api/v1/nowhere", "/health/live"])
def test_a_cookie_takes_the_long_way_to_the_same_answer(api: Api, path: str) -> None:
    short = api.get(path)
    long = api.http.get(path, headers={"cookie": "anything=1"})
    assert (short.status_code, headers(short)) == (long.status_code, headers(long))
    assert short["X-Content-Type-Options"] == "nosniff"
    assert short["Content-Length"] == str(len(short.content))


def test_an_attestation_is_answered_the_same(api: Api) -> None:
    data = factories.registered().envelope(factories.statement())
    api.attest(data)
    short = api.attest(data)
    long = api.post(URL, data, "application/vnd.in-toto+json", headers={"cookie": "anything=1"})
    assert (short.status_code, short.content, headers(short)) == (200, long.content, headers(long))


def test_a_foreign_host_is_refused_on_the_short_way_too(api: Api) -> None:
    answer = api.http.get(URL, headers={"host": "elsewhere.example"})
    assert problem(answer)[0] == 400


def test_a_key_is_asked_for_on_the_short_way_too(log: None) -> None:
    assert problem(Api(None).get(URL))[0] == 401

"""Programs pass by the middleware of pages, and are answered as if they had not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import timezone

from api import attestations
from api.authentication import Caller
from lineage.config import current
from lineage.db.models import ApiToken, Refusal
from lineage.people_settings import Rate
from lineage.services import tokens
from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/attestations"
OWN = {"x-request-id", "date"}


@pytest.fixture(autouse=True)
def no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs call: the framework's client for tests sends an empty `Cookie` where it has none."""
    real = RequestFactory._base_environ  # type: ignore[attr-defined]  # not in the stubs

    def environ(self: RequestFactory, **request: Any) -> dict[str, Any]:
        found = real(self, **request)
        return {name: value for name, value in found.items() if name != "HTTP_COOKIE" or value}

    monkeypatch.setattr(RequestFactory, "_base_environ", environ)


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each call that sends or lists attestations, whether it goes the short way."""
    went: list[bool] = []
    real = attestations._usual_sender

    def look(request: HttpRequest) -> Caller | None:
        sender = real(request)
        went.append(sender is not None)
        return sender

    monkeypatch.setattr(attestations, "_usual_sender", look)
    return went


def headers(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OWN}


@pytest.mark.parametrize("path", [URL, f"{URL}/sha256:{'0' * 64}", "/api/v1/nowhere", "/health/live"])
def test_a_cookie_takes_the_long_way_to_the_same_answer(api: Api, path: str) -> None:
    short = api.get(path)
    long = api.http.get(path, headers={"cookie": "anything=1"})
    assert (short.status_code, headers(short)) == (long.status_code, headers(long))
    assert short["X-Content-Type-Options"] == "nosniff"
    assert short["Content-Length"] == str(len(short.content))


def test_an_attestation_is_answered_the_same(api: Api, shortly: list[bool]) -> None:
    data = factories.registered().envelope(factories.statement())
    api.attest(data)
    short = api.attest(data)
    long = api.post(URL, data, "application/vnd.in-toto+json", headers={"cookie": "anything=1"})
    assert (short.status_code, short.content, headers(short)) == (200, long.content, headers(long))
    assert shortly == [False, True, False]


ENVELOPE = "application/vnd.in-toto+json"


def refused() -> dict[str, tuple[bytes, int]]:
    """Bodies that are refused, and with which status."""
    signer, stranger = factories.registered(), factories.signer()
    good = signer.envelope(factories.statement())
    return {
        "no JSON": (b"{", 400),
        "a number": (b"1", 400),
        "too long": (b" " * (current().max_envelope_bytes + 1), 413),
        "unknown signer": (stranger.envelope(factories.statement()), 422),
        "altered": (good.replace(b"vnd.in-toto+json", b"vnd.in-toto.x+json"), 422),
        "no statement": (signer.envelope({"_type": "https://in-toto.io/Statement/v1"}), 400),
    }


@pytest.mark.parametrize(
    "name", ["no JSON", "a number", "too long", "unknown signer", "altered", "no statement"]
)
def test_a_statement_is_refused_the_same(api: Api, name: str, shortly: list[bool]) -> None:
    """The first call of a key goes the long way: it has to be looked up."""
    data, status = refused()[name]
    api.attest(factories.registered().envelope(factories.statement()))
    before = Refusal.objects.count()
    short, long = api.attest(data), api.post(URL, data, ENVELOPE, headers={"cookie": "anything=1"})
    assert (short.status_code, headers(short)) == (long.status_code, headers(long))
    told, told_long = short.json(), long.json()
    assert told.pop("instance") != told_long.pop("instance")
    assert told == told_long
    assert shortly == [False, True, False]
    assert short.status_code == status
    one, other = Refusal.objects.order_by("-pk")[:2]
    assert Refusal.objects.count() == before + 2
    assert (one.slug, one.detail, one.token, one.content) == (
        other.slug,
        other.detail,
        other.token,
        other.content,
    )


@pytest.mark.parametrize(
    ("media", "more", "status"),
    [
        (ENVELOPE, {"accept": "text/html"}, 406),
        (ENVELOPE, {"content-encoding": "gzip"}, 415),
        ("text/plain", {}, 415),
        (ENVELOPE, {"authorization": "Bearer lin_no_such"}, 401),
        (ENVELOPE, {"authorization": "Basic eDp5"}, 401),
    ],
)
def test_what_is_wrong_before_the_body_is_told_as_ever(
    api: Api, media: str, more: dict[str, str], status: int
) -> None:
    data = factories.registered().envelope(factories.statement())
    api.attest(data)
    assert problem(api.post(URL, data, media, headers=more))[0] == status
    assert problem(api.post(f"{URL}?wait=never", data, ENVELOPE))[0] == 400


def test_a_key_that_was_revoked_or_may_not_attest_sends_nothing(log: None) -> None:
    data = factories.registered().envelope(factories.statement())
    reader = Api(factories.token("read"))
    assert [problem(reader.attest(data))[0] for _ in range(2)] == [403, 403]
    sender = Api(factories.token("attest"))
    assert [sender.attest(data).status_code for _ in range(2)] == [201, 200]
    ApiToken.objects.update(revoked_at=timezone.now())
    tokens._cache.clear()  # as after two seconds
    assert [problem(sender.attest(data))[0] for _ in range(2)] == [401, 401]


def test_one_request_looks_a_key_up_before_its_time(
    log: None, shortly: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "CACHE_SECONDS", 600.0)
    data = factories.registered().envelope(factories.statement())
    sender = Api(factories.token("attest"))
    assert sender.attest(data).status_code == 201
    ApiToken.objects.update(revoked_at=timezone.now())
    assert sender.attest(data).status_code == 200, "it was seen a moment ago"
    monkeypatch.setattr(tokens, "EARLY_SECONDS", 600.0)
    with tokens._renewing:
        assert sender.attest(data).status_code == 200, "another looks"
    assert problem(sender.attest(data))[0] == 401
    assert shortly == [False, True, True, False]


def test_keys_that_have_a_limit_are_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    data = factories.registered().envelope(factories.statement())
    limited = replace(current(), people=replace(current().people, attest_rate_limit=Rate(2, 3600)))
    for module in ("api.attestations", "api.throttling"):
        monkeypatch.setattr(f"{module}.current", lambda: limited)
    assert [api.attest(data).status_code for _ in range(4)] == [201, 200, 429, 429]


def test_a_foreign_host_is_refused_on_the_short_way_too(api: Api) -> None:
    answer = api.http.get(URL, headers={"host": "elsewhere.example"})
    assert problem(answer)[0] == 400


def test_a_key_is_asked_for_on_the_short_way_too(log: None) -> None:
    assert problem(Api(None).get(URL))[0] == 401

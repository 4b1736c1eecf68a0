"""Programs pass by the middleware of pages, and are answered as if they had not."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.utils import timezone

from api import usual
from api.authentication import Caller
from lineage import logs
from lineage.config import current
from lineage.db.models import AccessRecord, ApiToken, Refusal
from lineage.people_settings import Rate
from lineage.services import access_records, beforehand, intake, publish, rate_limits, tokens
from lineage.wsgi import application
from tests import factories
from tests.conftest import Api, problem

URL = "/api/v1/attestations"
OWN = {"x-request-id", "date"}
ENVELOPE = "application/vnd.in-toto+json"
COOKIE = {"HTTP_COOKIE": "anything=1"}
"""Takes the way of pages."""


@pytest.fixture(autouse=True)
def no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs call: the framework's client for tests sends an empty `Cookie` where it has none."""
    real = RequestFactory._base_environ  # type: ignore[attr-defined]  # not in the stubs

    def environ(self: RequestFactory, **request: Any) -> dict[str, Any]:
        found = real(self, **request)
        return {name: value for name, value in found.items() if name != "HTTP_COOKIE" or value}

    monkeypatch.setattr(RequestFactory, "_base_environ", environ)


@dataclass
class Said:
    """An answer of the application to the server."""

    status_code: int
    pairs: list[tuple[str, str]]
    content: bytes

    @property
    def headers(self) -> dict[str, str]:
        assert len({name.lower() for name, _ in self.pairs}) == len(self.pairs), "a header twice"
        return dict(self.pairs)

    def __getitem__(self, name: str) -> str:
        return self.headers[name]

    def json(self) -> Any:
        return json.loads(self.content)


class Sender:
    """A program with an API key, heard by the application as the server calls it."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def attest(self, data: bytes, media: str = ENVELOPE, /, **more: str | None) -> Said:
        """`more`: parts of the environment; None takes one away."""
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": URL,
            "QUERY_STRING": "",
            "CONTENT_TYPE": media,
            "CONTENT_LENGTH": str(len(data)),
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self._secret}",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(data),
            "wsgi.input_terminated": True,
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
        } | more
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def start(
            status: str, headers: list[tuple[str, str]], problem: object = None, /
        ) -> Callable[[bytes], object]:
            begun.append((status, list(headers)))
            return io.BytesIO().write

        present = {name: value for name, value in environ.items() if value is not None}
        answer: HttpResponseBase | Iterable[bytes] = application(present, start)
        content = b"".join(answer)
        if isinstance(answer, HttpResponseBase):
            answer.close()
        ((status, headers),) = begun
        return Said(int(status.partition(" ")[0]), headers, content)

    def proof(self, digest: str, /, **more: str | None) -> Said:
        asked: dict[str, str | None] = {"REQUEST_METHOD": "GET", "PATH_INFO": f"{URL}/{digest}/proof"}
        return self.attest(b"", "", **asked | more)


@pytest.fixture
def reader(log: None) -> Sender:
    return Sender(factories.token("read"))


@pytest.fixture
def proved(log: None) -> str:
    """The digest of an entry that a checkpoint covers."""
    sent = Sender(factories.token("attest")).attest(factories.registered().envelope(factories.statement()))
    assert publish.publish_once() is not None
    return str(sent.json()["digest"])


@pytest.fixture
def sender(log: None) -> Sender:
    return Sender(factories.token("attest"))


@pytest.fixture
def shortly(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each request, whether it goes the short way."""
    went: list[bool] = []

    def watched(real: Callable[[dict[str, Any]], Caller | None]) -> Callable[[dict[str, Any]], Caller | None]:
        def look(environ: dict[str, Any]) -> Caller | None:
            found = real(environ)
            went.append(found is not None)
            return found

        return look

    for name in ("_sender", "_reader"):
        monkeypatch.setattr(usual, name, watched(getattr(usual, name)))
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


def test_an_attestation_is_answered_the_same(sender: Sender, shortly: list[bool]) -> None:
    data = factories.registered().envelope(factories.statement())
    sender.attest(data)
    short, long, longest = (
        sender.attest(data),
        sender.attest(data, **COOKIE),
        sender.attest(data, QUERY_STRING="a"),
    )
    assert (short.status_code, short.content, headers(short)) == (200, long.content, headers(long))
    assert longest.status_code == 400
    assert shortly == [False, True, False, False]


def test_a_new_attestation_is_answered_the_same(sender: Sender, shortly: list[bool]) -> None:
    signer = factories.registered()
    sender.attest(signer.envelope(factories.statement()))
    short, long = (sender.attest(signer.envelope(factories.statement()), **way) for way in ({}, COOKIE))
    assert (short.status_code, long.status_code) == (201, 201)
    assert shortly == [False, True, False]
    for answer in (short, long):
        receipt = answer.json()
        assert answer["Location"] == receipt["links"]["self"] == f"{URL}/{receipt['digest']}"
        assert answer["Content-Length"] == str(len(answer.content))
    assert short.json().keys() == long.json().keys()
    assert headers(short).keys() == headers(long).keys()
    varying = {"location", "content-length"}
    assert all(headers(short)[name] == value for name, value in headers(long).items() if name not in varying)


def test_a_proof_is_answered_the_same(reader: Sender, proved: str, shortly: list[bool]) -> None:
    reader.proof(proved)
    short, long, longest = (
        reader.proof(proved),
        reader.proof(proved, **COOKIE),
        reader.proof(proved, HTTP_ACCEPT="text/plain"),
    )
    for other in (long, longest):
        assert (short.status_code, short.content, headers(short)) == (200, other.content, headers(other))
    assert short.content.startswith(b"c2sp.org/tlog-proof@v1")
    assert shortly == [False, True, False, False]


@pytest.mark.parametrize(
    ("digest", "more", "status", "short"),
    [
        ("sha256:" + "0" * 64, {}, 404, True),
        ("sha256:" + "0" * 63, {}, 400, False),
        ("sha256:" + "A" * 64, {}, 400, False),
        ("0" * 64, {}, 400, False),
        ("sha512:" + "0" * 64, {}, 400, False),
        ("", {"HTTP_ACCEPT": "text/html"}, 406, False),
        ("", {"QUERY_STRING": "as_of=1"}, 400, False),
    ],
)
def test_a_proof_is_refused_the_same(
    reader: Sender,
    proved: str,
    digest: str,
    more: dict[str, str | None],
    status: int,
    short: bool,
    shortly: list[bool],
) -> None:
    reader.proof(proved)
    said = [reader.proof(digest or proved, **more, **way) for way in ({}, COOKIE)]
    same(*said)
    assert said[0].status_code == status
    assert shortly == [False, short, False]


def test_a_proof_that_is_not_there_yet_is_told_the_same(
    reader: Sender, proved: str, shortly: list[bool]
) -> None:
    sent = Sender(factories.token("attest")).attest(factories.registered().envelope(factories.statement()))
    digest = sent.json()["digest"]
    reader.proof(proved)
    short, long = reader.proof(digest), reader.proof(digest, **COOKIE)
    assert problem(short) == (503, "unavailable")
    same(short, long)
    assert short["Retry-After"] == long["Retry-After"] == "2"
    assert shortly[-2:] == [True, False]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"HTTP_HOST": "elsewhere.example"}, 400),
        ({"HTTP_AUTHORIZATION": None}, 401),
        ({"HTTP_AUTHORIZATION": "Bearer lin_no_such"}, 401),
        ({"REQUEST_METHOD": "PUT"}, 405),
    ],
)
def test_whoever_does_not_ask_as_is_usual_is_given_no_proof(
    reader: Sender, proved: str, more: dict[str, str | None], status: int, shortly: list[bool]
) -> None:
    reader.proof(proved)
    assert problem(reader.proof(proved, **more))[0] == status
    assert not any(shortly)


def test_a_key_that_may_not_read_is_given_no_proof(sender: Sender, proved: str, shortly: list[bool]) -> None:
    assert [problem(sender.proof(proved))[0] for _ in range(2)] == [403, 403]
    assert not any(shortly)


def test_who_was_given_a_proof_or_none_is_noted_either_way(
    reader: Sender, proved: str, shortly: list[bool]
) -> None:
    nowhere = "sha256:" + "0" * 64
    reader.proof(proved)
    access_records.write()
    AccessRecord.objects.all().delete()
    noted = []
    for way in ({}, COOKIE):
        access_records.forget_waiting()
        for digest in (proved, nowhere):
            reader.proof(digest, **way)
        access_records.write()
        rows = AccessRecord.objects.order_by("pk")
        noted.append(list(rows.values_list("who", "action", "route", "subject", "status", "address")))
        rows.delete()
    assert noted[0] == noted[1]
    assert [(row[1], row[3], row[4]) for row in noted[0]] == [
        (AccessRecord.Action.EXPORT, proved, 200),
        (AccessRecord.Action.LOOK, nowhere, 404),
    ]
    assert shortly == [False, True, True, False, False]


def test_a_proof_is_counted_once_whether_it_is_given_or_not(
    reader: Sender, proved: str, shortly: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(rate_limits, "take", lambda name, limit: taken.append(name))
    reader.proof(proved)
    for digest in (proved, "sha256:" + "0" * 64):
        for way in ({}, COOKIE):
            taken.clear()
            reader.proof(digest, **way)
            assert len(taken) == 1
    assert shortly == [False, True, False, True, False]


def test_who_asks_for_too_many_proofs_is_told_so(
    reader: Sender, proved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = replace(current(), people=replace(current().people, rate_limit=Rate(2, 3600)))
    monkeypatch.setattr("api.throttling.current", lambda: limited)
    assert [reader.proof(proved).status_code for _ in range(4)] == [200, 200, 429, 429]


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
def test_a_statement_is_refused_the_same(sender: Sender, name: str, shortly: list[bool]) -> None:
    """The first call of a key goes the long way: it has to be looked up."""
    data, status = refused()[name]
    sender.attest(factories.registered().envelope(factories.statement()))
    before = Refusal.objects.count()
    short, long = sender.attest(data), sender.attest(data, **COOKIE)
    same(short, long)
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


def same(short: Said, long: Said) -> None:
    """Two problems that differ in their requests' names alone, each in its document as in its header."""
    lengths = [headers(answer).pop("content-length") for answer in (short, long)]
    assert lengths == [str(len(short.content)), str(len(long.content))]
    kept, kept_long = (headers(answer) | {"content-length": ""} for answer in (short, long))
    assert (short.status_code, kept) == (long.status_code, kept_long)
    told, told_long = short.json(), long.json()
    assert told.pop("instance") == f"urn:lineage:request:{short['X-Request-ID']}"
    assert told_long.pop("instance") == f"urn:lineage:request:{long['X-Request-ID']}"
    assert told == told_long


def test_a_body_that_breaks_off_is_told_the_same(sender: Sender, shortly: list[bool]) -> None:
    data = factories.registered().envelope(factories.statement())
    sender.attest(data)
    longer = {"CONTENT_LENGTH": str(len(data) + 1)}
    short, long = sender.attest(data, **longer), sender.attest(data, **longer, **COOKIE)
    assert problem(short) == (400, "malformed")
    same(short, long)
    assert shortly == [False, True, False]


def test_a_body_without_its_length_is_taken(sender: Sender) -> None:
    signer = factories.registered()
    sender.attest(signer.envelope(factories.statement()))
    data = signer.envelope(factories.statement())
    assert sender.attest(data, CONTENT_LENGTH=None).status_code == 201
    assert sender.attest(data).status_code == 200


def test_what_nobody_foresaw_is_told_the_same(
    sender: Sender,
    shortly: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = factories.registered().envelope(factories.statement())
    sender.attest(data)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret-4711")

    monkeypatch.setattr(intake, "submit", broken)
    with caplog.at_level(logging.ERROR, "api.problems"):
        short, long = sender.attest(data), sender.attest(data, **COOKIE)
    assert short.status_code == 500
    same(short, long)
    assert b"4711" not in short.content
    assert shortly == [False, True, False]
    lines = [entry for entry in caplog.records if entry.name == "api.problems"]
    assert [entry.getMessage() for entry in lines] == [f"RuntimeError in {URL}"] * 2


def test_either_way_is_told_by_one_line_and_under_its_name(
    sender: Sender, shortly: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    data = factories.registered().envelope(factories.statement())
    sender.attest(data)
    told = []
    with caplog.at_level(logging.INFO, logs.ACCESS):
        for body in (data, b"{"):
            for way in ({}, COOKIE):
                caplog.clear()
                answer = sender.attest(body, HTTP_X_REQUEST_ID="build-4711", **way)
                assert answer["X-Request-ID"] == "build-4711"
                ((text, fields),) = [
                    (entry.getMessage(), vars(entry)["fields"])
                    for entry in caplog.records
                    if entry.name == logs.ACCESS
                ]
                assert text == f"POST api:attestations {answer.status_code} in {fields['ms']} ms"
                told.append((fields["method"], fields["route"], fields["status"]))
    assert told == [("POST", "api:attestations", status) for status in (200, 200, 400, 400)]
    assert shortly == [False, True, False, True, False]
    assert logs.request_id.get() == ""
    names = {sender.attest(body)["X-Request-ID"] for body in (data, b"{") for _ in range(2)}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("media", "more", "status"),
    [
        (ENVELOPE, {"HTTP_ACCEPT": "text/html"}, 406),
        (ENVELOPE, {"HTTP_CONTENT_ENCODING": "gzip"}, 415),
        (ENVELOPE, {"REQUEST_METHOD": "PUT"}, 405),
        (ENVELOPE, {"HTTP_HOST": "elsewhere.example"}, 400),
        (ENVELOPE, {"HTTP_HOST": "localhost/"}, 400),
        ("text/plain", {}, 415),
        (ENVELOPE, {"HTTP_AUTHORIZATION": "Bearer lin_no_such"}, 401),
        (ENVELOPE, {"HTTP_AUTHORIZATION": "Basic eDp5"}, 401),
        (ENVELOPE, {"HTTP_AUTHORIZATION": None}, 401),
    ],
)
def test_what_is_wrong_before_the_body_is_told_as_ever(
    sender: Sender, media: str, more: dict[str, str | None], status: int, shortly: list[bool]
) -> None:
    data = factories.registered().envelope(factories.statement())
    sender.attest(data)
    assert problem(sender.attest(data, media, **more))[0] == status
    assert problem(sender.attest(data, QUERY_STRING="wait=never"))[0] == 400
    assert not any(shortly)


def test_a_key_that_was_revoked_or_may_not_attest_sends_nothing(log: None) -> None:
    data = factories.registered().envelope(factories.statement())
    reader = Sender(factories.token("read"))
    assert [problem(reader.attest(data))[0] for _ in range(2)] == [403, 403]
    sender = Sender(factories.token("attest"))
    assert [sender.attest(data).status_code for _ in range(2)] == [201, 200]
    ApiToken.objects.update(revoked_at=timezone.now())
    tokens._cache.clear()  # as after two seconds
    assert [problem(sender.attest(data))[0] for _ in range(2)] == [401, 401]


def test_a_key_is_looked_up_again_beside_requests(
    sender: Sender, shortly: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "CACHE_SECONDS", 600.0)
    data = factories.registered().envelope(factories.statement())
    assert sender.attest(data).status_code == 201
    ApiToken.objects.update(revoked_at=timezone.now())
    beforehand.look_all()
    assert sender.attest(data).status_code == 200, "it was seen a moment ago"
    monkeypatch.setattr(tokens, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(tokens, "USED_SECONDS", 0.0)
    beforehand.look_all()
    assert sender.attest(data).status_code == 200, "nobody has used it"
    monkeypatch.setattr(tokens, "USED_SECONDS", 600.0)
    beforehand.look_all()
    assert problem(sender.attest(data))[0] == 401
    assert shortly == [False, True, True, False]


def test_a_key_that_is_gone_is_forgotten_beside_requests(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "RENEW_SECONDS", 0.0)
    data = factories.registered().envelope(factories.statement())
    assert sender.attest(data).status_code == 201
    ApiToken.objects.all().delete()
    beforehand.look_all()
    assert problem(sender.attest(data))[0] == 401


def test_a_key_that_is_revoked_while_it_is_looked_up_stays_so(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this process: whoever revokes it has it forgotten, and what was read before is not kept."""
    monkeypatch.setattr(tokens, "RENEW_SECONDS", 0.0)
    data = factories.registered().envelope(factories.statement())
    assert sender.attest(data).status_code == 201
    found = ApiToken.objects.in_bulk()

    def read_before(wanted: object) -> dict[int, ApiToken]:
        tokens.revoke(next(iter(found.values())).prefix)
        return found

    monkeypatch.setattr(ApiToken.objects, "in_bulk", read_before)
    tokens.renew()
    assert problem(sender.attest(data))[0] == 401


def test_keys_that_have_a_limit_are_counted(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    data = factories.registered().envelope(factories.statement())
    limited = replace(current(), people=replace(current().people, attest_rate_limit=Rate(2, 3600)))
    for module in ("api.usual", "api.throttling"):
        monkeypatch.setattr(f"{module}.current", lambda: limited)
    assert [sender.attest(data).status_code for _ in range(4)] == [201, 200, 429, 429]


def test_a_foreign_host_is_refused_on_the_short_way_too(api: Api) -> None:
    answer = api.http.get(URL, headers={"host": "elsewhere.example"})
    assert problem(answer)[0] == 400


def test_a_key_is_asked_for_on_the_short_way_too(log: None) -> None:
    assert problem(Api(None).get(URL))[0] == 401

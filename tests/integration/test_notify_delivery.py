"""How messages go out over HTTP: at least once, under one id, and no other waits for one that hangs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from lineage.db.models import Job
from lineage.services import jobs, notify, subscriptions, webhook_message
from lineage.services.clock import now_us
from tests import factories
from tests.hostile_http import LAST, answer, hostile
from tests.integration.notified import FINE, HOUR_US, checked, items, row, stated, subscribe, tell
from tests.integration.notified import configured as configured  # noqa: PLC0414 a fixture
from tests.integration.notified import follow as follow  # noqa: PLC0414 a fixture
from tests.webhooks import head_and_body, verified


def test_each_attempt_has_the_same_id_and_body_and_its_own_time(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    replies = [answer(b"", "500 Internal Server Error"), answer(b"", "503 Busy"), FINE]
    with hostile(lambda number, _request: replies[number]) as server:
        number, secret = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        follow()
        tell()
        assert row(number).error == "The receiver answered 500."
        checked(who, "model.gguf", "inconclusive")  # whatever else happens meanwhile
        follow()
        jobs.drain("tests", queues=["short"])
        tell()
        tell()
        told = [verified(request, secret) for request in server.requests]
        ids = {head_and_body(request)[0]["webhook-id"] for request in server.requests}
    assert len(server.requests) == 3
    assert told[0] == told[1] == told[2]
    assert len(ids) == 1
    assert (row(number).failures, row(number).error) == (0, "")


def test_after_its_attempts_it_rests_and_then_tells_everything(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    bad = True
    with hostile(lambda _number, _request: answer(b"", "500 No") if bad else FINE) as server:
        number, secret = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        follow()
        for _ in range(5):
            tell()
        assert Job.objects.get(kind=notify.KIND).state == "failed"
        assert row(number).failures == 5
        assert notify.due(now_us()) == [], "it rests"
        bad = False
        assert tell(now_us() + HOUR_US) == 1
        assert [item["kind"] for item in items(server.requests[-1], secret)] == ["failed"]
    assert row(number).failures == 0


def test_one_that_does_not_answer_keeps_no_other_waiting(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_message, "ANSWER_SECONDS", 0.3)
    who = factories.registered()
    stated(who, "model.gguf")
    follow()

    def drip(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while not slow.released.wait(0.05):
            yield b"X: y\r\n"

    with hostile(drip) as slow, hostile(FINE) as quick:
        first, _ = subscribe(slow)
        second, secret = subscribe(quick)
        checked(who, "model.gguf", "mismatch")
        follow()
        assert tell() == 2
        assert len(items(quick.requests[0], secret)) == 1
        assert row(first).error == "The receiver did not answer within 0 s."
        assert row(second).failures == 0


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (answer(b"", "302 Found", "Location: http://127.0.0.1:1/"), "302. Redirects are not followed."),
        (answer(b"", "404 Not Found"), "answered 404."),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "gave no proper answer"),
        (b"", "hung up"),
    ],
    ids=["redirect", "missing", "no-http", "nothing"],
)  # fmt: skip
def test_what_is_no_delivery_says_why(follow: Callable[[], int], reply: bytes, says: str) -> None:
    with hostile(reply) as server:
        number, _ = subscribe(server)
        tried = subscriptions.test(number)
        assert not tried.ok
        assert says in tried.reason
        assert len(server.requests) == 1, "a redirect is not followed"


def test_an_endless_answer_is_not_read(follow: Callable[[], int]) -> None:
    def endless(_number: int, _request: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n" + LAST + b"\r\n"
        while not server.released.is_set():
            yield b"x" * 65536

    with hostile(endless) as server:
        number, _ = subscribe(server)
        assert subscriptions.test(number).ok


def test_a_receiver_that_is_gone_is_paused(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(answer(b"", "410 Gone")) as server:
        number, _ = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        follow()
        tell()
        tell()
        assert len(server.requests) == 1
    assert row(number).paused
    assert "410" in subscriptions.read(number).error


def test_a_private_address_is_refused_where_its_network_is_not_allowed(
    follow: Callable[[], int], configured: Callable[..., None]
) -> None:
    with hostile(FINE) as server:
        number, _ = subscribe(server)
        by_name, _ = subscriptions.add("webhook", f"http://localhost:{server.port}/hook", by="os:tests")
        configured(LINEAGE_PRIVATE_NETWORKS="10.0.0.0/8")
        for subscription in (number, by_name.id):
            tried = subscriptions.test(subscription)
            assert not tried.ok
            assert "is a private address" in tried.reason
        assert server.connections == 0


def test_no_secret_and_no_url_is_logged(follow: Callable[[], int], caplog: pytest.LogCaptureFixture) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(answer(b"", "500 No")) as server, caplog.at_level(logging.DEBUG, logger="lineage"):
        number, secret = subscribe(server, "/hook?token=sesame")
        checked(who, "model.gguf", "mismatch")
        follow()
        tell()
        subscriptions.new_secret(number, by="os:tests")
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("lineage"))
    assert "sesame" not in said
    assert secret not in said
    assert row(number).secret_box != secret
    job = Job.objects.get(kind=notify.KIND)
    assert "sesame" not in f"{job.error} {job.arguments} {job.key}"

"""Subscribers are told: over real HTTP and SMTP, at least once, under one id, and no other waits for them."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage import config
from lineage.db.models import Job, StorageState, Subscription
from lineage.services import jobs, notify, storages, subscriptions, webhook_message
from lineage.services.clock import now_us
from tests import factories
from tests.certificates import issue
from tests.hostile_http import LAST, Hostile, answer, hostile
from tests.server import CHECKOUT
from tests.smtp_server import Mailbox, mailbox
from tests.web import installation
from tests.webhooks import head_and_body, verified

FINE = answer(b"", "204 No Content")
HOUR_US = 3_600_000_000
WORDS = "The metadata key tokenizer.chat_template differs: expected 1f, found 2e."


@pytest.fixture
def configured(log: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`configured(LINEAGE_…=…)` sets more; receivers on this machine are allowed."""

    def more(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        config.current.cache_clear()

    more(
        LINEAGE_STORAGE_ROOTS=installation.ROOT,
        LINEAGE_PRIVATE_NETWORKS="127.0.0.0/8",
        LINEAGE_PUBLIC_URL="https://lineage.example",
    )
    yield more
    config.current.cache_clear()


@pytest.fixture
def follow(configured: Callable[..., None], graph: Callable[[], int]) -> Callable[[], int]:
    return graph


def artifact(name: str) -> tuple[str, str]:
    digest = factories.sha256(name)
    return f"sha256:{digest}", digest


def stated(who: factories.Signer, name: str) -> str:
    key, digest = artifact(name)
    location = f"file://{installation.ROOT}/{name}"
    installation.send(who, factories.statement(factories.artifact(name, digest, downloadLocation=location)))
    return key


def checked(who: factories.Signer, name: str, outcome: str, *, at_us: int | None = None) -> None:
    from lineage.trust.leaf import rfc3339

    key, digest = artifact(name)
    observed = {"match": key, "mismatch": f"sha256:{'e' * 64}", "inconclusive": ""}[outcome]
    row = {
        "digest": key, "location": f"file://{installation.ROOT}/{name}", "method": "sha256", "expected": key,
        "observed": observed, "outcome": outcome, "at": rfc3339(at_us or now_us()), "reason": WORDS,
    }  # fmt: skip
    subject = factories.artifact(name, digest)
    installation.send(
        who, factories.statement(subject, predicate_type=installation.CHECK, predicate={"rows": [row]})
    )


def tell(at_us: int | None = None) -> int:
    """What the schedule and a worker of the short queue do; returns how many jobs were worked off."""
    for key, arguments in notify.due(now_us() if at_us is None else at_us):
        jobs.enqueue(notify.KIND, key, arguments)
    Job.objects.filter(kind=notify.KIND, state="queued").update(due_us=0)  # no test waits for a pause
    return jobs.drain("tests", queues=["short"])


def subscribe(server: Hostile, path: str = "/hook") -> tuple[int, str]:
    record, secret = subscriptions.add("webhook", f"{server.url}{path}", by="os:tests")
    return record.id, secret


def row(number: int) -> Subscription:
    return Subscription.objects.get(pk=number)


def test_a_copy_that_differs_is_told_once_with_its_words(follow: Callable[[], int]) -> None:
    who = factories.registered()
    key = stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        assert tell() == 0, "what was before is not told"
        checked(who, "model.gguf", "mismatch")
        follow()
        assert tell() == 1
        assert tell() == 0
        told = verified(server.requests[0], secret)
        headers, _ = head_and_body(server.requests[0])
        assert len(server.requests) == 1
    assert told["type"] == "lineage.integrity"
    assert told["data"]["total"] == 1
    (item,) = told["data"]["items"]
    assert (item["kind"], item["key"], item["name"]) == ("failed", key, "model.gguf")
    assert item["reasons"] == ["copy-mismatch"]
    assert item["url"] == f"https://lineage.example/artifacts/{key}"
    assert item["copies"][0]["location"] == f"file://{installation.ROOT}/model.gguf"
    assert item["copies"][0]["words"] == WORDS
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300
    assert row(number).failures == 0


def test_what_stays_failed_is_not_told_again_and_what_fails_again_is(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        for outcome in ("mismatch", "mismatch", "inconclusive", "match", "mismatch"):
            checked(who, "model.gguf", outcome)
            follow()
            tell()
        kinds = [item["kind"] for request in server.requests for item in items(request, secret)]
    assert kinds == ["failed", "failed"]


def test_a_receiver_verifies_as_the_document_says(follow: Callable[[], int]) -> None:
    text = (CHECKOUT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
    told: dict[str, Any] = {}
    exec(text.partition("```python\n")[2].partition("```")[0], told)
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        assert subscriptions.test(number).ok
        headers, body = head_and_body(server.requests[0])
    told["verify"](secret, headers, body)
    for changed in (
        (secret, headers, body + b" "),
        (webhook_message.new_secret(), headers, body),
        (secret, {**headers, "webhook-id": "msg_other"}, body),
        (secret, {**headers, "webhook-timestamp": "1700000000"}, body),
    ):
        with pytest.raises(ValueError, match=r"not from us|too old"):
            told["verify"](*changed)


def items(request: bytes, secret: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = verified(request, secret)["data"]["items"]
    return found


def test_failed_and_mended_between_two_looks_is_told_too(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        checked(who, "model.gguf", "mismatch")
        checked(who, "model.gguf", "match")
        follow()
        tell()
        assert [item["kind"] for item in items(server.requests[0], secret)] == ["failed"]


def test_what_becomes_overdue_by_time_alone_is_told_once(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    checked(who, "model.gguf", "match")
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        assert tell(now_us() + 6 * 24 * HOUR_US) == 0
        assert tell(now_us() + 8 * 24 * HOUR_US) == 1
        assert tell(now_us() + 9 * 24 * HOUR_US) == 0
        (item,) = items(server.requests[0], secret)
    assert (item["kind"], item["reasons"]) == ("overdue", ["check-overdue"])


def test_a_storage_that_goes_and_comes_back_is_told_once_each(follow: Callable[[], int]) -> None:
    follow()
    (place,) = storages.listed()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        state = StorageState.objects.create(storage=place.name, gone_us=now_us(), error="It is not mounted.")
        assert (tell(), tell()) == (1, 0)
        state.gone_us = 0
        state.save()
        assert (tell(), tell()) == (1, 0)
        gone, back = [items(request, secret)[0] for request in server.requests]
    assert (gone["kind"], gone["name"], gone["key"]) == ("storage-gone", installation.ROOT, place.name)
    assert "It is not mounted" in gone["words"][0]
    assert "none fails for that" in gone["words"][0]
    assert back["kind"] == "storage-back"
    assert row(number).told_gone == ""


def test_many_are_one_message_with_fifty_and_the_rest_counted(follow: Callable[[], int]) -> None:
    who = factories.registered()
    names = [f"shard-{number:02}.bin" for number in range(53)]
    for name in names:
        stated(who, name)
    follow()
    with hostile(FINE) as server:
        _, secret = subscribe(server)
        for name in names:
            checked(who, name, "mismatch")
        follow()
        assert tell() == 1
        told = verified(server.requests[0], secret)["data"]
    assert (len(told["items"]), told["total"]) == (50, 53)


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


def test_while_paused_nothing_is_told_and_afterwards_all_of_it(follow: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        subscriptions.pause(number, by="os:tests")
        checked(who, "model.gguf", "mismatch")
        follow()
        assert tell() == 0
        subscriptions.resume(number, by="os:tests")
        assert tell() == 1
        assert len(items(server.requests[0], secret)) == 1


def test_the_cursor_moves_with_the_job_and_not_before(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after sending: the message is sent again, under the same id, and the cursor moves then."""
    who = factories.registered()
    stated(who, "model.gguf")
    follow()
    with hostile(FINE) as server:
        number, secret = subscribe(server)
        before = row(number).delivered_index
        checked(who, "model.gguf", "mismatch")
        follow()
        with monkeypatch.context() as patch:
            patch.setattr("lineage.services.job_lease.Lease.finish", _killed)
            with pytest.raises(_KilledError):
                tell()
        assert row(number).delivered_index == before
        Job.objects.filter(kind=notify.KIND).update(lease_until_us=1)
        tell()
        assert len({head_and_body(request)[0]["webhook-id"] for request in server.requests}) == 1
        assert len(server.requests) == 2
        assert verified(server.requests[0], secret) == verified(server.requests[1], secret)
    assert row(number).delivered_index > before


class _KilledError(BaseException):
    pass


def _killed(*_: object) -> None:
    raise _KilledError


def test_a_long_time_without_news_is_not_read_again_and_again(
    follow: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "ADVANCE", 3)
    follow()
    with hostile(FINE) as server:
        number, _ = subscribe(server)
        before = row(number).delivered_index
        for _ in range(4):
            factories.registered()
        end = follow()
        assert tell() == 0
    assert before < row(number).delivered_index == end


@pytest.fixture
def mail(configured: Callable[..., None]) -> Iterator[Mailbox]:
    with mailbox() as box:
        configured(LINEAGE_EMAIL_URL=f"smtp://127.0.0.1:{box.port}", LINEAGE_EMAIL_FROM="lineage@example.com")
        yield box


def test_mail_says_it_in_plain_words(mail: Mailbox, graph: Callable[[], int]) -> None:
    who = factories.registered()
    key = stated(who, "model.gguf")
    graph()
    subscriptions.add("email", "team@example.com", by="os:tests")
    checked(who, "model.gguf", "mismatch")
    graph()
    assert (tell(), tell()) == (1, 0)
    (message,) = mail.messages
    assert (message["From"], message["To"]) == ("lineage@example.com", "team@example.com")
    assert message["Subject"] == "[Lineage] 1 artifact failed"
    assert message["Message-ID"].startswith("<msg_")
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert "Artifact failed: model.gguf" in text
    assert WORDS in text
    assert f"https://lineage.example/artifacts/{key}" in text


def test_a_name_feigns_no_line_and_no_header(mail: Mailbox, graph: Callable[[], int]) -> None:
    who = factories.registered()
    name = "a.bin\r\nBcc: all@example.com\u202e"
    digest = factories.sha256(name)
    location = f"file://{installation.ROOT}/a.bin"
    installation.send(who, factories.statement(factories.artifact(name, digest, downloadLocation=location)))
    graph()
    subscriptions.add("email", "team@example.com", by="os:tests")
    key = f"sha256:{digest}"
    found = {
        "digest": key, "location": location, "method": "sha256", "outcome": "mismatch",
        "observed": f"sha256:{'e' * 64}", "at": installation._at(seconds=1),
    }  # fmt: skip
    subject = factories.artifact("a.bin", digest)
    checks = factories.statement(subject, predicate_type=installation.CHECK, predicate={"rows": [found]})
    installation.send(who, checks)
    graph()
    tell()
    (message,) = mail.messages
    assert message["Bcc"] is None
    assert not [line for line in message.get_content().splitlines() if line.startswith("Bcc")]
    assert "\u202e" not in message.get_content()


def test_mail_that_is_refused_is_tried_again(mail: Mailbox, graph: Callable[[], int]) -> None:
    who = factories.registered()
    stated(who, "model.gguf")
    graph()
    record, _ = subscriptions.add("email", "team@example.com", by="os:tests")
    checked(who, "model.gguf", "mismatch")
    graph()
    mail.refuse = "451 4.3.0 try later"
    tell()
    assert subscriptions.read(record.id).error == "The mail server answered 451: 4.3.0 try later"
    mail.refuse = ""
    tell()
    assert len(mail.messages) == 1
    assert subscriptions.read(record.id).state == "telling"


def test_a_test_message_arrives_and_changes_nothing(mail: Mailbox, graph: Callable[[], int]) -> None:
    graph()
    record, _ = subscriptions.add("email", "team@example.com", by="os:tests")
    tried = subscriptions.test(record.id)
    assert (tried.ok, tried.reason) == (True, "")
    assert mail.messages[0]["Subject"] == "[Lineage] test"
    assert subscriptions.read(record.id) == record


def test_without_a_mail_server_the_test_says_so(
    mail: Mailbox, graph: Callable[[], int], configured: Callable[..., None]
) -> None:
    graph()
    record, _ = subscriptions.add("email", "team@example.com", by="os:tests")
    configured(LINEAGE_EMAIL_URL="")
    tried = subscriptions.test(record.id)
    assert (tried.ok, tried.reason) == (False, "No mail server is configured. Set LINEAGE_EMAIL_URL.")


def test_a_password_goes_to_the_mail_server_by_tls_alone(
    configured: Callable[..., None],
    graph: Callable[[], int],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = issue("authority")
    issued = issue("mail", authority)
    (tmp_path / "server.pem").write_text(issued.pem + issued.key_pem)
    (tmp_path / "authority.pem").write_text(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    graph()
    with mailbox(context, ("lineage", "open sesame")) as box:
        configured(LINEAGE_EMAIL_URL=f"smtp://lineage:open%20sesame@127.0.0.1:{box.port}")
        record, _ = subscriptions.add("email", "team@example.com", by="os:tests")
        tried = subscriptions.test(record.id)
        assert (tried.ok, tried.reason) == (False, "The mail server's certificate or TLS is not good.")
        configured(SSL_CERT_FILE=str(tmp_path / "authority.pem"))
        assert subscriptions.test(record.id).ok
        assert len(box.messages) == 1
        configured(LINEAGE_EMAIL_URL=f"smtp://lineage:wrong@127.0.0.1:{box.port}")
        assert subscriptions.test(record.id).reason.startswith("The mail server answered 535")
    with mailbox() as plain:
        configured(LINEAGE_EMAIL_URL=f"smtp://lineage:secret@127.0.0.1:{plain.port}")
        assert not subscriptions.test(record.id).ok, "never in clear"
    assert "sesame" not in caplog.text

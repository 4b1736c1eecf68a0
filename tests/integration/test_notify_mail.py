"""Messages by e-mail over real SMTP: in plain words, with nothing in them that feigns a header."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineage.services import subscriptions
from tests import factories
from tests.certificates import issue
from tests.integration.notified import WORDS, checked, stated, tell
from tests.integration.notified import configured as configured  # noqa: PLC0414 a fixture
from tests.smtp_server import Mailbox, mailbox
from tests.web import installation


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

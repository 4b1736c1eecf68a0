"""What may be subscribed: addresses and URLs, in their one form, and what is wrong with any other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage import config
from lineage.errors import MalformedError
from lineage.services import subscription_values, webhook_message


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LINEAGE_EMAIL_URL", "smtp://mail.example.com")
    monkeypatch.setenv("LINEAGE_PRIVATE_NETWORKS", "10.0.0.0/8")
    config.current.cache_clear()
    yield
    config.current.cache_clear()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" https://Hooks.Example.com/a/b ", "https://hooks.example.com/a/b"),
        ("https://hooks.example.com:443", "https://hooks.example.com/"),
        ("http://hooks.example.com:8080/x?token=a%20b", "http://hooks.example.com:8080/x?token=a%20b"),
        ("http://10.1.2.3/x", "http://10.1.2.3/x"),
        ("https://[2606:4700::1111]/x", "https://[2606:4700::1111]/x"),
    ],
)
def test_a_url_has_one_form(given: str, kept: str) -> None:
    assert subscription_values.target("webhook", given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "", "hooks.example.com", "ftp://hooks.example.com/", "https://", "https://u:p@hooks.example.com/",
        "https://hooks.example.com/#x", "https://hooks.example.com/a b", "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/", "https://hooks.example.com/\0", "https://hööks.example/",
        "https://127.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest", "https://0.0.0.0/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://2130706433/",
        "https://hooks.example.com/" + "a" * 2000, "file:///etc/passwd", "https://-a.example/",
    ],
)  # fmt: skip
def test_what_is_no_url_for_a_webhook(given: str) -> None:
    with pytest.raises(MalformedError) as refused:
        subscription_values.target("webhook", given)
    assert refused.value.where == "target"


@pytest.mark.parametrize("given", ["team@example.com", "a.b+c@mail.example.org"])
def test_an_address(given: str) -> None:
    assert subscription_values.target("email", given) == given


@pytest.mark.parametrize(
    "given",
    [
        "", "team", "team@", "a@b@c", "a@example.com, b@example.com", "a@example.com\nBcc: b@example.com",
        "Team <team@example.com>", "tëam@example.com", "a" * 250 + "@example.com",
    ],
)  # fmt: skip
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(MalformedError) as refused:
        subscription_values.target("email", given)
    assert refused.value.where == "target"


def test_mail_needs_a_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_EMAIL_URL", "")
    config.current.cache_clear()
    with pytest.raises(MalformedError, match="no mail server is configured"):
        subscription_values.target("email", "team@example.com")


def test_there_is_no_other_kind() -> None:
    with pytest.raises(MalformedError) as refused:
        subscription_values.target("pager", "1")
    assert refused.value.where == "kind"


def test_a_signature_is_that_of_the_specification() -> None:
    """Source: the test vector of the Standard Webhooks libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = webhook_message.signature(
        secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

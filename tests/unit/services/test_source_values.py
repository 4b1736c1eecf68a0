"""What may be said of a source: each value by itself, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lineage import config
from lineage.errors import MalformedError
from lineage.services import source_certificates, source_values
from lineage.services.source_values import SourceValues
from tests.certificates import issue

SECRET = "hunter2-in-the-open"


@pytest.mark.parametrize("name", ["lab", "a", "0", "mlflow-eu-1", "a" * 63])
def test_names(name: str) -> None:
    assert source_values.name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-lab", "Lab", "a" * 64, "a b", "a/b", "a:b", "lab\n", "läb", "a_b", "\0"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        source_values.name(name)
    assert caught.value.where == "name"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://mlflow.example.com", "https://mlflow.example.com"),
        (" https://MLflow.Example.com:443/ ", "https://mlflow.example.com"),
        ("http://10.0.0.5:5000/", "http://10.0.0.5:5000"),
        ("http://h:80/a/b/", "http://h/a/b"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://mlflow_server:5000", "http://mlflow_server:5000"),
    ],
)
def test_addresses_have_one_form(given: str, kept: str) -> None:
    assert source_values.url(given) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mlflow.example.com",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://h:0",
        "http://h:65536",
        "http://h:port",
        "http://h:",
        "http://h:080",
        "http://h/../x",
        "http://h//x",
        "http://h/a%2fb",
        "http://h/a b",
        "http://h\\@evil",
        "http://h\r\nHost: x",
        "http://[::1",
        "http://[::1%25eth0]",
        "http://[fe80::1]x/",
        "http://-h",
        "http://h..x",
        "http://ü.example",
        "http://h/\N{FULLWIDTH SOLIDUS}",
        "http://" + "a" * 64,
        "http://h/" + "a" * 2000,
        "http://h?",
        "http://h?a=" + SECRET,
        "http://h#" + SECRET,
        f"http://user:{SECRET}@h",
        f"http://{SECRET}@h",
        "javascript:alert(1)",
    ],
)
def test_addresses_that_are_none_are_not_quoted(url: str) -> None:
    with pytest.raises(MalformedError) as caught:
        source_values.url(url)
    assert caught.value.where == "url"
    assert SECRET not in str(vars(caught.value))


@pytest.mark.parametrize("text", ["", " ", "http://proxy:3128"])
def test_proxies(text: str) -> None:
    assert source_values.proxy(text) == text.strip()


@pytest.mark.parametrize(
    "text", ["https://proxy:3128", "proxy:3128", "http://u:p@proxy:3128", "http://proxy/x", "socks5://p:1"]
)
def test_proxies_that_are_none(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        source_values.proxy(text)
    assert caught.value.where == "proxy"


@pytest.mark.parametrize(
    ("take", "text", "where"),
    [
        (source_values.username, "a:b", "username"),
        (source_values.username, "a\nb", "username"),
        (source_values.secret, "line\nbreak", "secret"),
        (source_values.secret, "\0", "secret"),
        (source_values.secret, "\udc80", "secret"),
        (source_values.secret, "x" * 8193, "secret"),
        (source_values.token, "a b", "secret"),
        (source_values.token, "ä", "secret"),
        (source_values.webhook_secret, "short", "webhook_secret"),
        (source_values.webhook_secret, "x" * 20 + "\r", "webhook_secret"),
    ],
)
def test_credentials_that_could_not_be_sent(take: Callable[[str], str], text: str, where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        take(text)
    assert caught.value.where == where


@pytest.fixture
def rooted(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(config.current(), storage_roots=(Path("/srv/data"), Path("/mnt")))
    monkeypatch.setattr(source_values, "current", lambda: settings)


@pytest.mark.usefixtures("rooted")
def test_folders_are_normalized_and_each_is_kept_once() -> None:
    given = ["/srv/data", " /srv/data/ ", "", "/mnt//a/./b/../c", "//mnt/x"]
    assert source_values.data_roots(given) == ["/srv/data", "/mnt/a/c", "/mnt/x"]


@pytest.mark.usefixtures("rooted")
@pytest.mark.parametrize(
    "folder", ["/", "/srv", "/srv/database", "/srv/data/../x", "srv/data", "/srv/data/\n", "/mnt/\0", "/etc"]
)
def test_folders_outside_of_the_storage_roots(folder: str) -> None:
    with pytest.raises(MalformedError) as caught:
        source_values.data_roots([folder + "x" if folder.endswith("\n") else folder])
    assert caught.value.where == "data_roots"


def test_without_storage_roots_no_folder_is_one() -> None:
    with pytest.raises(MalformedError, match="under none of the storage roots"):
        source_values.data_roots(["/srv/data"])


@pytest.mark.parametrize("field", source_values.RANGES)
def test_each_number_has_a_range(field: str) -> None:
    least, most = source_values.RANGES[field]
    assert [source_values.number(field, value) for value in (least, most)] == [least, most]
    for value in (least - 1, most + 1, -1, 1 << 70):
        with pytest.raises(MalformedError) as caught:
            source_values.number(field, value)
        assert caught.value.where == field


def test_only_certificates_are_kept_of_what_was_sent() -> None:
    mine = issue("lab")
    kept = source_certificates.certificates(f"a note\n{mine.pem}\n{mine.key_pem}", "ca_pem")
    assert kept == mine.pem
    (record,) = source_certificates.records(kept)
    assert record.subject == "CN=lab"
    assert len(record.sha256) == 64


@pytest.mark.parametrize(
    "text", ["x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\udc80"]
)
def test_certificates_that_are_none(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        source_certificates.certificates(text, "ca_pem")
    assert caught.value.where == "ca_pem"


def test_a_private_key_is_no_certificate_and_is_not_quoted() -> None:
    key = issue("lab").key_pem
    with pytest.raises(MalformedError) as caught:
        source_certificates.certificates(key, "client_certificate_pem")
    assert key.splitlines()[1] not in str(vars(caught.value))


def test_keys() -> None:
    mine = issue("lab")
    assert source_certificates.private_key(mine.key_pem, "client_key_pem") == mine.key_pem
    assert source_certificates.belong_together(mine.pem, mine.key_pem)
    assert not source_certificates.belong_together(mine.pem, issue("other").key_pem)
    with pytest.raises(MalformedError, match="passphrase"):
        source_certificates.private_key(mine.locked_key_pem("p" * 12), "client_key_pem")
    for text in (mine.pem, "x", "\udc80", "x" * (1 << 19)):
        with pytest.raises(MalformedError) as caught:
            source_certificates.private_key(text, "client_key_pem")
        assert caught.value.where == "client_key_pem"


def test_what_is_said_is_never_shown() -> None:
    values = SourceValues(secret=SECRET, client_key_pem=SECRET, webhook_secret=SECRET, paused=True)
    assert repr(values) == "SourceValues(secret, client_key_pem, webhook_secret, paused)"
    assert SECRET not in f"{values} {values!r} {values.__rich_repr__()}"

"""Settings are parsed strictly: a wrong value stops the start, with its name and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.config import load
from lineage.errors import ConfigurationError
from lineage.service_urls import Bolt, Postgresql, Smtp, Sqlite


def test_defaults_are_safe(tmp_path: Path) -> None:
    config = load({"LINEAGE_HOME": str(tmp_path)})
    assert (config.host, config.port, config.demo) == ("127.0.0.1", 8000, True)
    assert config.database == Sqlite(tmp_path / "lineage.sqlite3")
    assert config.keys == tmp_path / "keys"
    assert config.max_envelope_bytes == 8 << 20
    assert config.checkpoint_seconds == 1.0
    assert config.storage_roots == ()
    assert config.private_networks == ()
    assert "*" not in config.allowed_hosts


def test_no_secret_key_means_a_random_one(tmp_path: Path) -> None:
    environ = {"LINEAGE_HOME": str(tmp_path)}
    first, second = load(environ), load(environ)
    assert len(first.secret_key) >= 48
    assert first.secret_key != second.secret_key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LINEAGE_HIGH_WATER", "high-water"),
        ("LINEAGE_HIGH_WATER", "/"),
        ("LINEAGE_PRIVATE_NETWORKS", "10.0.0.0/33"),
        ("LINEAGE_PRIVATE_NETWORKS", "10.0.0.1/8"),
        ("LINEAGE_PRIVATE_NETWORKS", "private"),
        ("LINEAGE_PORT", "0"),
        ("LINEAGE_PORT", "65536"),
        ("LINEAGE_PORT", "80a"),
        ("LINEAGE_PORT", "-1"),
        ("LINEAGE_PORT", "٨٠"),
        ("LINEAGE_DEMO", "yes"),
        ("LINEAGE_ALLOWED_HOSTS", "*"),
        ("LINEAGE_ALLOWED_HOSTS", " , "),
        ("LINEAGE_DATABASE_URL", "mysql://x/y"),
        ("LINEAGE_DATABASE_URL", "sqlite:relative"),
        ("LINEAGE_DATABASE_URL", "sqlite://host/path"),
        ("LINEAGE_GRAPH_URL", "http://x"),
        ("LINEAGE_GRAPH_URL", "bolt://host:7687"),
        ("LINEAGE_GRAPH_URL", "bolt://u:hunter2@host/db"),
        ("LINEAGE_GRAPH_URL", "bolt://u:hunter2@host:99999"),
        ("LINEAGE_DATABASE_URL", "postgresql://host/name"),
        ("LINEAGE_DATABASE_URL", "postgresql://u:hunter2@host"),
        ("LINEAGE_DATABASE_URL", "postgresql://u:hunter2@host/name?options=-c"),
        ("LINEAGE_DATABASE_URL", "postgresql://u:hunter2@host:port/name"),
        ("LINEAGE_BROKER_URL", "amqp://x"),
        ("LINEAGE_BROKER_URL", "redis://"),
        ("LINEAGE_BROKER_URL", "redis://:hunter2@host/queue"),
        ("LINEAGE_EMAIL_URL", "mail.example.com"),
        ("LINEAGE_EMAIL_URL", "http://mail.example.com"),
        ("LINEAGE_EMAIL_URL", "smtp://"),
        ("LINEAGE_EMAIL_URL", "smtp://lineage@mail.example.com"),
        ("LINEAGE_EMAIL_URL", "smtps://u:hunter2@mail.example.com/inbox"),
        ("LINEAGE_EMAIL_URL", "smtp://mail.example.com:70000"),
        ("LINEAGE_EMAIL_FROM", "nobody"),
        ("LINEAGE_EMAIL_FROM", "Lineage <lineage@example.com>"),
        ("LINEAGE_EMAIL_FROM", "a@example.com, b@example.com"),
        ("LINEAGE_PUBLIC_URL", "lineage.example.com"),
        ("LINEAGE_PUBLIC_URL", "ftp://lineage.example.com"),
        ("LINEAGE_PUBLIC_URL", "https://u:hunter2@lineage.example.com"),
        ("LINEAGE_PUBLIC_URL", "https://lineage.example.com/?a=b"),
        ("LINEAGE_WEB_WORKERS", "0"),
        ("LINEAGE_DATABASE_POOL", "1"),
        ("LINEAGE_LOG_FORMAT", "xml"),
        ("LINEAGE_LOG_LEVEL", "loud"),
        ("LINEAGE_KEYS", "relative"),
        ("LINEAGE_MAX_ENVELOPE_BYTES", "8M"),
        ("LINEAGE_MAX_ENVELOPE_BYTES", "1"),
        ("LINEAGE_CHECKPOINT_SECONDS", "0"),
        ("LINEAGE_CHECKPOINT_SECONDS", "nan"),
        ("LINEAGE_CHECKPOINT_SECONDS", "soon"),
        ("LINEAGE_STORAGE_ROOTS", "relative"),
        ("LINEAGE_STORAGE_ROOTS", "/"),
    ],
)
def test_a_wrong_value_stops_the_start_with_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as caught:
        load({"LINEAGE_HOME": str(tmp_path), name: value})
    assert "hunter2" not in str(caught.value)


def test_the_three_urls_choose_the_services(tmp_path: Path) -> None:
    config = load(
        {
            "LINEAGE_HOME": str(tmp_path),
            "LINEAGE_DATABASE_URL": "postgresql://app:p%40ss@db.example/lineage",
            "LINEAGE_GRAPH_URL": "bolt://neo4j:s3%2Fcret@graph.example",
            "LINEAGE_BROKER_URL": "redis://:pw@queue.example:6380/2",
        }
    )
    assert config.database == Postgresql("db.example", 5432, "lineage", "app", "p@ss")
    assert config.graph == Bolt("bolt://graph.example:7687", "neo4j", "s3/cret")
    assert config.broker == "redis://:pw@queue.example:6380/2"
    assert config.web_workers == 2
    assert "p@ss" not in repr(config.database)
    assert "s3/cret" not in repr(config.graph)


def test_a_secret_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 50 + "\n")
    config = load({"LINEAGE_HOME": str(tmp_path), "LINEAGE_SECRET_KEY_FILE": str(tmp_path / "secret")})
    assert config.secret_key == "s" * 50


@pytest.mark.parametrize("also", [{"LINEAGE_SECRET_KEY": "x" * 50}, {}])
def test_a_secret_given_twice_or_by_a_missing_file_stops_the_start(
    tmp_path: Path, also: dict[str, str]
) -> None:
    environ = {"LINEAGE_HOME": str(tmp_path), "LINEAGE_SECRET_KEY_FILE": str(tmp_path / "gone")}
    with pytest.raises(ConfigurationError, match="LINEAGE_SECRET_KEY"):
        load(environ | also)


def test_mail_is_sent_only_where_a_server_is_named(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert load({"LINEAGE_HOME": home}).email is None
    for url, expected in (
        ("smtp://mail.example.com", Smtp("mail.example.com", 25, "", "", tls=False)),
        (
            "smtp://lineage:p%40ss@mail.example.com",
            Smtp("mail.example.com", 587, "lineage", "p@ss", tls=False),
        ),
        ("smtps://lineage:p@mail.example.com:4465", Smtp("mail.example.com", 4465, "lineage", "p", tls=True)),
        ("smtps://mail.example.com", Smtp("mail.example.com", 465, "", "", tls=True)),
    ):
        config = load({"LINEAGE_HOME": home, "LINEAGE_EMAIL_URL": url})
        assert config.email == expected
        assert "p@ss" not in repr(config)
    (tmp_path / "url").write_text("smtp://mail.example.com:2525\n")
    by_file = load({"LINEAGE_HOME": home, "LINEAGE_EMAIL_URL_FILE": str(tmp_path / "url")})
    assert by_file.email == Smtp("mail.example.com", 2525, "", "", tls=False)


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"LINEAGE_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"LINEAGE_HOST": "0.0.0.0"}, "http://localhost:8000"),
        ({"LINEAGE_HOST": "::1"}, "http://[::1]:8000"),
        ({"LINEAGE_PUBLIC_URL": "https://lineage.example.com/"}, "https://lineage.example.com"),
        ({"LINEAGE_PUBLIC_URL": "https://example.com/lineage"}, "https://example.com/lineage"),
    ],
    ids=["default", "port", "everywhere", "v6", "set", "prefix"],
)
def test_links_begin_with_where_people_reach_the_pages(
    tmp_path: Path, values: dict[str, str], url: str
) -> None:
    assert load({"LINEAGE_HOME": str(tmp_path), **values}).public_url == url


def test_a_wrong_database_url_does_not_repeat_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({"LINEAGE_HOME": str(tmp_path), "LINEAGE_DATABASE_URL": "mysql://u:hunter2@h/d"})
    assert "hunter2" not in str(caught.value)


def test_the_real_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text(
        "# chosen by lineage up\nLINEAGE_PORT=8100\nLINEAGE_HOST=127.0.0.2\n"
    )
    config = load({"LINEAGE_HOME": str(tmp_path), "LINEAGE_PORT": "8200"})
    assert (config.host, config.port) == ("127.0.0.2", 8200)


@pytest.mark.parametrize("line", ["LINEAGE_PROT=1", "nonsense", "PATH=/bin"])
def test_an_unknown_line_in_the_file_stops_the_start(tmp_path: Path, line: str) -> None:
    (tmp_path / "environment").write_text(line + "\n")
    with pytest.raises(ConfigurationError, match="line 1"):
        load({"LINEAGE_HOME": str(tmp_path)})


def test_private_networks_have_one_form(tmp_path: Path) -> None:
    text = " 10.0.0.0/8, FD00::/8 ,127.0.0.1,,10.0.0.0/8"
    config = load({"LINEAGE_HOME": str(tmp_path), "LINEAGE_PRIVATE_NETWORKS": text})
    assert config.private_networks == ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")


def test_storage_roots_are_absolute_folders_without_dots(tmp_path: Path) -> None:
    config = load({"LINEAGE_HOME": str(tmp_path), "LINEAGE_STORAGE_ROOTS": "/data/../models:/bytes/"})
    assert config.storage_roots == (Path("/models"), Path("/bytes"))

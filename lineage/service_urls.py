"""The URLs that choose the services: database, graph, broker, mail. Parsed strictly, never fetched.

Owns: what each URL may say, and that no error repeats a password. Does not own: connecting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from lineage.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Sqlite:
    """A SQLite file of this machine: the embedded default."""

    path: Path
    vendor = "sqlite"


@dataclass(frozen=True, slots=True)
class Postgresql:
    """A PostgreSQL database, reached over TCP."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    vendor = "postgresql"


Database = Sqlite | Postgresql


@dataclass(frozen=True, slots=True)
class Bolt:
    """A Neo4j database. `uri` holds no secret: `bolt://host:port`, or `bolt+s://` for TLS."""

    uri: str
    user: str
    password: str = field(repr=False)


def database(text: str, default: Path) -> Database:
    """`sqlite:///absolute/path` or `postgresql://user:password@host[:port]/name`; empty: the default file.

    Raises: ConfigurationError for anything else.
    """
    name = "LINEAGE_DATABASE_URL"
    if not text:
        return Sqlite(default)
    url = _split(name, text)
    if url.scheme == "sqlite":
        if url.netloc or not url.path.startswith("/") or url.query or url.fragment:
            raise ConfigurationError(f"{name}: expected sqlite:///absolute/path")
        return Sqlite(Path("/" + url.path.lstrip("/")))
    if url.scheme != "postgresql":
        raise ConfigurationError(f"{name}: expected sqlite:// or postgresql://, found scheme {url.scheme!r}")
    database_name = unquote(url.path.removeprefix("/"))
    if not url.hostname or not url.username or not database_name or "/" in database_name:
        raise ConfigurationError(f"{name}: expected postgresql://user:password@host[:port]/name")
    _plain(name, url)
    return Postgresql(
        url.hostname, url.port or 5432, database_name, unquote(url.username), unquote(url.password or "")
    )


def graph(text: str) -> Bolt | None:
    """`sql:` (the graph in the database alone: None) or `bolt://user:password@host[:port]` (TLS: `bolt+s`).

    Raises: ConfigurationError for anything else.
    """
    name = "LINEAGE_GRAPH_URL"
    if text in {"", "sql:"}:
        return None
    url = _split(name, text)
    if url.scheme not in {"bolt", "bolt+s", "bolt+ssc"}:
        raise ConfigurationError(f"{name}: expected sql: or bolt://, found scheme {url.scheme!r}")
    if not url.hostname or not url.username or not url.password or url.path not in {"", "/"}:
        raise ConfigurationError(f"{name}: expected bolt://user:password@host[:port]")
    _plain(name, url)
    return Bolt(
        f"{url.scheme}://{_host(url.hostname)}:{url.port or 7687}",
        unquote(url.username),
        unquote(url.password),
    )


def broker(text: str) -> str:
    """`redis://[[user]:password@]host[:port][/database]` (TLS: `rediss`), or empty: no broker.

    Raises: ConfigurationError for anything else.
    """
    name = "LINEAGE_BROKER_URL"
    if not text:
        return ""
    url = _split(name, text)
    if url.scheme not in {"redis", "rediss"}:
        raise ConfigurationError(f"{name}: expected redis:// or nothing, found scheme {url.scheme!r}")
    if not url.hostname or not (url.path in {"", "/"} or url.path[1:].isdigit()):
        raise ConfigurationError(f"{name}: expected redis://host[:port][/database number]")
    _plain(name, url)
    return text


@dataclass(frozen=True, slots=True)
class Smtp:
    """A server that takes mail. `tls`: from the first byte; else by STARTTLS where there is a user, who has a
    password to protect.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: bool


def email(text: str) -> Smtp | None:
    """`smtp://[user:password@]host[:port]`, or `smtps://…` for TLS from the start; empty: no mail is sent.

    Raises: ConfigurationError for anything else.
    """
    name = "LINEAGE_EMAIL_URL"
    if not text:
        return None
    url = _split(name, text)
    if url.scheme not in {"smtp", "smtps"}:
        raise ConfigurationError(f"{name}: expected smtp:// or smtps://, found scheme {url.scheme!r}")
    if not url.hostname or url.path not in {"", "/"} or bool(url.username) != bool(url.password):
        raise ConfigurationError(f"{name}: expected smtp://[user:password@]host[:port]")
    _plain(name, url)
    tls = url.scheme == "smtps"
    user, password = unquote(url.username or ""), unquote(url.password or "")
    usual = 465 if tls else 587 if user else 25
    return Smtp(url.hostname, url.port or usual, user, password, tls)


def public(text: str) -> str:
    """`http(s)://host[:port][/prefix]` by which people reach the pages, without `/` at its end.

    Raises: ConfigurationError for anything else.
    """
    name = "LINEAGE_PUBLIC_URL"
    url = _split(name, text)
    good = url.scheme in {"http", "https"} and url.hostname and "@" not in url.netloc
    if not good or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(f"{name}: expected http(s)://host[:port], found another form")
    _plain(name, url)
    return text.rstrip("/")


def _split(name: str, text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port  # parsed when asked for
    except ValueError as error:
        raise ConfigurationError(f"{name}: not a URL (the port is a number up to 65535)") from error
    return url


def _plain(name: str, url: SplitResult) -> None:
    if url.query or url.fragment:
        raise ConfigurationError(
            f"{name}: no ? or # parts are known; write them as %3F and %23 in a password"
        )


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""The three URLs that choose the services: database, graph, broker. Parsed strictly, never fetched.

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

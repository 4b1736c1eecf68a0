"""Configuration from the environment, parsed strictly, once.

Owns: every `LINEAGE_…` setting, its default and what makes it wrong. `LINEAGE_HOME/environment`, which
`lineage up` writes, is read first; the real environment wins. A secret may come as a file: `NAME_FILE` names
one that holds the value of `NAME`. Does not own: what the URLs of services may say (`service_urls`), Django's
settings (`lineage.settings` derives them from here).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lineage import people_settings, pkcs11_uri, service_urls, setting_values, witness_settings
from lineage.errors import ConfigurationError

ENVIRONMENT_FILE = "environment"
KNOWN = frozenset(
    {
        "LINEAGE_HOME",
        "LINEAGE_HOST",
        "LINEAGE_PORT",
        "LINEAGE_DEMO",
        "LINEAGE_SECRET_KEY",
        "LINEAGE_ALLOWED_HOSTS",
        "LINEAGE_DATABASE_URL",
        "LINEAGE_GRAPH_URL",
        "LINEAGE_BROKER_URL",
        "LINEAGE_KEYS",
        "LINEAGE_KEYS_PIN",
        "LINEAGE_MAX_ENVELOPE_BYTES",
        "LINEAGE_CHECKPOINT_SECONDS",
        "LINEAGE_AUDIT_DAYS",
        "LINEAGE_WITNESSES",
        "LINEAGE_HIGH_WATER",
        "LINEAGE_STORAGE_ROOTS",
        "LINEAGE_PRIVATE_NETWORKS",
        "LINEAGE_WEB_WORKERS",
        "LINEAGE_DATABASE_POOL",
        "LINEAGE_LOG_FORMAT",
        "LINEAGE_LOG_LEVEL",
        "LINEAGE_EMAIL_URL",
        "LINEAGE_EMAIL_FROM",
        "LINEAGE_PUBLIC_URL",
        *people_settings.NAMES,
    }
)
"""Every setting of the server. Programs that send (`LINEAGE_URL`, `LINEAGE_TOKEN`) have their own."""
BY_FILE = (
    "LINEAGE_SECRET_KEY",
    "LINEAGE_DATABASE_URL",
    "LINEAGE_GRAPH_URL",
    "LINEAGE_BROKER_URL",
    "LINEAGE_EMAIL_URL",
    "LINEAGE_KEYS_PIN",
    *people_settings.SECRETS,
)
"""Settings that hold a secret, which `<NAME>_FILE` may give instead."""
MAX_SECRET_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Config:
    home: Path
    host: str
    port: int
    demo: bool
    secret_key: str = field(repr=False)  # random for this process where none is set
    secret_key_made: bool  # whether it is such a random one: sessions then end with the process
    allowed_hosts: tuple[str, ...]
    database: service_urls.Database
    graph: service_urls.Bolt | None  # None: the graph lives in the database alone
    broker: str = field(repr=False)  # redis://…; empty: the worker of this installation polls the database
    keys: Path  # folder of the platform's own private keys; beside a token, of what that does not keep
    key_token: pkcs11_uri.TokenUri | None  # None: no token keeps them
    max_envelope_bytes: int
    checkpoint_seconds: float
    audit_days: int  # within so many the whole log is read again, and the graph compared with it
    witnesses: tuple[witness_settings.Witness, ...]  # who are asked to cosign checkpoints
    high_water: Path  # the file with the newest published checkpoint, outside database and backup
    storage_roots: tuple[Path, ...]  # folders that `file://` locations may be under
    private_networks: tuple[str, ...]  # CIDRs that followed servers may be on although they are not public
    web_workers: int  # web processes
    database_pool: int  # connections to PostgreSQL that one process holds at most
    log_format: str  # text or json
    log_level: str  # debug, info, warning: the least that is written
    email: service_urls.Smtp | None  # None: no mail is sent
    email_from: str  # whom mail is from
    public_url: str  # by which people reach the pages, without a slash at its end: what links begin with
    people: people_settings.People


def default_home() -> Path:
    """`var/` in the checkout; in the working directory where Lineage is installed as a package."""
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "manage.py").exists() else Path.cwd()) / "var"


def read_environment_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; `#` starts a comment line. A missing file is empty.

    Raises: ConfigurationError for a line of another form or an unknown name.
    """
    values: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return values
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or name not in KNOWN:
            raise ConfigurationError(f"{path}, line {number}: expected a known NAME=value, found {name!r}")
        values[name] = value
    return values


def load(environ: Mapping[str, str]) -> Config:
    """The configuration that an environment means.

    Raises: ConfigurationError that names the setting and what is wrong with it.
    """
    home = Path(environ.get("LINEAGE_HOME") or default_home()).absolute()
    given = {name: value for name, value in environ.items() if name in KNOWN} | _secrets(environ)
    values = read_environment_file(home / ENVIRONMENT_FILE) | given
    host = values.get("LINEAGE_HOST") or "127.0.0.1"
    port = setting_values.integer(values, "LINEAGE_PORT", 8000, 1, 65535)
    database = service_urls.database(values.get("LINEAGE_DATABASE_URL", ""), home / "lineage.sqlite3")
    return Config(
        home=home,
        host=host,
        port=port,
        demo=setting_values.boolean(values, "LINEAGE_DEMO", True),
        secret_key=values.get("LINEAGE_SECRET_KEY") or secrets.token_urlsafe(48),
        secret_key_made=not values.get("LINEAGE_SECRET_KEY"),
        allowed_hosts=_hosts(values, host),
        database=database,
        graph=service_urls.graph(values.get("LINEAGE_GRAPH_URL", "")),
        broker=service_urls.broker(values.get("LINEAGE_BROKER_URL", "")),
        keys=home / "keys" if _is_token(values) else _folder(values, "LINEAGE_KEYS", home / "keys"),
        key_token=_token(values),
        max_envelope_bytes=setting_values.integer(
            values, "LINEAGE_MAX_ENVELOPE_BYTES", 8 << 20, 1024, 64 << 20
        ),
        checkpoint_seconds=setting_values.seconds(values, "LINEAGE_CHECKPOINT_SECONDS", 1.0, 0.05, 3600.0),
        audit_days=setting_values.integer(values, "LINEAGE_AUDIT_DAYS", 7, 1, 365),
        witnesses=witness_settings.read(values.get("LINEAGE_WITNESSES", "")),
        high_water=_file(values, "LINEAGE_HIGH_WATER", home / "high-water"),
        storage_roots=_roots(values),
        private_networks=setting_values.networks(values, "LINEAGE_PRIVATE_NETWORKS"),
        # On SQLite one is enough for most, takes half of the memory, and counts rate limits alone.
        web_workers=setting_values.integer(
            values, "LINEAGE_WEB_WORKERS", 1 if database.vendor == "sqlite" else 2, 1, 64
        ),
        database_pool=setting_values.integer(values, "LINEAGE_DATABASE_POOL", 20, 4, 500),
        log_format=setting_values.choice(values, "LINEAGE_LOG_FORMAT", ("text", "json")),
        log_level=setting_values.choice(values, "LINEAGE_LOG_LEVEL", ("info", "debug", "warning")),
        email=service_urls.email(values.get("LINEAGE_EMAIL_URL", "")),
        email_from=_sender(values),
        public_url=service_urls.public(values.get("LINEAGE_PUBLIC_URL") or _own_url(host, port)),
        people=people_settings.read(values),
    )


def _secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What stands in the files that `<NAME>_FILE` names, without the line ending.

    Raises: ConfigurationError where the setting is given twice, or its file can't be read.
    """
    found = {}
    for name in BY_FILE:
        path = environ.get(f"{name}_FILE")
        if not path:
            continue
        if environ.get(name):
            raise ConfigurationError(f"{name} and {name}_FILE are both set; which one counts?")
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(MAX_SECRET_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{name}_FILE: {path} can't be read") from error
        found[name] = text.rstrip("\r\n")
    return found


def _hosts(values: Mapping[str, str], host: str) -> tuple[str, ...]:
    text = values.get("LINEAGE_ALLOWED_HOSTS")
    if text is None:
        return tuple(dict.fromkeys(("localhost", "127.0.0.1", "[::1]", host)))
    hosts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not hosts or "*" in hosts:
        raise ConfigurationError("LINEAGE_ALLOWED_HOSTS: expected host names separated by commas, and not *")
    return hosts


def _own_url(host: str, port: int) -> str:
    """Where the server listens; where that is everywhere, this machine."""
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 nothing is bound here
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def _sender(values: Mapping[str, str]) -> str:
    text = values.get("LINEAGE_EMAIL_FROM") or "lineage@localhost"
    local, _, domain = text.rpartition("@")
    if not (local and domain and text.isascii() and text.isprintable()) or set(text) & set(' <>,;"\\'):
        raise ConfigurationError(
            f"LINEAGE_EMAIL_FROM: expected an address such as lineage@example.com, found {text!r}"
        )
    return text


def _is_token(values: Mapping[str, str]) -> bool:
    return values.get("LINEAGE_KEYS", "").startswith(pkcs11_uri.SCHEME)


def _token(values: Mapping[str, str]) -> pkcs11_uri.TokenUri | None:
    pin = values.get("LINEAGE_KEYS_PIN", "")
    if _is_token(values):
        return pkcs11_uri.parse(values["LINEAGE_KEYS"], pin)
    if pin:
        raise ConfigurationError("LINEAGE_KEYS_PIN is of a token, and LINEAGE_KEYS names none")
    return None


def _folder(values: Mapping[str, str], name: str, default: Path) -> Path:
    path = Path(values.get(name) or default)
    if not path.is_absolute():
        raise ConfigurationError(f"{name}: expected an absolute path of a folder, found {str(path)!r}")
    return path


def _file(values: Mapping[str, str], name: str, default: Path) -> Path:
    path = Path(values.get(name) or default)
    if not path.is_absolute() or not path.name or path.is_dir():
        raise ConfigurationError(f"{name}: expected an absolute path of a file, found {str(path)!r}")
    return path


def _roots(values: Mapping[str, str]) -> tuple[Path, ...]:
    roots = []
    for part in (values.get("LINEAGE_STORAGE_ROOTS") or "").split(os.pathsep):
        if not part:
            continue
        path = Path(part)
        if not path.is_absolute() or path == Path("/"):
            raise ConfigurationError(f"LINEAGE_STORAGE_ROOTS: expected absolute folders, found {part!r}")
        roots.append(Path(os.path.normpath(path)))
    return tuple(roots)


@cache
def current() -> Config:
    """The configuration of this process, parsed at the first call."""
    return load(os.environ)

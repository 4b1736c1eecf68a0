"""What may be said about a source, and what is wrong with what was said.

Owns: names, addresses, proxies, folders, ranges: each value by itself. Does not own: which of them go
together, or what is kept when nothing is said (`sources`). An error's `where` is the field's name.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import UNSET, UnsetType

from lineage.config import current
from lineage.errors import MalformedError
from lineage.services.said_values import SaidValues

Auth = Literal["none", "token", "basic"]
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
MAX_TEXT = 2000
MAX_SECRET = 8192
MAX_ROOTS = 50
MIN_WEBHOOK_SECRET = 16
DAY = 86_400

RANGES: Mapping[str, tuple[int, int]] = {
    "requests_per_second": (1, 1000),
    "poll_seconds": (1, DAY),
    "sweep_seconds": (60, 31 * DAY),
    "rehash_seconds": (3600, 366 * DAY),
    "max_file_bytes": (1, 1 << 62),
}
"""Least and most of each number."""
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_NEVER_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f\\<>\"'`{}|^%]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class SourceValues(SaidValues, kw_only=True):
    """What is said about a source. What is not said stays; an empty text clears, a secret too.

    Attributes:
        url: `http(s)://host[:port][/prefix]`, without credentials.
        secret: the token, or the password of `username`. Never given back.
        ca_pem: certificates to trust beside the system's.
        client_certificate_pem: this side's certificate, with the intermediate ones, for mutual TLS.
        client_key_pem: its private key. Never given back.
        webhook_secret: what MLflow signs its webhooks with. Never given back.
        proxy: `http://host:port`.
        data_roots: folders under LINEAGE_STORAGE_ROOTS where datasets that runs name may be read.
        poll_seconds: between two looks for news.
        sweep_seconds: between two comparisons of everything there with everything recorded.
        rehash_seconds: between two sweeps that hash every byte again.
        max_file_bytes: larger files are listed, and not hashed.
    """

    url: str | UnsetType = UNSET
    auth: Auth | UnsetType = UNSET
    username: str | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    ca_pem: str | UnsetType = UNSET
    client_certificate_pem: str | UnsetType = UNSET
    client_key_pem: str | UnsetType = UNSET
    webhook_secret: str | UnsetType = UNSET
    proxy: str | UnsetType = UNSET
    data_roots: list[str] | UnsetType = UNSET
    requests_per_second: int | UnsetType = UNSET
    poll_seconds: int | UnsetType = UNSET
    sweep_seconds: int | UnsetType = UNSET
    rehash_seconds: int | UnsetType = UNSET
    max_file_bytes: int | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


def name(text: str) -> str:
    """A source's name. Raises: MalformedError."""
    if not NAME.fullmatch(text):
        raise MalformedError(
            "A name has 1 to 63 of a-z, 0-9 and -, and does not begin with -.",
            where="name",
            hint="It never changes: it is part of the identity of each run that is recorded.",
        )
    return text


def url(text: str) -> str:
    """The address in its one form: lower-case host, no default port, no `/` at its end.

    Raises: MalformedError, which does not quote an address that may hold a password.
    """
    return address(text, "url", ("http", "https"), "an address such as https://mlflow.example.com/prefix")


def proxy(text: str) -> str:
    """`http://host:port`, or nothing. Raises: MalformedError."""
    if not text.strip():
        return ""
    found = address(text, "proxy", ("http",), "an address such as http://proxy.example.com:3128")
    if urlsplit(found).path:
        raise MalformedError("A proxy's address has no path.", where="proxy")
    return found


def address(text: str, where: str, schemes: Sequence[str], expected: str) -> str:
    """A server's address in its one form, as `url` and `proxy` say. Raises: MalformedError."""
    text = text.strip()
    wrong = MalformedError(f"Expected {expected}.", where=where)
    if len(text) > MAX_TEXT or not text.isascii() or _NEVER_IN_ADDRESS.search(text):
        raise wrong
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise wrong from None
    if "@" in text:
        raise MalformedError(
            "User and password do not belong in the address; they have fields of their own."
            if where != "proxy"
            else "A proxy's address holds no user or password here.",
            where=where,
        )
    if "?" in text or "#" in text:
        raise MalformedError("The address has no query (?) and no fragment (#).", where=where)
    host, path = parts.hostname or "", parts.path.rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    if parts.scheme not in schemes or not _is_host(host) or not _PREFIX.fullmatch(path):
        raise wrong
    if port == 0 or parts.netloc.lower() not in (shown, f"{shown}:{port}"):
        raise wrong
    if any(step in (".", "..") for step in path.split("/")):
        raise wrong
    own = port is not None and port != {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{shown}{f':{port}' if own else ''}{path}"


def is_host_name(host: str) -> bool:
    """Whether it has the form of a name that can be looked up, in lower case. Digits alone have it too."""
    return len(host) <= 253 and bool(_HOST_NAME.fullmatch(host))


def _is_host(host: str) -> bool:
    if ":" not in host:
        return is_host_name(host)
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def username(text: str) -> str:
    """Raises: MalformedError. Source: RFC 7617, section 2 (no colon)."""
    if len(text) > MAX_TEXT or _CONTROL.search(text) or ":" in text:
        raise MalformedError("A user name has no colon and no control characters.", where="username")
    return text


def secret(text: str, where: str = "secret") -> str:
    """A token or password. Raises: MalformedError, which never quotes it."""
    if len(text) > MAX_SECRET or _CONTROL.search(text):
        raise MalformedError(
            f"A secret is one line of at most {MAX_SECRET} characters, without control characters.",
            where=where,
        )
    return text


def token(text: str) -> str:
    """A bearer token. Raises: MalformedError. Source: RFC 6750, section 2.1."""
    if not text.isascii() or " " in text:
        raise MalformedError("A token has no spaces and only ASCII characters.", where="secret")
    return text


def webhook_secret(text: str) -> str:
    """Raises: MalformedError where it is one that could be guessed."""
    if text and len(text) < MIN_WEBHOOK_SECRET:
        raise MalformedError(f"It needs at least {MIN_WEBHOOK_SECRET} characters.", where="webhook_secret")
    return secret(text, "webhook_secret")


def data_roots(folders: Sequence[str]) -> list[str]:
    """Folders, normalized, each under a storage root. Raises: MalformedError."""
    if len(folders) > MAX_ROOTS:
        raise MalformedError(f"At most {MAX_ROOTS} folders.", where="data_roots")
    return list(dict.fromkeys(_data_root(folder.strip()) for folder in folders if folder.strip()))


def _data_root(folder: str) -> str:
    if not folder.startswith("/") or len(folder) > MAX_TEXT or _CONTROL.search(folder):
        raise MalformedError("Each folder is an absolute path.", where="data_roots")
    found = os.path.normpath("/" + folder.lstrip("/"))
    roots = [str(root) for root in current().storage_roots]
    if not any(found == root or found.startswith(root + "/") for root in roots):
        raise MalformedError(
            f"{found} is under none of the storage roots" + (f" ({', '.join(roots)})." if roots else "."),
            where="data_roots",
            hint="Name its root in LINEAGE_STORAGE_ROOTS first.",
        )
    return found


def number(field: str, value: int) -> int:
    """Raises: MalformedError for one that is out of its range."""
    least, most = RANGES[field]
    if not least <= value <= most:
        raise MalformedError(f"Expected a whole number from {least:,} to {most:,}.", where=field)
    return value

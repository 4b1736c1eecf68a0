"""Whom a connection to an MLflow server trusts, and how it signs in.

Owns: `Settings` and what follows from them. Does not own: requests (`connection`), which addresses are
allowed (`lineage.net.guard`), keeping secrets (`lineage.services.sources`).
"""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlsplit

from lineage.mlflow import failures
from lineage.mlflow.errors import SourceError
from lineage.net import guard, tls
from lineage.net.errors import RefusedAddressError

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
"""The last part of a host that is an address, in whichever way it is written (WHATWG URL, 3.5)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to talk to one server. `url`: http(s)://host[:port][/prefix], without user info and query.

    `secret` is a bearer token, or the password of `username`; PEMs are texts; `private_networks` are CIDRs in
    which a private address is allowed.
    """

    url: str
    auth: Literal["none", "token", "basic"] | str = "none"
    username: str = ""
    secret: str = field(default="", repr=False)
    ca_pem: str = ""
    client_certificate_pem: str = ""
    client_key_pem: str = field(default="", repr=False)
    proxy: str = ""
    requests_per_second: float = 200.0
    connections: int = 8
    private_networks: tuple[str, ...] = ()


def headers(settings: Settings) -> dict[str, str]:
    """What goes with every request. Raises SourceError where the token can't."""
    found = {"Accept-Encoding": "identity", "User-Agent": "lineage-collector"}
    # What can't stand in a header would be quoted whole in the error of whoever puts it there.
    if settings.auth == "token":
        if not re.fullmatch(r"[\x21-\x7e]+", settings.secret):
            raise SourceError("unauthorized", "The token is empty, or has spaces or characters beyond ASCII.")
        found["Authorization"] = f"Bearer {settings.secret}"
    elif settings.auth == "basic":
        pair = f"{settings.username}:{settings.secret}".encode()
        found["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return found


def secrets(settings: Settings) -> list[str]:
    """The forms in which a server may quote what we sign in with, the longest first."""
    if not settings.secret:
        return []
    pair = base64.b64encode(f"{settings.username}:{settings.secret}".encode()).decode()
    forms = {settings.secret, quote(settings.secret, safe=""), pair, json.dumps(settings.secret)[1:-1]}
    return sorted(forms, key=len, reverse=True)


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Verifying; with the source's own anchors beside the system's, and its client certificate. None where
    it has neither.

    Raises: SourceError `tls` where a PEM can't be used.
    """
    if not (settings.ca_pem or settings.client_certificate_pem):
        return None
    try:
        return tls.context(settings.ca_pem, settings.client_certificate_pem, settings.client_key_pem)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SourceError(
            "tls", f"The source's certificates can't be used: {failures.said(error)}"
        ) from error


def check_literal(url: str, allowed: Sequence[guard.Network]) -> None:
    """A proxy resolves names itself; an address that stands in the URL is ours to judge.

    Raises: SourceError.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        if host == "localhost" or host.endswith(".localhost"):
            guard.check("127.0.0.1", allowed)
        elif ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
            guard.check(host, allowed)
    except RefusedAddressError as error:
        raise failures.refused(error) from error

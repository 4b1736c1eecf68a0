"""Getting into an OCI registry: without a name, by password, by a token from a token service.

Owns: what a challenge is answered with, and that a password goes to nobody but the registry and the token
service that was configured for it. Does not own: what is read (`oci`).
Source: Docker Registry HTTP API V2, token authentication; RFC 9110, section 11.6.1.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec
from urllib3.response import BaseHTTPResponse

from lineage.artifacts.storage import web
from lineage.artifacts.storage.base import Access, GoneError
from lineage.artifacts.storage.web import Web
from lineage.net.sockets import leave

MAX_TOKEN_BYTES = 1 << 20
_SCHEME = re.compile(r"(?:^|,)\s*(Basic|Bearer)\s", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)="([^"\\]*)"', re.IGNORECASE)


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Entrance:
    """Signs in at one registry as often as that is asked for; threads may share it.

    `access.endpoint`: the token service, where it is on another host than the registry.
    """

    def __init__(self, access: Access, base: str, pool: Web) -> None:
        self._access = access
        self._host = urlsplit(base).hostname
        self._web = pool
        self._lock = threading.Lock()
        self._given: dict[str, str] = {}
        self._known = web.bearer(access.token) if access.token else ""

    def ask(self, method: str, url: str, headers: Mapping[str, str], scope: str) -> BaseHTTPResponse:
        """The registry's answer, signed in where it wants that. `scope`: what a token is asked for."""
        sent = self._given.get(scope, self._known)
        answer = self._web.ask(method, url, {**headers, **_authorization(sent)})
        if answer.status != 401 or (self._known and sent == self._known):
            return answer
        challenge = answer.headers.get("WWW-Authenticate", "")
        leave(answer)
        with self._lock:
            if self._given.get(scope, self._known) == sent:  # else another thread has signed in meanwhile
                self._given[scope] = self._answer(challenge, scope)
            sent = self._given[scope]
        return self._web.ask(method, url, {**headers, **_authorization(sent)})

    def _answer(self, challenge: str, scope: str) -> str:
        scheme = _SCHEME.search(challenge)
        kind = scheme[1].lower() if scheme else ""
        if kind == "basic":
            if not self._access.username:
                raise GoneError("The registry wants a user and a password, and none is configured.")
            return web.basic(self._access.username, self._access.secret)
        if kind == "bearer":
            told = {name.lower(): value for name, value in _PARAMETER.findall(challenge)}
            return web.bearer(self._token(told.get("realm", ""), told.get("service", ""), scope))
        raise GoneError("The registry refuses us, and does not say how to sign in.")

    def _token(self, realm: str, service: str, scope: str) -> str:
        query = urlencode({name: value for name, value in (("service", service), ("scope", scope)) if value})
        url = f"{realm}{'&' if '?' in realm else '?'}{query}"
        with self._web.answer("GET", url, self._sign_in_at(realm)) as answer:
            if answer.status != 200:
                raise GoneError(f"The registry's token service refuses us (HTTP {answer.status}).")
            try:
                found = msgspec.json.decode(web.whole(answer, MAX_TOKEN_BYTES), type=_Token)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise GoneError("The registry's token service gives no token.") from error
        return found.token or found.access_token

    def _sign_in_at(self, realm: str) -> dict[str, str]:
        """Headers for the token service that the registry names. Its word alone gives nobody a password."""
        try:
            parts = urlsplit(realm)
            host, odd = parts.hostname, parts.username is not None or bool(parts.fragment)
        except ValueError:
            host, odd = None, True
        allowed = {"https", "http"} if self._access.insecure_http else {"https"}
        if odd or not host or parts.scheme not in allowed:
            raise GoneError("The registry names a token service at an address that is not used.")
        if not self._access.username:
            return {}
        if host not in {self._host, self._service()}:
            raise GoneError(
                f"The registry sends us to {host[:200]} to sign in, which is another host.",
                hint="Where that is its token service, name it as the storage's endpoint.",
            )
        return _authorization(web.basic(self._access.username, self._access.secret))

    def _service(self) -> str | None:
        return urlsplit(web.endpoint(self._access)).hostname if self._access.endpoint else None


def _authorization(value: str) -> dict[str, str]:
    return {"Authorization": value} if value else {}

"""Requests to storages over HTTP(S): guarded, retried with pauses, and what went wrong in words.

Owns: connections, tries, limits of time and size, from a status to an error. Does not own: what is asked, as
whom, and bytes of files (`ranged`). No redirect is followed here.
"""

from __future__ import annotations

import base64
import random
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as TooSlowError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from lineage.artifacts.storage.base import Access, GoneError, MissingError
from lineage.errors import InconclusiveError
from lineage.net import guard, tls
from lineage.net.errors import RefusedAddressError
from lineage.net.patience import Patience
from lineage.net.sockets import guarded, leave

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
"""Between two packets."""
TRIES = 4
BACKOFF_SECONDS = 0.3
"""Before the third try; the second comes at once, and each further one waits twice as long."""
CONNECTIONS = 16
"""Kept for reuse; more are made where more threads read."""
MAX_DOCUMENT_BYTES = 64 << 20
"""Of a listing's page, a manifest, a token."""
PART_BYTES = 1 << 20
SLOW_SECONDS = 300.0
SLOWEST_BYTES_A_SECOND = 10_000
"""What is slower than both together is given up: one byte a minute is in time for every read."""
_AWAY = (502, 503, 504)
_AGAIN = (408, 429, 500, *_AWAY)

Headers = Mapping[str, str]


class Web:
    """Requests of one storage; threads may share it."""

    def __init__(self, networks: tuple[str, ...] = (), ca_pem: str = "") -> None:
        try:
            own: dict[str, Any] = {"ssl_context": tls.context(ca_pem)} if ca_pem else {}
            allowed = guard.networks(networks)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise GoneError(f"The storage's settings can't be used: {error}") from error
        self.pool = urllib3.PoolManager(
            num_pools=8,
            maxsize=CONNECTIONS,
            timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            **own,
        )
        guarded(self.pool, allowed)

    @classmethod
    def of(cls, access: Access) -> Web:
        return cls(access.private_networks, access.ca_pem)

    def close(self) -> None:
        for key in self.pool.pools.keys():  # noqa: SIM118 not a dict: it can't be iterated
            self.pool.pools[key].close()
        self.pool.clear()

    def ask(self, method: str, url: str, headers: Headers, body: bytes | None = None) -> BaseHTTPResponse:
        """The answer with its head, whatever its status; whoever asked has to `leave` it. Redirects are
        answers. Tried again where the server is away or busy. Raises: GoneError."""
        sent = {"Accept-Encoding": "identity", "User-Agent": "lineage", **headers}
        for number in range(1, TRIES + 1):
            try:
                # urllib3's own tries would write the URL, which may have a signature in it, to the log.
                answer = self.pool.urlopen(
                    method, url, body=body, headers=sent, redirect=False, preload_content=False, retries=False
                )
            except RefusedAddressError as error:
                raise GoneError(error.message, hint=error.hint) from error
            except HTTPError as error:
                if number == TRIES or isinstance(_reason(error), SSLError):
                    raise GoneError(_words(error)) from error
                _pause(number, None)
            else:
                if answer.status not in _AGAIN or number == TRIES:
                    return answer
                _pause(number, answer)
                leave(answer)
        raise AssertionError("the last try answers or raises")

    @contextmanager
    def answer(
        self, method: str, url: str, headers: Headers, body: bytes | None = None
    ) -> Iterator[BaseHTTPResponse]:
        """`ask`, and `leave` after the block."""
        found = self.ask(method, url, headers, body)
        try:
            yield found
        finally:
            leave(found)


def whole(answer: BaseHTTPResponse, most: int = MAX_DOCUMENT_BYTES) -> bytes:
    """All bytes of a document. Raises: InconclusiveError."""
    parts, size, began = [], 0, time.monotonic()
    try:
        while part := answer.read1(PART_BYTES, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > most:
                raise InconclusiveError(f"The server's answer has more than {most:,} bytes.")
            if time.monotonic() - began > SLOW_SECONDS + size / SLOWEST_BYTES_A_SECOND:
                raise InconclusiveError("The server's answer comes too slowly.")
    except (HTTPError, OSError) as error:
        raise InconclusiveError("The connection ended before the answer was complete.") from error
    if answer.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
        raise InconclusiveError("The server's answer is compressed, which it was not asked to be.")
    return b"".join(parts)


def xml(content: bytes) -> Element:
    """Raises: InconclusiveError. A document type, which no answer has, would be where entities are."""
    from xml.etree import ElementTree  # 1.6 MB, which no web process needs

    try:
        document = content.decode("utf-8-sig")
        if "<!DOCTYPE" in document:
            raise InconclusiveError("The server's answer has a document type.")
        return ElementTree.fromstring(document)  # noqa: S314 without entities
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        raise InconclusiveError("The server's answer is not the XML that the service would give.") from error


def refuse(answer: BaseHTTPResponse, name: str) -> NoReturn:
    """Say what a status that is no success means for `name`.

    Raises: GoneError, MissingError, InconclusiveError.
    """
    status = answer.status
    if status == 401:
        raise GoneError("The server refuses our credentials (HTTP 401).")
    if status in {404, 410}:
        raise MissingError(f"{name} is not there (HTTP {status}).")
    if status == 403:
        raise InconclusiveError(f"The server does not let us read {name} (HTTP 403).")
    if status in _AWAY:
        raise GoneError(f"The server is away (HTTP {status}).")
    if 300 <= status < 400:
        raise InconclusiveError(f"The server redirects {name} (HTTP {status}), which is not followed.")
    raise InconclusiveError(f"The server answers HTTP {status} for {name}.")


def gone(answer: BaseHTTPResponse, what: str) -> GoneError:
    """`what` does not let us in."""
    return GoneError(f"{what} does not let us in (HTTP {answer.status}).")


def endpoint(access: Access) -> str:
    """The address of a service, without a slash at its end. TLS is only left out where that is said.

    Raises: GoneError for what is no address, or has a query or user info.
    """
    scheme, _, rest = access.endpoint.rpartition("://")
    scheme = scheme or ("http" if access.insecure_http else "https")
    authority, _, path = rest.rstrip("/").partition("/")
    server = re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", authority, re.ASCII)
    if scheme not in {"http", "https"} or not server or set(path) & set("?#@"):
        raise GoneError("The storage's endpoint is not the address of a server.")
    return f"{scheme}://{authority}" + (f"/{path}" if path else "")


def basic(username: str, password: str) -> str:
    """The value of `Authorization`. Source: RFC 7617."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def bearer(token: str) -> str:
    """The value of `Authorization`. Source: RFC 6750. Raises: GoneError for what can't stand in a header."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise GoneError("The storage's token is empty, or has spaces or characters beyond ASCII.")
    return f"Bearer {token}"


def _pause(number: int, answer: BaseHTTPResponse | None) -> None:
    told = None if answer is None else Patience(0).get_retry_after(answer)
    own = BACKOFF_SECONDS * 2 ** (number - 1) * random.uniform(1, 2)  # noqa: S311 so that not all come at once
    if number == 1 and answer is None:
        own = 0.0  # a kept connection that the server has ended: a new one will do
    time.sleep(own if told is None else told)


def _reason(error: HTTPError) -> Exception:
    return error.reason if isinstance(error, MaxRetryError) and error.reason else error


def _words(error: HTTPError) -> str:
    """Without the URL: a signature may be in it."""
    reason = _reason(error)
    cause = reason.__cause__ or reason
    if isinstance(reason, NameResolutionError):
        return "The server's name does not resolve to an address."
    if isinstance(reason, SSLError):
        return f"No trusted TLS connection to the server: {str(cause)[:200]}"
    if isinstance(reason, TooSlowError) and not isinstance(reason, NewConnectionError):
        return "The server did not answer in time."
    if isinstance(reason, NewConnectionError):
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no connection"
        return f"The server can't be reached: {why}."
    return "The server ended the connection without an answer."

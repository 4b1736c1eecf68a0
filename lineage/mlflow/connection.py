"""HTTP to one MLflow server: whom we trust, how we sign in, how often, how long, how much, what went wrong.

Owns: `Settings`, retries, pace, the circuit, every limit. Does not own: which addresses are allowed
(`guard`), MLflow's calls (`api`).
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    IncompleteRead,
    InvalidChunkLength,
    InvalidHeader,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TooSlowError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from lineage.mlflow import masking
from lineage.mlflow.errors import SourceError
from lineage.net import guard, tls
from lineage.net.errors import RefusedAddressError
from lineage.net.patience import Patience
from lineage.net.sockets import guarded, leave

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
"""Between two packets; a page of a thousand runs takes MLflow seconds."""
MAX_ANSWER_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
RETRIES = 3
BACKOFF_SECONDS = 0.3
"""Before the second retry; each further one waits twice as long."""
CIRCUIT = 5
"""Calls in a row that came to nothing, after which the server is left alone for this visit."""
SLOW_SECONDS = 300.0
SLOWEST_BYTES_A_SECOND = 10_000
"""An answer that is slower than both together is given up: one byte a minute is in time for every read."""
PART_BYTES = 1 << 18
MAX_SAID = 300
MAX_READ_FOR_SAID = 1 << 14
"""More than is said, so that a secret that stands across the end is seen whole."""
_JSON = "application/json"
_AWAY = (502, 503, 504)
"""What a gateway says while the server behind it does not answer."""

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
"""The last part of a host that is an address, in whichever way it is written (WHATWG URL, 3.5)."""
_OBJECT = msgspec.json.Decoder(dict[str, Any])


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


class Connection:
    """Up to `settings.connections` kept-alive connections; threads may share it. A context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._base = settings.url.rstrip("/")
        self._allowed = guard.networks(settings.private_networks)
        self._secrets = _secrets(settings)
        self._pool = self._manager()
        self._lock = threading.Lock()
        self._next = 0.0
        self._failed = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for key in self._pool.pools.keys():  # noqa: SIM118 not a dict: it can't be iterated
            self._pool.pools[key].close()
        self._pool.clear()

    def json(
        self,
        method: Literal["GET", "POST"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """The JSON object of the answer; None where the server says that there is no such thing.

        Raises: SourceError.
        """
        content = None if body is None else msgspec.json.encode(body)
        with self._answer(method, path, query, content) as answer:
            if answer.status == 404:
                _expect_missing(self._whole(answer))
                return None
            self._expect_success(answer)
            try:
                return _OBJECT.decode(self._whole(answer))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                raise SourceError(
                    "not-mlflow", f"The answer to {path} is not a JSON object: is this an MLflow server?"
                ) from None

    def text(self, path: str, most: int = 200) -> str:
        """A short plain answer. Raises SourceError."""
        with self._answer("GET", path, None, None) as answer:
            self._expect_success(answer)
            return self._whole(answer, most).decode("utf-8", "replace").strip()

    @contextmanager
    def stream(self, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer in chunks; what the server announced and did not send is `cut-off`.

        Raises: SourceError, also while chunks are read.
        """
        with self._answer("GET", path, query, None) as answer:
            self._expect_success(answer)
            if "Content-Length" not in answer.headers and "Transfer-Encoding" not in answer.headers:
                raise SourceError("cut-off", "The answer does not say where it ends.")
            yield self._chunks(answer)

    def open(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> BaseHTTPResponse:
        """An answer of any status of which the head was read. Whoever asked has to `leave` it.

        Raises: SourceError.
        """
        with self._failures():
            return self._asked("GET", path, query, None, headers or {})

    # How

    def _manager(self) -> urllib3.PoolManager:
        settings = self.settings
        options: dict[str, Any] = {
            "num_pools": 2,
            "maxsize": settings.connections,
            "block": True,
            "timeout": Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            "ssl_context": _tls(settings),
            "headers": self._headers(),
        }
        if settings.proxy:
            self._check_literal()
            manager: urllib3.PoolManager = urllib3.ProxyManager(settings.proxy, **options)
        else:
            manager = urllib3.PoolManager(**options)
        guarded(manager, self._allowed)
        return manager

    def _check_literal(self) -> None:
        """A proxy resolves names itself; an address that stands in the URL is ours to judge."""
        host = (urlsplit(self._base).hostname or "").rstrip(".")
        try:
            if host == "localhost" or host.endswith(".localhost"):
                guard.check("127.0.0.1", self._allowed)
            elif ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]):
                guard.check(host, self._allowed)
        except RefusedAddressError as error:
            raise _refused(error) from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "User-Agent": "lineage-collector"}
        # What can't stand in a header would be quoted whole in the error of whoever puts it there.
        if self.settings.auth == "token":
            if not re.fullmatch(r"[\x21-\x7e]+", self.settings.secret):
                raise SourceError(
                    "unauthorized", "The token is empty, or has spaces or characters beyond ASCII."
                )
            headers["Authorization"] = f"Bearer {self.settings.secret}"
        elif self.settings.auth == "basic":
            pair = f"{self.settings.username}:{self.settings.secret}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers

    @contextmanager
    def _answer(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> Iterator[BaseHTTPResponse]:
        answer = None
        try:
            with self._failures():
                answer = self._asked(method, path, query, body, {"Content-Type": _JSON} if body else {})
                yield answer
                with self._lock:
                    self._failed = 0
        finally:
            if answer is not None:
                leave(answer)  # one that was read whole has given its connection back already

    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> BaseHTTPResponse:
        if self._failed >= CIRCUIT:
            raise SourceError("unreachable", f"The server failed {CIRCUIT} times in a row; it is left alone.")
        self._keep_pace()
        return self._pool.request(
            method,
            f"{self._base}/{path}",
            fields=dict(query) if query else None,
            body=body,
            headers={**self._pool.headers, **headers},
            redirect=False,
            preload_content=False,
            retries=_patience(),
        )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What goes wrong in the block, as SourceError."""
        try:
            yield
        except HTTPError as error:
            raise self._failure(error) from error
        except RefusedAddressError as error:
            raise _refused(error) from error
        except SourceError as error:
            if error.trouble == "too-many-requests":
                self._count()
            raise

    def _keep_pace(self) -> None:
        """No more requests a second than the source's operator allows."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now)
            wait, self._next = self._next - now, self._next + 1 / self.settings.requests_per_second
        if wait > 0:
            time.sleep(wait)

    def _count(self) -> None:
        with self._lock:
            self._failed += 1

    def _failure(self, error: HTTPError, *, begun: bool = False) -> SourceError:
        """What `error` means. `begun`: the server is there, and only this answer has ended."""
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(reason.__cause__, RefusedAddressError):
            return _refused(reason.__cause__)
        found = _meaning(reason)
        about_one = found.trouble == "cut-off" and (begun or not isinstance(reason, ProtocolError))
        if found.trouble not in {"tls", "bad-answer"} and not about_one:
            self._count()
        return found

    def _expect_success(self, answer: BaseHTTPResponse) -> None:
        status = answer.status
        if status == 200:
            return
        said = self._beginning(answer)
        if status in {401, 403}:
            raise SourceError("unauthorized", f"The server refuses our credentials (HTTP {status}).")
        if status == 429:
            raise SourceError("too-many-requests", "The server says that we ask too often (HTTP 429).")
        if status in _AWAY:
            self._count()
        if status >= 500:
            raise SourceError("server-error", f"The server failed with HTTP {status}: {said}")
        if 300 <= status < 400:
            raise SourceError("bad-answer", f"The server redirects (HTTP {status}), which is not followed.")
        raise SourceError("bad-answer", f"The server answers HTTP {status}: {said}")

    def _beginning(self, answer: BaseHTTPResponse) -> str:
        """What it says besides its status, for people: without secrets, also ours, which it may quote."""
        said = b""
        with suppress(HTTPError, SourceError):
            for chunk in self._chunks(answer, MAX_READ_FOR_SAID):
                said += chunk
                if len(said) >= MAX_READ_FOR_SAID:
                    break
        text = said.decode("utf-8", "replace").replace("\0", "\u2400")
        for secret in self._secrets:
            text = text.replace(secret, masking.MASK)
        return masking.text(text)[:MAX_SAID]

    def _whole(self, answer: BaseHTTPResponse, most: int = MAX_ANSWER_BYTES) -> bytes:
        parts, size = [], 0
        for chunk in self._chunks(answer):
            size += len(chunk)
            if size > most:
                raise SourceError("too-large", f"The answer has more than {most:,} bytes.")
            parts.append(chunk)
        return b"".join(parts)

    def _chunks(self, answer: BaseHTTPResponse, size: int = CHUNK_BYTES) -> Iterator[bytes]:
        """Its bytes, about `size` at a time."""
        parts: list[bytes] = []
        held, received, waited = 0, 0, 0.0
        while part := self._part(answer):
            parts.append(part[0])
            held, received, waited = held + len(part[0]), received + len(part[0]), waited + part[1]
            if waited > SLOW_SECONDS + received / SLOWEST_BYTES_A_SECOND:
                raise SourceError("timeout", "The answer comes too slowly.")
            if held >= size:
                yield b"".join(parts)
                parts, held = [], 0
        if parts:
            yield b"".join(parts)

    def _part(self, answer: BaseHTTPResponse) -> tuple[bytes, float] | None:
        """What has come, and how many seconds it took; None after the last."""
        began = time.monotonic()
        try:
            # As it was sent: a stored file is hashed as it is, and nothing unfolds to more than was sent.
            part = answer.read1(PART_BYTES, decode_content=False)
        except HTTPError as error:
            raise self._failure(error, begun=True) from error
        return (part, time.monotonic() - began) if part else None


def _meaning(reason: BaseException) -> SourceError:
    if isinstance(reason, SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(reason):
            return SourceError("tls", f"The server's certificate was not accepted: {_said(reason)}")
        return SourceError(
            "tls", f"No TLS connection; the server may want a client certificate: {_said(reason)}"
        )
    if isinstance(reason, InvalidHeader):
        return SourceError("bad-answer", "The answer contradicts itself about its length.")
    if isinstance(reason, TooSlowError) and not isinstance(reason, NewConnectionError):
        return SourceError("timeout", f"The server did not answer within {READ_SECONDS:.0f} s.")
    if isinstance(reason, ProtocolError | IncompleteRead | InvalidChunkLength | DecodeError):
        return SourceError("cut-off", "The connection ended before the answer was complete.")
    return SourceError("unreachable", f"The server can't be reached: {_said(reason)}")


def _refused(error: RefusedAddressError) -> SourceError:
    return SourceError("refused-address", error.message, hint=error.hint)


def _patience() -> Retry:
    # Our POSTs are searches, which may be asked twice.
    return Patience(
        total=RETRIES,
        redirect=0,
        status_forcelist=(429, *_AWAY),
        allowed_methods=None,
        backoff_factor=BACKOFF_SECONDS,
        backoff_jitter=BACKOFF_SECONDS,
        raise_on_status=False,
        raise_on_redirect=False,
    )


def _expect_missing(content: bytes) -> None:
    """A 404 that MLflow itself gives. Raises SourceError for anybody else's."""
    try:
        code = _OBJECT.decode(content).get("error_code")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        code = None
    if code != "RESOURCE_DOES_NOT_EXIST":
        raise SourceError(
            "not-mlflow", "The server has no such address (HTTP 404): is this an MLflow server?"
        )


def _secrets(settings: Settings) -> list[str]:
    """The forms in which a server may quote what we sign in with, the longest first."""
    if not settings.secret:
        return []
    pair = base64.b64encode(f"{settings.username}:{settings.secret}".encode()).decode()
    forms = {settings.secret, quote(settings.secret, safe=""), pair, json.dumps(settings.secret)[1:-1]}
    return sorted(forms, key=len, reverse=True)


def _tls(settings: Settings) -> ssl.SSLContext:
    """Verifying; with the source's own anchors beside the system's, and its client certificate.

    Raises: SourceError `tls` where a PEM can't be used.
    """
    try:
        return tls.context(settings.ca_pem, settings.client_certificate_pem, settings.client_key_pem)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise SourceError("tls", f"The source's certificates can't be used: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return masking.text(str(error))[:MAX_SAID]

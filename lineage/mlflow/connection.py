"""HTTP to one MLflow server: how often, how long, how much.

Owns: retries, pace, the circuit, every limit. Does not own: signing in (`access`), what an exception means
(`failures`), which addresses are allowed (`lineage.net.guard`), MLflow's calls (`api`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from lineage.mlflow import access, failures, masking
from lineage.mlflow.access import Settings
from lineage.mlflow.errors import SourceError
from lineage.net import guard
from lineage.net.errors import RefusedAddressError
from lineage.net.patience import Patience
from lineage.net.sockets import guarded, leave

__all__ = ["Connection", "Settings"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0
"""Between two packets; a page of a thousand runs takes MLflow seconds."""
MAX_ANSWER_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
RETRIES = 3
BACKOFF_SECONDS = 0.3
"""Before the second retry; each further one waits twice as long."""
CIRCUIT = 5
"""Calls in a row that came to nothing, after which `PROBE` says whether the server is asked on."""
PROBE = "api/2.0/mlflow/experiments/search"
"""Whoever may sign in is given it. The server needs its database for it, and no store of files."""
SLOW_SECONDS = 300.0
SLOWEST_BYTES_A_SECOND = 10_000
"""An answer that is slower than both together is given up: one byte a minute is in time for every read."""
PART_BYTES = 1 << 18
MAX_READ_FOR_SAID = 1 << 14
"""More than is said, so that a secret that stands across the end is seen whole."""
_JSON = "application/json"
_AWAY = (502, 503, 504)
"""What a gateway says while the server behind it does not answer."""
_ONE = b'{"max_results": 1}'

_OBJECT = msgspec.json.Decoder(dict[str, Any])


class Connection:
    """Up to `settings.connections` kept-alive connections; threads may share it. A context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._base = settings.url.rstrip("/")
        self._allowed = guard.networks(settings.private_networks)
        self._secrets = access.secrets(settings)
        self._pool = self._manager()
        self._lock = threading.Lock()
        self._next = 0.0
        self._failed = 0
        self._probing = threading.Lock()
        self._away = False

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
                failures.expect_missing(self._whole(answer))
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
        self._expect_there()
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
            "headers": access.headers(settings),
        }
        if own := access.tls_context(settings):
            options["ssl_context"] = own
        if settings.proxy:
            access.check_literal(self._base, self._allowed)
            manager: urllib3.PoolManager = urllib3.ProxyManager(settings.proxy, **options)
        else:
            manager = urllib3.PoolManager(**options)
        guarded(manager, self._allowed)
        return manager

    @contextmanager
    def _answer(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> Iterator[BaseHTTPResponse]:
        self._expect_there()
        with self._given(method, path, query, body) as answer:
            yield answer

    def _expect_there(self) -> None:
        """Once CIRCUIT calls in a row came to nothing, one thread asks PROBE while all others wait for it.

        A server whose store keeps back the files of some models gives all else: it is asked on. One that
        does not answer that either is left alone for this visit.

        Raises: SourceError.
        """
        if self._failed < CIRCUIT:
            return
        with self._probing:
            if self._failed >= CIRCUIT:
                self._away = self._away or not self._answers()
                if self._away:
                    raise SourceError(
                        "unreachable", f"The server failed {CIRCUIT} times in a row; it is left alone."
                    )

    def _answers(self) -> bool:
        """Whether the server gives its experiments; then it has not failed."""
        try:
            with self._given("POST", PROBE, None, _ONE) as answer:
                self._expect_success(answer)
                self._whole(answer)
        except SourceError:
            return False
        return True

    @contextmanager
    def _given(
        self, method: str, path: str, query: Mapping[str, str] | None, body: bytes | None
    ) -> Iterator[BaseHTTPResponse]:
        """An answer, whatever came of the calls before."""
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
            raise failures.refused(error) from error
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
            return failures.refused(reason.__cause__)
        found = failures.meaning(reason, read_seconds=READ_SECONDS)
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
        return masking.text(text)[: failures.MAX_SAID]

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

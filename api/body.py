"""Reading a request's body under its limit.

Owns: which media types a body may have, how many bytes of it are read. Does not own: what the bytes mean.
The body is read after the caller is known, and never through `HttpRequest.body`, whose limits are not these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, cast

import msgspec
from django.core.handlers.wsgi import WSGIRequest
from rest_framework.request import Request

from lineage.errors import MalformedError, TooLargeError, UnsupportedMediaTypeError
from lineage.trust import strictjson

ENVELOPE_TYPES = (
    "application/json",
    "application/vnd.in-toto+json",
    "application/vnd.dsse.envelope.v1+json",
    "application/vnd.dev.sigstore.bundle+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
)
SET_TYPES = ("application/x-ndjson", "application/vnd.in-toto.bundle")
MAX_JSON_BYTES = 1 << 20
"""Bodies of calls that are not attestations: a key, a reason."""
CHUNK_BYTES = 1 << 16

_NOT_SPACE = re.compile(rb"\S")

T = TypeVar("T")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def encoding(request: Request) -> str:
    """The body's Content-Encoding in lower case, "" without one."""
    return str(request.META.get("HTTP_CONTENT_ENCODING", "")).strip().lower()


def media_type(
    request: Request, allowed: tuple[str, ...], encodings: tuple[str, ...] = ("", "identity")
) -> str:
    """The lower-case media type without parameters. Raises: UnsupportedMediaTypeError."""
    django_request = cast(WSGIRequest, request._request)
    found = (django_request.content_type or "").lower()
    if found not in allowed:
        raise UnsupportedMediaTypeError(
            f"A body of type {found[:200]!r} is not taken here."
            if found
            else "The body has no Content-Type.",
            hint="Send one of: " + ", ".join(allowed) + ".",
        )
    if encoding(request) not in encodings:
        raise UnsupportedMediaTypeError(
            f"A body with Content-Encoding {encoding(request)[:40]!r} is not taken here.",
            hint="Send it uncompressed.",
        )
    return found


def read(request: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes.

    A body without Content-Length (chunked, or HTTP/2) is read to its end; Django itself would take it for
    empty. That needs a server that marks the end (`wsgi.input_terminated`), as granian does; elsewhere
    reading on could wait for ever, and the body counts as empty.
    Raises: TooLargeError, before anything is read where Content-Length says so and else as soon as the limit
    is passed; MalformedError where the connection ends before the body does.
    Source: PEP 3333 (CONTENT_LENGTH may be absent); RFC 9112 section 6.3.
    """
    wsgi_request = cast(WSGIRequest, request._request)
    return read_from(wsgi_request, wsgi_request.environ, limit)


def read_from(source: Readable, environ: Mapping[str, Any], limit: int) -> bytes:
    """The same of what the server hands over: `source` is read as far as Content-Length says."""
    try:
        if environ.get("CONTENT_LENGTH"):
            return _read_length(source, int(environ["CONTENT_LENGTH"]), limit)
        if environ.get("wsgi.input_terminated"):
            return _read_to_end(environ["wsgi.input"], limit)
    except OSError as error:
        raise MalformedError("The body broke off before its end.") from error
    return b""


def _read_length(source: Readable, length: int, limit: int) -> bytes:
    if length > limit:
        raise TooLargeError(f"The body has {length:,} bytes; the limit is {limit:,}.", limit=limit)
    chunks: list[bytes] = []
    missing = length
    while missing and (chunk := source.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    if missing:
        raise MalformedError(f"The body broke off {missing:,} bytes before its Content-Length.")
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _read_to_end(source: Readable, limit: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    while chunk := source.read(CHUNK_BYTES):
        chunks.append(chunk)
        length += len(chunk)
        if length > limit:
            raise TooLargeError(f"The body has more than {limit:,} bytes, the limit.", limit=limit)
    return b"".join(chunks)


def read_json(request: Request, form: type[T]) -> T:
    """A small JSON body as the struct that the call takes. Unknown members are refused.

    Raises: UnsupportedMediaTypeError, TooLargeError, MalformedError that names the member.
    """
    media_type(request, ("application/json",))
    data = read(request, MAX_JSON_BYTES)
    strictjson.check(data, what="the body")
    try:
        return msgspec.json.decode(data, type=form)
    except msgspec.ValidationError as error:
        sentence, _, where = str(error).partition(" - at ")
        raise MalformedError(
            sentence + ".", where=where.strip("`"), hint="/api/docs shows the form."
        ) from error
    except msgspec.DecodeError as error:
        raise MalformedError(f"The body is not JSON: {error}.") from error


def lines(data: bytes, most: int) -> list[bytes]:
    """The lines of an attestation set without their endings (`\\n` or `\\r\\n`), blank ones left out.

    Cut one by one, and at most one more than `most`: a set of line ends would else be millions of objects.
    """
    found: list[bytes] = []
    position = 0
    while len(found) <= most and (written := _NOT_SPACE.search(data, position)):
        start = max(position, data.rfind(b"\n", position, written.start()) + 1)
        end = data.find(b"\n", written.start())
        found.append(data[start : end if end >= 0 else len(data)].removesuffix(b"\r"))
        position = end + 1 if end >= 0 else len(data)
    return found

"""Bodies that clients send compressed: gzip, undone under the same limit as a body that is not."""

from __future__ import annotations

import zlib

from rest_framework.request import Request

from api import body
from lineage.errors import MalformedError, TooLargeError

GZIP = ("gzip", "x-gzip")
ENCODINGS = ("", "identity", *GZIP)
_WBITS = 31
"""For zlib: a gzip header and trailer, the largest window."""


def read(request: Request, limit: int) -> bytes:
    """The body, at most `limit` bytes, sent and undone. `media_type` has seen to its encoding.

    Raises: TooLargeError, as soon as the limit is passed; MalformedError for what is no gzip.
    Source: RFC 9110 section 8.4; RFC 1952.
    """
    data = body.read(request, limit)
    return undone(data, limit) if body.encoding(request) in GZIP else data


def undone(data: bytes, limit: int) -> bytes:
    """What gzip made `data` from. Raises: MalformedError; TooLargeError for more than `limit` bytes."""
    parts: list[bytes] = []
    length = 0
    while data or not parts:
        member = zlib.decompressobj(_WBITS)
        try:
            parts.append(member.decompress(data, limit - length + 1))
        except zlib.error as error:
            raise MalformedError("The body is not gzip, though Content-Encoding says so.") from error
        length += len(parts[-1])
        if length > limit:
            raise TooLargeError(f"Undone, the body has more than {limit:,} bytes, the limit.", limit=limit)
        if not member.eof:
            raise MalformedError("The gzip body broke off before its end.")
        data = member.unused_data
    return b"".join(parts)

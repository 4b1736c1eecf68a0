"""How envelopes lie in the database: as one Zstandard frame each, unpacked wherever they are read.

Owns: the stored form, and the ORM field that hides it. Does not own: what an envelope is; its digest is that
of the unpacked bytes, so whoever checks the digest has checked the unpacking too.

**A payload is kept as the bytes that it stands for**, where writing them in base64 again gives what was
there: base64 hides from the compressor what repeats in it. Such a stored content is `_OPENED`, two big-endian
lengths of 4 bytes (what stands before the payload; the payload), and a frame of the envelope with its payload
opened.

Rows from before packing hold the bytes themselves and stay readable: an envelope is JSON, which can't begin
with a frame's magic number, nor with `_OPENED`.
Source: RFC 8878, sections 3.1.1 (frames) and 3.1.1.1 (their headers).
"""

from __future__ import annotations

import binascii
import re
import struct
from typing import Any

import zstandard
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.errors import LogIntegrityError

MAX_UNPACKED_BYTES = 128 << 20
"""A frame that says more is refused before anything is allocated; longer contents are stored unpacked."""
HEADER_BYTES = 27
"""The longest frame header behind two lengths: what `unpacked_length` wants to see of a stored content."""
_MAGIC = zstandard.FRAME_HEADER
_OPENED = b"\x01"
_LENGTHS = struct.Struct(">II")
_FRAME = len(_OPENED) + _LENGTHS.size
_PAYLOAD = re.compile(rb'"payload"\s*:\s*"')
_LEVEL = 3

LARGE_BYTES = 1 << 18
"""What has compressed so much at once is not kept: it has grown to megabytes, and would stay so."""
_compressors: list[zstandard.ZstdCompressor] = []
_decompressors: list[zstandard.ZstdDecompressor] = []
"""Those that are free. Each serves one thread at a time, so there are as many as threads have worked at once,
not one for each thread: after statements of 60 KB each has 0.8 MB."""


def pack(content: bytes, payload: bytes = b"", start: int = 0) -> bytes:
    """The stored form of exact bytes: a frame that says their length, or themselves where that is shorter.

    `payload`: what its payload probably stands for, which spares decoding it; with `start` it surely does,
    and its base64, standard and padded, begins there. Neither changes the form.
    """
    if len(content) > MAX_UNPACKED_BYTES:
        return content
    opened = _opened_at(content, payload, start) if start else _packed_open(content, payload)
    packed = opened or _compressed(content)
    return packed if len(packed) < len(content) or content.startswith((_MAGIC, _OPENED)) else content


def _packed_open(content: bytes, payload: bytes) -> bytes | None:
    """With its payload opened; None where there is none that comes back the same."""
    found = _PAYLOAD.search(content)
    if found is None:
        return None
    start = found.end()
    end = content.find(b'"', start)
    encoded = content[start : max(start, end)]
    if not payload or binascii.b2a_base64(payload, newline=False) != encoded:
        try:
            payload = binascii.a2b_base64(encoded, strict_mode=True)
        except binascii.Error:
            return None
        if binascii.b2a_base64(payload, newline=False) != encoded:
            return None  # bits that no byte needs
    return _opened_at(content, payload, start)


def _opened_at(content: bytes, payload: bytes, start: int) -> bytes:
    end = start + (len(payload) + 2) // 3 * 4
    frame = _compressed(b"".join((content[:start], payload, content[end:])))
    return _OPENED + _LENGTHS.pack(start, len(payload)) + frame


def unpack(stored: bytes) -> bytes:
    """The exact bytes again.

    Raises: LogIntegrityError for a frame that is broken, says no length, or one over `MAX_UNPACKED_BYTES`.
    """
    return opened(stored)[0]


def opened(stored: bytes) -> tuple[bytes, int, bytes]:
    """The exact bytes again, where in them a payload in base64 begins, and what it stands for.

    0 and b"" where none was opened to be stored. Raises: as `unpack`.
    """
    if stored.startswith(_MAGIC):
        return _unframed(stored), 0, b""
    if not stored.startswith(_OPENED):
        return stored, 0, b""
    unpacked_length(stored, len(stored))
    start, length = _LENGTHS.unpack_from(stored, len(_OPENED))
    bare = _unframed(stored[_FRAME:])
    payload = bare[start : start + length]
    encoded = binascii.b2a_base64(payload, newline=False)
    return b"".join((bare[:start], encoded, bare[start + length :])), start, payload


def _unframed(frame: bytes) -> bytes:
    length = _frame_length(frame)
    try:
        content = _decompressed(frame)
    except zstandard.ZstdError as error:
        raise LogIntegrityError(f"a stored envelope can't be unpacked: {error}") from None
    if len(content) != length:
        raise LogIntegrityError("a stored envelope unpacks to another length than it says")
    return content


def unpacked_length(head: bytes, stored_length: int) -> int:
    """What a stored content of this length unpacks to, by its first `HEADER_BYTES`. Raises: as `unpack`."""
    if head.startswith(_MAGIC):
        return _frame_length(head)
    if not head.startswith(_OPENED):
        return stored_length
    if len(head) < _FRAME:
        raise LogIntegrityError("a stored envelope is cut off")
    start, length = _LENGTHS.unpack_from(head, len(_OPENED))
    opened = _frame_length(head[_FRAME:])
    whole: int = opened - length + (length + 2) // 3 * 4
    if start + length > opened or whole > MAX_UNPACKED_BYTES:
        raise LogIntegrityError("a stored envelope says lengths that can't be")
    return whole


def _frame_length(head: bytes) -> int:
    try:
        length = zstandard.frame_content_size(head)
    except zstandard.ZstdError as error:
        raise LogIntegrityError(f"a stored envelope can't be unpacked: {error}") from None
    if not 0 <= length <= MAX_UNPACKED_BYTES:
        raise LogIntegrityError("a stored envelope says no length, or one over the limit")
    return length


def _compressed(content: bytes) -> bytes:
    try:
        compressor = _compressors.pop()
    except IndexError:
        # Neither a checksum nor a dictionary's id: the digest says more, and there is no dictionary.
        compressor = zstandard.ZstdCompressor(_LEVEL, write_checksum=False, write_dict_id=False)
    frame: bytes = compressor.compress(content)
    if len(content) < LARGE_BYTES:
        _compressors.append(compressor)
    return frame


def _decompressed(frame: bytes) -> bytes:
    try:
        decompressor = _decompressors.pop()
    except IndexError:
        decompressor = zstandard.ZstdDecompressor()
    content: bytes = decompressor.decompress(frame, allow_extra_data=False)
    _decompressors.append(decompressor)
    return content


class PackedField(models.BinaryField):  # type: ignore[type-arg]  # generic for the checker alone
    """Bytes that are packed in the database alone. To a migration it is a plain column of bytes."""

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def from_db_value(self, value: Any, *_: Any) -> bytes | None:
        return None if value is None else unpack(bytes(value))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return super().get_db_prep_value(None if value is None else pack(bytes(value)), connection, prepared)

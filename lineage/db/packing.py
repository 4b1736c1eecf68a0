"""How envelopes lie in the database: as one Zstandard frame each, unpacked wherever they are read.

Owns: the stored form, and the ORM field that hides it. Does not own: what an envelope is; its digest is that
of the unpacked bytes, so whoever checks the digest has checked the unpacking too.

Rows from before packing hold the bytes themselves and stay readable: an envelope is JSON, which can't begin
with a frame's magic number. Source: RFC 8878, sections 3.1.1 (frames) and 3.1.1.1 (their headers).
"""

from __future__ import annotations

import threading
from typing import Any

import zstandard
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.errors import LogIntegrityError

MAX_UNPACKED_BYTES = 128 << 20
"""A frame that says more is refused before anything is allocated; longer contents are stored unpacked."""
HEADER_BYTES = 18
"""The longest frame header: how much of a stored content `unpacked_length` wants to see."""
_MAGIC = zstandard.FRAME_HEADER
_LEVEL = 3

_own = threading.local()  # a context serves one thread at a time


def pack(content: bytes) -> bytes:
    """The stored form of exact bytes: a frame that says their length, or themselves where that is shorter."""
    if len(content) > MAX_UNPACKED_BYTES:
        return content
    packed: bytes = _compressor().compress(content)
    return packed if len(packed) < len(content) or content.startswith(_MAGIC) else content


def unpack(stored: bytes) -> bytes:
    """The exact bytes again.

    Raises: LogIntegrityError for a frame that is broken, says no length, or one over `MAX_UNPACKED_BYTES`.
    """
    if not stored.startswith(_MAGIC):
        return stored
    length = unpacked_length(stored, len(stored))
    try:
        content: bytes = _decompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise LogIntegrityError(f"a stored envelope can't be unpacked: {error}") from None
    if len(content) != length:
        raise LogIntegrityError("a stored envelope unpacks to another length than it says")
    return content


def unpacked_length(head: bytes, stored_length: int) -> int:
    """What a stored content of this length unpacks to, by its first `HEADER_BYTES`. Raises: as `unpack`."""
    if not head.startswith(_MAGIC):
        return stored_length
    try:
        length = zstandard.frame_content_size(head)
    except zstandard.ZstdError as error:
        raise LogIntegrityError(f"a stored envelope can't be unpacked: {error}") from None
    if not 0 <= length <= MAX_UNPACKED_BYTES:
        raise LogIntegrityError("a stored envelope says no length, or one over the limit")
    return length


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_own, "compressor"):
        # Neither a checksum nor a dictionary's id: the digest says more, and there is no dictionary.
        _own.compressor = zstandard.ZstdCompressor(_LEVEL, write_checksum=False, write_dict_id=False)
    found: zstandard.ZstdCompressor = _own.compressor
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_own, "decompressor"):
        _own.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _own.decompressor
    return found


class PackedField(models.BinaryField):  # type: ignore[type-arg]  # generic for the checker alone
    """Bytes that are packed in the database alone. To a migration it is a plain column of bytes."""

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def from_db_value(self, value: Any, *_: Any) -> bytes | None:
        return None if value is None else unpack(bytes(value))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return super().get_db_prep_value(None if value is None else pack(bytes(value)), connection, prepared)

"""How digests lie in the database: as the bytes that they stand for, half of what their text takes.

Owns: the stored form, and the ORM field that hides it. To a migration it is a plain column of bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.errors import LogIntegrityError

if TYPE_CHECKING:
    _Text = models.Field[str, str]
else:
    _Text = models.Field

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_PREFIX = "sha256:"
_RAW, _TEXT = b"\x01", b"\x00"


def packed(digest: str) -> bytes:
    """The stored form of `<alg>:<value>`: 1 and 32 bytes of a SHA-256 in lowercase, else 0 and the text."""
    found = _SHA256.fullmatch(digest)
    return _RAW + bytes.fromhex(found[1]) if found else _TEXT + digest.encode()


def unpacked(stored: bytes) -> str:
    """`<alg>:<value>` again. Raises: LogIntegrityError for what `packed` never makes."""
    form, rest = stored[:1], stored[1:]
    if form == _RAW and len(rest) == 32:
        return _PREFIX + rest.hex()
    try:
        text = rest.decode()
    except UnicodeDecodeError:
        text = ""
    if form != _TEXT or not text or _SHA256.fullmatch(text):
        raise LogIntegrityError("a stored subject's digest is in no form that it can have")
    return text


class SubjectDigestField(_Text):
    """`<alg>:<value>` as text, whatever a statement names so. One is asked for, or any of several."""

    def get_internal_type(self) -> str:
        return "BinaryField"

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs

    def from_db_value(self, value: Any, *_: Any) -> str:
        return unpacked(_bytes(value))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> bytes:
        return packed(value)


def _bytes(value: Any) -> bytes:
    """SQLite gives whatever was put into a column."""
    if not isinstance(value, bytes | memoryview):
        raise LogIntegrityError("a stored digest is not bytes")
    return bytes(value)

"""How digests lie in the database: as the bytes that they stand for, half of what their text takes.

Owns: the stored forms, and the ORM fields that hide them. To a migration they are plain columns of bytes.
What is no digest is found nowhere; that none is stored, the tables see to.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db.hidden_fields import HiddenField
from lineage.errors import LogIntegrityError

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
_PREFIX = "sha256:"
_RAW, _TEXT = b"\x01", b"\x00"
_HEX = re.compile(r"[0-9a-f]{64}(?:,[0-9a-f]{64})*", re.ASCII)
_BYTES = 32
_NONE = b""


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


def key_bytes(key_ids: str) -> bytes:
    """The stored form of key ids with commas between them: 32 bytes each; none where it is no such list."""
    return bytes.fromhex(key_ids.replace(",", "")) if _HEX.fullmatch(key_ids) else _NONE


def key_text(stored: bytes) -> str:
    """Key ids with commas between them again. Raises: LogIntegrityError for what `key_bytes` never makes."""
    text = stored.hex()
    if not text or len(stored) % _BYTES:
        raise LogIntegrityError("stored key ids are not of 32 bytes each")
    return ",".join(text[at : at + 64] for at in range(0, len(text), 64))


class _Bytes(HiddenField):
    """Text in Python, bytes in the database."""

    stored = models.BinaryField

    def _packed(self, text: str) -> bytes:
        raise NotImplementedError

    def _unpacked(self, stored: bytes) -> str:
        raise NotImplementedError

    def from_db_value(self, value: Any, *_: Any) -> str:
        return self._unpacked(_bytes(value))

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> bytes:
        return self._packed(value)


class DigestField(_Bytes):
    """A SHA-256 in lowercase hex, or whatever else is hashed to 32 bytes."""

    def _packed(self, text: str) -> bytes:
        return bytes.fromhex(text) if _HEX.fullmatch(text) and len(text) == 2 * _BYTES else _NONE

    def _unpacked(self, stored: bytes) -> str:
        if len(stored) != _BYTES:
            raise LogIntegrityError("a stored digest is not of 32 bytes")
        return stored.hex()


class KeyIdsField(_Bytes):
    """Key ids with commas between them: one or more."""

    def _packed(self, text: str) -> bytes:
        return key_bytes(text)

    def _unpacked(self, stored: bytes) -> str:
        return key_text(stored)


class SubjectDigestField(_Bytes):
    """`<alg>:<value>` as text, whatever a statement names so. One is asked for, or any of several."""

    def _packed(self, text: str) -> bytes:
        return packed(text)

    def _unpacked(self, stored: bytes) -> str:
        return unpacked(stored)


def _bytes(value: Any) -> bytes:
    """SQLite gives whatever was put into a column."""
    if not isinstance(value, bytes | memoryview):
        raise LogIntegrityError("a stored digest is not bytes")
    return bytes(value)

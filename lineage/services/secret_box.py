"""Secrets of followed servers, encrypted where the database keeps them.

Owns: the key in `LINEAGE_KEYS/sources.key` (32 random bytes, 0600, made at first use) and the form of a box.
Does not own: who may see what is in one; nobody may, it is only ever sent to the server that it is for.

A box belongs to one field of one source: its key is derived for that place, so that whoever can write to the
database can't have the secret of one server sent to another.
Source: RFC 5869 (HKDF); the Fernet specification.
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lineage.config import current
from lineage.errors import ConfigurationError
from lineage.services import platform_keys

FILE = "sources.key"
KEY_BYTES = 32
_PURPOSE = b"lineage secret of a source v1"
_OTHERS = 0o077


def seal(secret: str, source: str, field: str) -> str:
    """The box of `secret`, for this field of this source alone; empty for an empty secret.

    Raises: ConfigurationError where the key can't be used.
    """
    return _fernet(source, field).encrypt(secret.encode()).decode() if secret else ""


def open_box(box: str, source: str, field: str) -> str:
    """The secret in a box; empty for no box.

    Raises: ConfigurationError where this installation's key did not make it for this place.
    """
    if not box:
        return ""
    try:
        return _fernet(source, field).decrypt(box.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise ConfigurationError(
            f"The {field.replace('_', ' ')} of the source {source} can't be decrypted with {FILE}.",
            hint=f"Put the {FILE} back that it was encrypted with, or enter the secret again.",
        ) from None


def _fernet(source: str, field: str) -> Fernet:
    place = b"\0".join((_PURPOSE, source.encode(), field.encode()))
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=place).derive(_key())
    return Fernet(base64.urlsafe_b64encode(derived))


def _key() -> bytes:
    path = current().keys / FILE
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        platform_keys.write_new(path, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & _OTHERS:
            raise ConfigurationError(f"Others may read {path}.", hint=f"Run: chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path} is not {KEY_BYTES} bytes in hex.", hint="Put its backup back.")
    return key

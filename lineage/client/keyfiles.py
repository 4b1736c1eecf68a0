"""Private keys as PEM files: writing a new pair, reading one to sign with.

Owns: the files and who may read them. Does not own: the keys themselves (`lineage.trust.keys`).
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from lineage.errors import ConfigurationError, ConflictError, MalformedError
from lineage.trust.keys import PrivateKey, PublicKey, load_private, load_public

log = logging.getLogger(__name__)

_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


def write_key_pair(key: PrivateKey, path: Path) -> Path:
    """Write `path` (PKCS#8 PEM, 0600) and `path`.pub (SPKI PEM); gives the second path.

    Raises:
        ConflictError: one of the two is there already. It is left as it is.
        ConfigurationError: the folder can't be written to.
    """
    public = path.with_name(path.name + ".pub")
    if os.path.lexists(public):
        raise ConflictError(f"{public} exists already, and a key is never overwritten.")
    _write_new(path, key.to_pem(), 0o600)
    _write_new(public, key.public.pem(), 0o644)
    return public


def read_private_key(path: Path) -> PrivateKey:
    """The private key in a PEM file. One that others may read is used, and a warning logged.

    Raises: ConfigurationError where the file can't be read or holds no private key.
    """
    content = _read(path)
    mode = path.stat().st_mode
    if mode & _OTHERS_MAY_READ:
        log.warning(
            "Others may read the private key %s (mode %o). Mend it with: chmod 600", path, mode & 0o777
        )
    try:
        return load_private(content)
    except MalformedError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error


def read_public_key(path: Path) -> PublicKey:
    """The public key in a file (PEM or DER SPKI).

    Raises: ConfigurationError where the file can't be read or holds no public key.
    """
    try:
        return load_public(_read(path))
    except MalformedError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key file {path} can't be read: {error.strerror}.") from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise ConflictError(f"{path} exists already, and a key is never overwritten.") from error
    except OSError as error:
        raise ConfigurationError(f"The key file {path} can't be written: {error.strerror}.") from error

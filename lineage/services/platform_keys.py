"""The platform's own private keys: four PEM files, and the origin that the log's key speaks for.

Owns: the files under `LINEAGE_KEYS`, each 0600. Does not own: whether the log agrees with them
(`bootstrap`), or which role may say what (`lineage.trust.policy`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lineage.config import current
from lineage.errors import ConfigurationError, MalformedError
from lineage.trust.keys import PrivateKey, generate_ed25519, load_private

ROLES = ("log", "platform", "collector", "reverifier")
ORIGIN_PREFIX = "origin: "


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """`origin` names the log in checkpoints (C2SP); it is drawn at random with the log's key."""

    origin: str
    log: PrivateKey
    platform: PrivateKey
    collector: PrivateKey
    reverifier: PrivateKey

    def by_role(self) -> dict[str, PrivateKey]:
        return {role: getattr(self, role) for role in ROLES}


@cache
def load() -> PlatformKeys:
    """The keys of this installation.

    Raises: ConfigurationError where a file is missing, readable by others, or no key.
    """
    return _read(current().keys)


def create_missing(folder: Path) -> None:
    """Make the key files that are not there yet; an existing file is never touched.

    A crash between two files leaves whole files only, and the next start makes the rest.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in ROLES:
        path = folder / f"{role}.pem"
        if path.exists():
            continue
        text = generate_ed25519().to_pem()
        if role == "log":
            text = f"{ORIGIN_PREFIX}lineage/{secrets.token_hex(8)}\n".encode() + text
        write_new(path, text)


def write_new(path: Path, content: bytes) -> None:
    """Durably create `path` with `content`, 0600, whole or not at all; another process's file wins."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(folder: Path) -> PlatformKeys:
    return parse({role: _read_file(folder / f"{role}.pem") for role in ROLES}, str(folder))


def parse(texts: Mapping[str, bytes], where: str) -> PlatformKeys:
    """The keys in the contents of the four files, by role; `where` names their folder in messages.

    Raises: ConfigurationError where one is no key, or the log's does not begin with the origin.
    """
    first_line, _, _ = texts["log"].partition(b"\n")
    origin = first_line.decode("utf-8", "replace").removeprefix(ORIGIN_PREFIX).strip()
    if not first_line.startswith(ORIGIN_PREFIX.encode()) or not origin or any(c in origin for c in "+ \t"):
        raise ConfigurationError(f"{where}/log.pem: the first line must be '{ORIGIN_PREFIX}<name>'")
    keys = {}
    for role, text in texts.items():
        start = text.find(b"-----BEGIN")
        try:
            keys[role] = load_private(text[max(start, 0) :])
        except MalformedError as error:
            raise ConfigurationError(f"{where}/{role}.pem: {error.message}") from None
    return PlatformKeys(origin=origin, **keys)


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path}: other users can read this private key; run chmod 600 on it")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the platform's key can't be read ({error.strerror}); restore it from the backup, "
            "because the log can't go on under another key"
        ) from None

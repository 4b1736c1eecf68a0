"""The platform's private keys from an archive, put in their place when everything else has been proved.

Owns: that they are the keys which the restored log registered, and that no other key is ever overwritten.
Does not own: the form of the files (`platform_keys`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from lineage.config import current
from lineage.errors import ConfigurationError, ConflictError, LogIntegrityError, UnavailableError
from lineage.services import platform_keys
from lineage.services.platform_keys import PlatformKeys
from lineage.trust.keys import PublicKey
from lineage.trust.policy import KeyRing

Undo = Callable[[Callable[[], None]], object]


def registered(ring: KeyRing, role: str) -> PublicKey:
    """The key that the log registered for a role of the platform. Raises: LogIntegrityError."""
    keys = [(known.role, known.key) for known in ring.keys.values()]
    found = [key for held, key in keys if held == role and isinstance(key, PublicKey)]
    if len(found) != 1:
        raise LogIntegrityError(f"the log registers {len(found)} keys as the platform's {role} key")
    return found[0]


def place(texts: Mapping[str, bytes], ring: KeyRing, origin: str, undo: Undo) -> bool:
    """Write the key files (contents by role), or look at those that are there where the archive has none.

    `undo` is told how to take each new file away again. Returns whether the keys are in their place now.

    Raises: ConflictError where the folder holds other keys; LogIntegrityError where the archive's are not the
        log's; UnavailableError where the folder can't be written.
    """
    folder = current().keys
    if not texts:
        return _look(folder, ring, origin)
    try:
        keys = platform_keys.parse(texts, "the archive's keys")
    except ConfigurationError as error:
        raise LogIntegrityError(error.message) from None
    if wrong := _foreign(keys, ring, origin):
        raise LogIntegrityError(f"the archive's {wrong} is not the one that its log names")
    try:
        _write(folder, texts, undo)
    except OSError as error:
        raise UnavailableError(f"{folder} can't be written: {error.strerror}.") from error
    return True


def _look(folder: Path, ring: KeyRing, origin: str) -> bool:
    if not _there(folder):
        return False
    platform_keys.load.cache_clear()
    if wrong := _foreign(platform_keys.load(), ring, origin):
        raise ConflictError(
            f"The {wrong} in {folder} is not the restored log's.", hint="Put the log's own keys there"
        )
    return True


def _there(folder: Path) -> list[str]:
    return [role for role in platform_keys.ROLES if (folder / f"{role}.pem").exists()]


def _foreign(keys: PlatformKeys, ring: KeyRing, origin: str) -> str:
    """What is not the log's, in words; empty where all is."""
    if keys.origin != origin:
        return "origin"
    for role, key in keys.by_role().items():
        if key.public.key_id != registered(ring, role).key_id:
            return f"{role} key"
    return ""


def _write(folder: Path, texts: Mapping[str, bytes], undo: Undo) -> None:
    """A restore that was killed may have written some of them."""
    there = _there(folder)
    for role in there:
        if (folder / f"{role}.pem").read_bytes() != texts[role]:
            raise ConflictError(
                f"{folder} holds other keys than the archive.",
                hint="Move them away; they belong to another log, which can't go on without them",
            )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for role in platform_keys.ROLES:
        if role not in there:
            path = folder / f"{role}.pem"
            platform_keys.write_new(path, texts[role])
            undo(partial(path.unlink, missing_ok=True))

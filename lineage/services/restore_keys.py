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
from lineage.services.key_files import KeyFolder
from lineage.services.platform_keys import KeyStore, PlatformKeys
from lineage.trust.keys import PublicKey
from lineage.trust.policy import KeyRing, Role

Undo = Callable[[Callable[[], None]], object]


def registered(ring: KeyRing, role: Role) -> PublicKey:
    """The key that holds a role of the platform in the log. Raises: LogIntegrityError."""
    found = ring.holder(role)
    if found is None:
        raise LogIntegrityError(f"the log names no {role} key of the platform")
    return found


def place(texts: Mapping[str, bytes], ring: KeyRing, origin: str, undo: Undo) -> bool:
    """Write the key files (contents by role), or look at those that are there where the archive has none.

    `undo` is told how to take each new file away again. Returns whether the keys are in their place now.

    Raises: ConflictError where the folder holds other keys; LogIntegrityError where the archive's are not the
        log's; UnavailableError where the folder can't be written.
    """
    folder = current().keys
    if not texts:
        return _look(ring, origin)
    if not isinstance(platform_keys.store(), KeyFolder):
        raise ConflictError(
            "The archive holds key files, but LINEAGE_KEYS names a token.",
            hint="Restore with LINEAGE_KEYS as the archive's installation had it",
        )
    try:
        keys = platform_keys.parse(texts, "the archive's keys")
    except ConfigurationError as error:
        raise LogIntegrityError(error.message) from None
    if wrong := foreign(keys, ring, origin):
        raise LogIntegrityError(f"the archive's {wrong} is not the one that its log names")
    try:
        _write(folder, texts, undo)
    except OSError as error:
        raise UnavailableError(f"{folder} can't be written: {error.strerror}.") from error
    return True


def _look(ring: KeyRing, origin: str) -> bool:
    platform_keys.forget()
    store = platform_keys.store()
    if isinstance(store, KeyFolder) and not _there(store.folder):
        return False
    if wrong := _wrong(store, ring, origin):
        raise ConflictError(
            f"The {wrong} in {store.where} is not the restored log's.", hint="Put the log's own keys there"
        )
    return True


def _wrong(store: KeyStore, ring: KeyRing, origin: str) -> str:
    """What of the keys that are here is not the log's, in words; empty where all is."""
    if store.origin() != origin:
        return "origin"
    for role in platform_keys.OWN_ROLES:
        wanted = registered(ring, role)
        if all(key.public != wanted for key in store.held(role)):
            return f"{role} key"
    return ""


def _there(folder: Path) -> list[str]:
    return [role for role in platform_keys.ROLES if (folder / f"{role}.pem").exists()]


def foreign(keys: PlatformKeys, ring: KeyRing, origin: str) -> str:
    """What is not the log's, in words; empty where all is. Raises: LogIntegrityError, as `registered`."""
    if keys.origin != origin:
        return "origin"
    by_role = keys.by_role()
    for role in platform_keys.OWN_ROLES:
        if by_role[role].public != registered(ring, role):
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

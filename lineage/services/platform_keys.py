"""The platform's own private keys: where they are kept, and which of them the log names for each role.

Owns: choosing. A role may have had several keys; the log's decisions say which holds it now, so a process
that still remembers an older one finds the newer by itself. Does not own: files (`key_files`), tokens
(`key_token`), whether the log agrees at the start (`bootstrap`), or which role may say what
(`lineage.trust.policy`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from lineage.config import current
from lineage.errors import ConfigurationError
from lineage.services import key_files, keyring
from lineage.services.key_files import ROLES, KeyFolder, write_new
from lineage.trust.policy import KeyRing, Role
from lineage.trust.signer import Signer

__all__ = ["ROLES", "KeyStore", "PlatformKeys", "create_missing", "load", "of", "parse", "store", "write_new"]

OWN_ROLES: tuple[Role, ...] = ("log", "platform", "collector", "reverifier")
assert OWN_ROLES == ROLES


class KeyStore(Protocol):
    """Where private keys are kept. Each call may raise ConfigurationError, which says what to do."""

    @property
    def where(self) -> str:
        """The place, for messages."""
        ...

    def name(self, role: str) -> str:
        """Where the key of a role is looked for, for messages."""
        ...

    def origin(self) -> str:
        """The origin of the log that the keys are of."""
        ...

    def held(self, role: str) -> Sequence[Signer]:
        """Every key here for a role, at least one; the one to begin a log with comes first."""
        ...

    def create_missing(self) -> None:
        """Make the keys that are not there yet, and draw the origin with the log's."""
        ...

    def make_next(self, role: str, origin: str, is_known: Callable[[str], bool]) -> Signer:
        """The key that is to be the next of a role: one that waits unknown to the log, or a new one."""
        ...

    def settle(self, role: str, key_id: str) -> None:
        """Tidy up after the log has given the role to the key `key_id`."""
        ...


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """`origin` names the log in checkpoints (C2SP); it is drawn at random with the log's first key."""

    origin: str
    log: Signer
    platform: Signer
    collector: Signer
    reverifier: Signer

    def by_role(self) -> dict[str, Signer]:
        return {role: getattr(self, role) for role in ROLES}


_kept: dict[Role, tuple[str | None, Signer]] = {}
"""By role the key that was used last, with its id; None before the log has an entry."""
_store: list[KeyStore] = []
_lock = Lock()


def load() -> PlatformKeys:
    """The keys that the log names, as far as this process has followed it.

    Raises: ConfigurationError where one is missing, readable by others, or no key.
    """
    return of(keyring.recent())


def of(ring: KeyRing) -> PlatformKeys:
    """The keys that hold the platform's roles in `ring`; the first of each where the ring is empty.

    Raises: ConfigurationError, as `load`.
    """
    return PlatformKeys(store().origin(), *(one(ring, role) for role in OWN_ROLES))


def one(ring: KeyRing, role: Role) -> Signer:
    """The key that holds `role` in `ring`, whatever there is of the others. Raises: ConfigurationError."""
    holder = ring.holder(role)
    if holder is None and ring.own:
        raise ConfigurationError(f"The log names no {role} key.", hint="See docs/key-ceremony.md, Lost.")
    wanted = holder.key_id if holder else None
    kept = _kept.get(role)
    if kept is not None and kept[0] == wanted:
        return kept[1]
    key = _find(role, wanted)
    _kept[role] = (wanted, key)
    return key


def _find(role: Role, key_id: str | None) -> Signer:
    for key in store().held(role):
        if key_id in (key.public.key_id, None):
            return key
    raise ConfigurationError(
        f"{store().name(role)} is not the {role} key that the log registered, which is {key_id}.",
        hint="Put that key back from the backup. Did nobody here put it into the log? Then the platform's key"
        " was stolen: see docs/key-ceremony.md.",
    )


def store() -> KeyStore:
    """Where this installation keeps its keys. Raises: ConfigurationError where that can't be used."""
    if not _store:
        with _lock:
            _store[:] = [_configured()]
    return _store[0]


def _configured() -> KeyStore:
    config = current()
    if config.key_token is None:
        return KeyFolder(config.keys)
    try:
        from lineage.services.key_token import KeyToken
    except ImportError as error:
        raise ConfigurationError(
            "LINEAGE_KEYS names a token, and the part that talks to tokens is not installed.",
            hint="Install it with: pip install 'lineage[hsm]'",
        ) from error
    return KeyToken(config.key_token, config.keys)


def forget() -> None:
    """Read the keys anew at the next use: files were changed, or another log lies in the database."""
    with _lock:
        _kept.clear()
        _store.clear()


def create_missing(folder: Path) -> None:
    """Make the key files that are not in `folder` yet; an existing file is never touched."""
    KeyFolder(folder).create_missing()


def parse(texts: Mapping[str, bytes], where: str) -> PlatformKeys:
    """The keys in the contents of the four files, by role; `where` names their folder in messages.

    Raises: ConfigurationError where one is no key, or the log's does not begin with the origin.
    """
    origin, keys = key_files.parse_all(texts, where)
    return PlatformKeys(origin=origin, **keys)

"""The platform's private keys as PEM files in one folder, each 0600.

`<role>.pem` is the key in use. A new one is `<role>.next.pem` until the log has it; the one that it replaced
is `<role>.previous.pem`, which only the log's key needs for a while. Which of the three holds the role is
said by the log, never by a name: a crash between any two writes leaves all that is needed, and `settle` goes
on.

Owns: these files, and that a change of names is seen whole. Does not own: which key is to be used
(`platform_keys`), secrets of sources in the same folder (`secret_box`).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import ConfigurationError, MalformedError
from lineage.trust.keys import PrivateKey, generate_ed25519, load_private

ROLES = ("log", "platform", "collector", "reverifier")
ORIGIN_PREFIX = "origin: "
_BEGIN = b"-----BEGIN"


class KeyFolder:
    """The keys in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._origin = ""

    @property
    def where(self) -> str:
        return str(self.folder)

    def name(self, role: str) -> str:
        """Where the key of a role is looked for, for messages."""
        return str(self.folder / f"{role}.pem")

    def origin(self) -> str:
        """The log's origin, which the file of its key begins with. Raises: ConfigurationError."""
        if not self._origin:
            with self._locked(fcntl.LOCK_SH):
                there = [path for path in self._paths("log") if path.exists()]
                first = there[0] if there else self.folder / "log.pem"
                self._origin = origin_of(_read_file(first), str(first))
        return self._origin

    def held(self, role: str) -> Sequence[PrivateKey]:
        """Every key here for a role, the one in its place first. Raises: ConfigurationError."""
        with self._locked(fcntl.LOCK_SH):
            there = [path for path in self._paths(role) if path.exists()]
            if not there:
                raise ConfigurationError(
                    _unreadable(self.folder / f"{role}.pem", "No such file or directory")
                )
            return [parse(_read_file(path), str(path)) for path in there]

    def create_missing(self) -> None:
        """Make the key files that are not there yet; an existing file is never touched.

        A crash between two files leaves whole files only, and the next start makes the rest.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role in ROLES:
            self.create(role, f"lineage/{secrets.token_hex(8)}")

    def create(self, role: str, origin: str) -> None:
        """Make the file of a role's key where it is not there yet; the log's begins with the origin."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{role}.pem"
        if not path.exists():
            write_new(path, _text(generate_ed25519(), origin if role == "log" else ""))

    def has(self, role: str) -> bool:
        """Whether there is any key here for a role."""
        return any(path.exists() for path in self._paths(role))

    def make_next(self, role: str, origin: str, is_known: Callable[[str], bool]) -> PrivateKey:
        """The key that is to be the next of a role: the one that waits already, else a new one.

        `is_known` says of a key id whether the log has it: such a key is not to be the next again.
        """
        waiting = self.folder / f"{role}.next.pem"
        with self._locked(fcntl.LOCK_EX):
            if waiting.exists():
                key = parse(_read_file(waiting), str(waiting))
                if not is_known(key.public.key_id):
                    return key
                waiting.unlink()
            key = generate_ed25519()
            write_new(waiting, _text(key, origin if role == "log" else ""))
            return key

    def settle(self, role: str, key_id: str) -> None:
        """Have the key `key_id` in its place, where it is here under another name."""
        current, waiting, previous = self._paths(role)
        if _holds(current, key_id):
            return
        with self._locked(fcntl.LOCK_EX):
            if _holds(current, key_id):
                return
            if not _holds(waiting, key_id):
                if not _holds(previous, key_id):
                    return
                # Three names for two keys: from here on it is as if the key had never been in its place.
                os.replace(_linked(previous), waiting)
            if current.exists():
                os.replace(current, previous)
            os.replace(waiting, current)
            _sync(self.folder)

    def _paths(self, role: str) -> tuple[Path, Path, Path]:
        names = (f"{role}.pem", f"{role}.next.pem", f"{role}.previous.pem")
        current, waiting, previous = (self.folder / name for name in names)
        return current, waiting, previous

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Names don't change meanwhile. The folder itself is locked, because it may not be ours to write."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY)
        except OSError as error:
            raise ConfigurationError(_unreadable(self.folder, error.strerror)) from None
        try:
            fcntl.flock(descriptor, how)
            yield
        except OSError as error:
            raise ConfigurationError(
                f"{self.folder}: a key can't get its place there ({error.strerror}).",
                hint="Mend that, and start again: it goes on where it stopped.",
            ) from error
        finally:
            os.close(descriptor)


def parse_all(texts: Mapping[str, bytes], where: str) -> tuple[str, dict[str, PrivateKey]]:
    """Origin and keys in the contents of the files, by role; `where` names their folder in messages.

    Raises: ConfigurationError where one is no key, or the log's does not begin with the origin.
    """
    keys = {role: parse(text, f"{where}/{role}.pem") for role, text in texts.items()}
    return origin_of(texts["log"], f"{where}/log.pem"), keys


def parse(text: bytes, where: str) -> PrivateKey:
    """Raises: ConfigurationError."""
    try:
        return load_private(text[max(text.find(_BEGIN), 0) :])
    except MalformedError as error:
        raise ConfigurationError(f"{where}: {error.message}") from None


def origin_of(text: bytes, where: str) -> str:
    """Raises: ConfigurationError where the file of the log's key does not begin with the origin."""
    first_line, _, _ = text.partition(b"\n")
    origin = first_line.decode("utf-8", "replace").removeprefix(ORIGIN_PREFIX).strip()
    if not first_line.startswith(ORIGIN_PREFIX.encode()) or not origin or any(c in origin for c in "+ \t"):
        raise ConfigurationError(f"{where}: the first line must be '{ORIGIN_PREFIX}<name>'")
    return origin


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
    _sync(path.parent)


def _text(key: PrivateKey, origin: str) -> bytes:
    return (f"{ORIGIN_PREFIX}{origin}\n".encode() if origin else b"") + key.to_pem()


def _holds(path: Path, key_id: str) -> bool:
    return path.exists() and parse(_read_file(path), str(path)).public.key_id == key_id


def _linked(path: Path) -> Path:
    """A second name of a file."""
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.link(path, name)
    return name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"{path}: other users can read this private key; run chmod 600 on it")
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(_unreadable(path, error.strerror)) from None


def _unreadable(path: Path, why: str | None) -> str:
    return (
        f"{path}: the platform's key can't be read ({why}); restore it from the backup, or have the log give"
        " its role to another key (docs/key-ceremony.md, Lost)"
    )

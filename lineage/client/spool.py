"""Signed envelopes that wait on disk until a server has them: one file each, sent oldest first.

Owns: the folder, who may read it, how much it may hold, which refusals are final. Does not own: when sending
is tried (`delivery`, `lineage send-spooled`), or the request itself (`sending`).

A crash at any moment leaves an envelope whole or not there, and one that was sent is at worst sent twice,
which the server takes for the same entry. Nothing that was signed is ever deleted unsent.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from lineage.client.sending import Client, Receipt
from lineage.errors import (
    ConfigurationError,
    KeyNotValidError,
    LineageError,
    MalformedError,
    NotAllowedError,
    SignatureRefutedError,
    SignerUnknownError,
    TooLargeError,
    UnsupportedMediaTypeError,
)

MAX_BYTES: Final = 1 << 30
"""Envelopes of one server together; what would go over it is refused, and nothing is dropped for it."""

PATIENCE_SECONDS: Final = 7 * 24 * 3600
"""How long a refusal that an operator can mend (an unknown key, a missing scope) is tried again."""

_FINAL = (MalformedError, SignatureRefutedError, TooLargeError, UnsupportedMediaTypeError)
_MENDABLE = (KeyNotValidError, NotAllowedError, SignerUnknownError)
_NAME = re.compile(r"[0-9]{20}-[0-9a-f]{16}\.json", re.ASCII)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_REFUSED = "refused"
_ABANDONED_SECONDS = 3600.0


class Delivered(msgspec.Struct):
    """What one round did. `reason` says why the round ended early or something was refused, "" else."""

    receipts: dict[str, Receipt] = {}
    refused: dict[str, str] = {}
    waiting: int = 0
    reason: str = ""


def default_folder() -> Path:
    """`LINEAGE_SPOOL`, else `lineage/spool` in the user's folder for state (XDG)."""
    if said := os.environ.get("LINEAGE_SPOOL"):
        return Path(said)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local/state") / "lineage/spool"


def servers(folder: Path) -> list[str]:
    """Addresses of the servers that envelopes under `folder` wait for."""
    found = []
    for each in sorted(folder.glob("*/server")):
        with suppress(OSError):
            found.append(each.read_text().strip())
    return found


class Spool:
    """Envelopes that wait for the server at `url`, in a folder of its own below `folder`.

    Raises: ConfigurationError where the folder can't be made, or is another user's.
    """

    def __init__(self, url: str, folder: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self.url = url.rstrip("/")
        self._max_bytes = max_bytes
        above = folder or default_folder()
        host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(self.url).netloc.rpartition("@")[2])
        self.folder = above / f"{host}-{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"
        self._refused = self.folder / _REFUSED
        for each in (above, self.folder, self._refused):
            _private(each)
        if not (self.folder / "server").exists():
            self._write(self.folder / "server", self.url.encode() + b"\n")

    def keep(self, envelope: bytes) -> str:
        """Put an envelope durably on disk; gives its name, which sorts by the time it was kept.

        Raises:
            TooLargeError: the spool is full.
            ConfigurationError: the disk is full, or the folder can't be written to.
        """
        held = sum(_size(path) for path in (*self._files(self.folder), *self._files(self._refused)))
        if held + len(envelope) > self._max_bytes:
            raise TooLargeError(
                f"The spool {self.folder} holds {held:,} bytes and may hold {self._max_bytes:,}.",
                limit=self._max_bytes,
                hint="Send what waits there with `lineage send-spooled`.",
            )
        name = f"{time.time_ns():020d}-{hashlib.sha256(envelope).hexdigest()[:16]}.json"
        self._write(self.folder / name, envelope)
        return name

    def waiting(self) -> list[str]:
        """Names of the envelopes that wait, oldest first."""
        return [path.name for path in self._files(self.folder)]

    def refused(self) -> dict[str, str]:
        """Name → reason of those that the server refused for good."""
        found = {}
        for path in self._files(self._refused):
            try:
                found[path.name] = path.with_suffix(".reason").read_text().strip()
            except OSError:
                found[path.name] = ""
        return found

    def again(self) -> int:
        """Let the refused ones wait again; gives how many there are."""
        found = self._files(self._refused)
        for path in found:
            path.with_suffix(".reason").unlink(missing_ok=True)
            path.rename(self.folder / path.name)
        return len(found)

    def deliver(self, client: Client) -> Delivered:
        """Send what waits, oldest first, until the end or until the server is away.

        Where another process delivers from here, this one leaves it to that. An envelope that is refused for
        good is put aside with the reason; one that an operator can make acceptable is passed over and tried
        again for `PATIENCE_SECONDS`.
        """
        done = Delivered()
        with self._alone() as alone:
            if not alone:
                done.reason = "another process is sending"
            else:
                self._sweep()
                for path in self._files(self.folder):
                    if not self._send(client, path, done):
                        break
        done.waiting = len(self.waiting())
        return done

    def _send(self, client: Client, path: Path, done: Delivered) -> bool:
        """Whether the next one is worth trying."""
        try:
            envelope = path.read_bytes()
        except FileNotFoundError:
            return True
        except OSError as error:
            done.reason = f"{path} can't be read: {error.strerror}"
            return True
        try:
            receipt = client.send(envelope)
        except LineageError as error:
            done.reason = error.message
            if not _refusal(error, path):
                return isinstance(error, _MENDABLE)
            done.refused[path.name] = error.message
            self._write(self._refused / f"{path.stem}.reason", error.message.encode() + b"\n")
            path.rename(self._refused / path.name)
            return True
        done.receipts[path.name] = receipt
        path.unlink(missing_ok=True)
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        """Remove what processes that were killed while writing left behind."""
        for path in self.folder.glob(".*.part"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error


def _refusal(error: LineageError, path: Path) -> bool:
    """Whether it will stay refused, whatever anybody does meanwhile."""
    if isinstance(error, _MENDABLE):
        return time.time() - int(path.name.partition("-")[0]) / 1e9 > PATIENCE_SECONDS
    # An answer that is no receipt came from something else than a Lineage server: it refused nothing.
    return isinstance(error, _FINAL) and not isinstance(error.__cause__, msgspec.DecodeError)


def _private(folder: Path) -> None:
    """Make a folder that only its owner can look into."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            raise ConfigurationError(f"The spool {folder} belongs to another user.")
        if found.st_mode & _OTHERS:
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(f"The spool {folder} can't be made: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

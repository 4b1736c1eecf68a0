"""`LINEAGE_HOME` as `lineage up` uses it: the lock, the environment file, small remembered facts.

Owns: the files `environment`, `up.lock`, `initial-login` and `example-done`, each 0600. Does not own: what a
setting means (`lineage.config`).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage.config import ENVIRONMENT_FILE, read_environment_file
from lineage.errors import ConfigurationError, ConflictError

_LOCK_FILE = "up.lock"
_LOGIN_FILE = "initial-login"
_EXAMPLE_FILE = "example-done"
_HEADER = "# Written by `lineage up`. Every command reads it; the real environment wins. Contains a secret.\n"


@dataclass(frozen=True, slots=True)
class Login:
    """The first operator's e-mail address and password, as they were made."""

    email: str
    password: str


def make(home: Path) -> None:
    """Make the folder, readable by its owner only. Raises ConfigurationError where that can't be."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"LINEAGE_HOME: the folder {home} can't be made: {error.strerror}."
        ) from error


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the folder for one `lineage up`. The kernel lets go of it when the process ends, however it ends.

    Raises: ConflictError where another process holds it.
    """
    descriptor = os.open(home / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise ConflictError(
                f"`lineage up` is running already on {home} (process {holder}).",
                hint="Stop it, or set another LINEAGE_HOME.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def remember(home: Path, settings: Mapping[str, str]) -> None:
    """Set these settings in the environment file; others that stand there stay."""
    path = home / ENVIRONMENT_FILE
    before = read_environment_file(path)
    after = {**before, **settings}
    if after != before:
        lines = [f"{name}={value}\n" for name, value in sorted(after.items())]
        _write(path, _HEADER + "".join(lines))


def write_login(home: Path, login: Login) -> None:
    """Keep the first login, so that the next start can show it again."""
    _write(home / _LOGIN_FILE, f"{login.email}\n{login.password}\n")


def read_login(home: Path) -> Login | None:
    """The first login as it was made; None where there is none, or somebody deleted the file."""
    try:
        lines = (home / _LOGIN_FILE).read_text().splitlines()
    except FileNotFoundError:
        return None
    return Login(lines[0], lines[1]) if len(lines) == 2 else None


def example_done(home: Path) -> bool:
    """Whether the example has run to its end here."""
    return (home / _EXAMPLE_FILE).exists()


def mark_example_done(home: Path) -> None:
    """Remember that the example has run."""
    _write(home / _EXAMPLE_FILE, "")


def unmark_example_done(home: Path) -> None:
    """Forget that the example has run."""
    (home / _EXAMPLE_FILE).unlink(missing_ok=True)


def _write(path: Path, content: str) -> None:
    """Replace a file whole, 0600: a crash leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

"""A Redis of its own: `start(directory)`. Keeps nothing on disk: what must not be lost is in the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lineage.errors import UnavailableError
from lineage.localservices.service import (
    CALL_SECONDS,
    LOOPBACK,
    Launch,
    LocalService,
    secret,
    write_private,
)


def start(directory: Path, *, port: int | None = None) -> LocalService:
    """Start the Redis of this folder; returns when it is ready.

    Raises:
        UnavailableError: Redis is not installed or does not start.
        ConflictError: another process serves this folder or port.
    """
    service = Redis(directory, port)
    service.start()
    return service


class Redis(LocalService):
    name = "Redis"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    @property
    def url(self) -> str:
        return f"redis://:{secret(self._password_file)}@{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        program()
        # In a file, because every user of this machine may read a command line.
        write_private(self.directory / "redis.conf", f"requirepass {secret(self._password_file)}\n")

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        yield Launch(
            [
                program(),
                str(self.directory / "redis.conf"),
                *("--port", str(self.port), "--bind", LOOPBACK),
                *("--save", "", "--appendonly", "no", "--dir", str(self.directory)),
            ]
        )

    def _answers(self) -> bool:
        import redis

        client = redis.Redis.from_url(
            self.url, socket_timeout=CALL_SECONDS, socket_connect_timeout=CALL_SECONDS
        )
        try:
            with closing(client):
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


def program() -> str:
    """The path of redis-server. Raises UnavailableError where it is not installed."""
    found = shutil.which("redis-server")
    if not found:
        raise UnavailableError("Redis is not installed.", hint="Debian: apt-get install redis-server")
    return found

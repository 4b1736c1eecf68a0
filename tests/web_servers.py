"""Real web servers, as processes; of folders one that knows ranges and ETags, and one that knows neither."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from lineage.localservices.service import LOOPBACK, Launch, LocalService

_AIOHTTP = """
import sys
from aiohttp import web
app = web.Application()
app.router.add_static("/data", sys.argv[2])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


class WebServer(LocalService):
    """Ready when it can be connected to. It has no password."""

    name = "web server"

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    def _answers(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), 1).close()
        except OSError:
            return False
        return True


class WebFolder(WebServer):
    """Serves its `files` folder at /data."""

    program: ClassVar[tuple[str, ...]] = ("-c", _AIOHTTP)

    @property
    def files(self) -> Path:
        return self.directory / "files"

    def _prepare(self) -> None:
        self.files.mkdir(exist_ok=True)

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        yield Launch([sys.executable, *self.program, str(self.port), str(self.files)])

    def put(self, path: str, content: bytes) -> None:
        """Replaces a file whole."""
        target = self.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(".new")
        new.write_bytes(content)
        new.replace(target)


class PlainWebFolder(WebFolder):
    """Python's own, which gives no ranges."""

    @property
    def files(self) -> Path:
        return self.directory / "files" / "data"

    def _prepare(self) -> None:
        self.files.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        root = str(self.directory / "files")
        yield Launch(
            [sys.executable, "-m", "http.server", "--bind", LOOPBACK, "--directory", root, str(self.port)]
        )

"""A gateway before a real HTTP server, which answers for it where a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

NEVER = -1
"""In place of a status: no answer before the gateway ends."""


def nothing(_address: str) -> int:
    """The fault of a gateway that has none."""
    return 0


@dataclass
class Gateway:
    """`fault` tells of an address (path and query) the status that is answered for the server; 0: its own."""

    target: str
    port: int = 0
    fault: Callable[[str], int] = nothing
    asked: list[str] = field(default_factory=list)
    """The address of each request, in order."""
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def gateway(target: str) -> Iterator[Gateway]:
    """Before the server at `target`, on a free port; its threads have ended after the block."""
    made = Gateway(target.rstrip("/"))
    with _Server(("127.0.0.1", 0), _handler(made)) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            made.released.set()
            server.shutdown()
            thread.join()
            server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._peers: list[socket.socket] = []

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._peers.append(request)
        super().finish_request(request, client_address)

    def hang_up(self) -> None:
        """Clients keep their connections, and each has a thread."""
        for peer in self._peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


def _handler(made: Gateway) -> type[BaseHTTPRequestHandler]:
    behind = urllib3.PoolManager(retries=False, timeout=60, maxsize=32)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60.0
        disable_nagle_algorithm = True

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            made.asked.append(self.path)
            status = made.fault(self.path)
            if status == NEVER:
                made.released.wait(60)
                self.close_connection = True
            elif status:
                self._answer(status, "text/html", b"<h1>The gateway got no answer</h1>")
            else:
                kind = self.headers.get("Content-Type")
                headers = {"Content-Type": kind} if kind else {}
                told = behind.request(self.command, made.target + self.path, body=body, headers=headers)
                self._answer(told.status, told.headers.get("Content-Type", "text/plain"), told.data)

        def _answer(self, status: int, kind: str, content: bytes) -> None:
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 the library looks for them

        def log_message(self, *_: object) -> None:
            """Nothing on the test's output."""

    return Handler

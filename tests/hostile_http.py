"""A real HTTP server that answers with exactly the bytes that a test says, also with what none should."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = bytes | Iterable[bytes]
LAST = b"Connection: close\r\n"


def answer(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A whole answer, after which the connection stays open. `length`: another Content-Length than it has."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Hostile:
    """`reply` makes the answer to the n-th request (from 0), whose bytes it gets. Without an announced length
    that fits, the connection is closed after it."""

    reply: Callable[[int, bytes], Answer]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end of the test: what a slow answer may wait for."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client has hung up, or was hung up on."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket) -> None:
        with suppress(OSError), peer, peer.makefile("rb") as lines:
            while request := _request(lines.readline, lines.read):
                number = len(self.requests)
                self.requests.append(request)
                said = self.reply(number, request)
                for part in [said] if isinstance(said, bytes) else said:
                    peer.sendall(part)
                if not isinstance(said, bytes) or not _whole(said):
                    return


def _request(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    head, length = b"", 0
    while line := readline():
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        if line == b"\r\n":
            return head + (read(length) if length else b"")
    return b""


def _whole(said: bytes) -> bool:
    head, _, body = said.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}".encode() in head.lower() and LAST.strip() not in head


@contextmanager
def hostile(
    reply: Callable[[int, bytes], Answer] | Answer, tls: ssl.SSLContext | None = None
) -> Iterator[Hostile]:
    """The server on a free port; its threads have ended after the block."""
    server = Hostile(reply if callable(reply) else lambda _number, _request: reply)
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []

    def one(peer: socket.socket) -> None:
        try:
            wrapped = tls.wrap_socket(peer, server_side=True) if tls else peer
            peers.append(wrapped)
            server.serve(wrapped)
        except OSError:
            peer.close()
        server.left.set()

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                server.connections += 1
                peers.append(peer)
                threads.append(threading.Thread(target=one, args=(peer,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            server.released.set()
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for peer in peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()

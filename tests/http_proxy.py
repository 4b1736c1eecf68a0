"""A real forward proxy: CONNECT and absolute addresses, whatever the name to where the test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """`asked`: the heads of the requests that it got itself; what goes through a tunnel is not among them."""

    target: int
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    tunnelled: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (some := peer.recv(4096)):
                return
            head += some
        self.asked.append(head)
        with socket.create_connection(("127.0.0.1", self.target)) as behind:
            if head.startswith(b"CONNECT "):
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                behind.sendall(head)
            back = threading.Thread(target=_pump, args=(behind, peer, []))
            back.start()
            _pump(peer, behind, self.tunnelled)
            back.join()


def _pump(source: socket.socket, sink: socket.socket, seen: list[bytes]) -> None:
    with suppress(OSError):
        while some := source.recv(1 << 16):
            seen.append(some)
            sink.sendall(some)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy on a free port before the server on port `target`; its threads have ended after the block."""
    made = Proxy(target)
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []

    def one(peer: socket.socket) -> None:
        with suppress(OSError), peer:
            made.serve(peer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threads.append(threading.Thread(target=one, args=(peer,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        made.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for peer in peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()

"""A network between a client and a real server that a test can cut, whatever they speak."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Relay:
    """Passes bytes on to `target`. `cuts`: after so many bytes towards the client its connection is reset,
    and the count begins again for the next one."""

    target: tuple[str, int]
    port: int = 0
    cuts: list[int] = field(default_factory=list)
    connections: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self, *after: int) -> None:
        with self._lock:
            self.cuts[:] = after
            self._passed = 0

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.target) as server:
            self.sockets += [client, server]
            up = threading.Thread(target=_copy, args=(client, server))
            up.start()
            self._answer(server, client)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
                client.shutdown(socket.SHUT_RDWR)
            up.join()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        while part := server.recv(1 << 16):
            with self._lock:
                allowed = self.cuts[0] - self._passed if self.cuts else len(part)
                cut = len(part) > allowed
                self._passed += len(part)
                if cut:
                    self.cuts.pop(0)
                    self._passed = 0
            client.sendall(part[: max(0, allowed)])
            if cut:
                # Without lingering the close is a reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(1 << 16):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relay(url: str, port: int = 0) -> Iterator[Relay]:
    """To the server of `url`, on this or a free port; its threads have ended after the block."""
    parts = urlsplit(url)
    made = Relay((str(parts.hostname), parts.port or 80))
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                made.connections += 1
                threads.append(threading.Thread(target=made.serve, args=(client,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", port)) as listener:
        made.port = listener.getsockname()[1]
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for sock in made.sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()

"""Connections of urllib3 that look at the address before they connect, and at the peer after.

Owns: no address that `guard` refuses is sent anything, also when a name resolves differently a moment later.
"""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import BaseHTTPResponse
from urllib3.util.connection import create_connection

from lineage.net import guard, tls
from lineage.net.guard import Network

HEAD_SECONDS = 120.0
"""Until an answer has begun, however much of its head has come."""
MAX_ADDRESSES = 4
"""Of one name, that are tried: each may take the whole time that a connection may."""


def guarded(
    manager: urllib3.PoolManager, allowed: Sequence[Network], *, head_seconds: float | None = None
) -> None:
    """Let every connection of `manager` be one that looks at addresses.

    Where the manager has no TLS context, a host that is spoken to by TLS gets `tls.context()`, and no sooner:
    the system's anchors take 20 ms to read, which plain HTTP never needs.

    `head_seconds`: until an answer has begun; HEAD_SECONDS where it is not said.
    """

    class Plain(_Looking, HTTPConnection):
        networks = allowed
        patience = head_seconds

    class Secure(_Looking, HTTPSConnection):
        networks = allowed
        patience = head_seconds

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

        def __init__(self, *args: Any, ssl_context: ssl.SSLContext | None = None, **named: Any) -> None:
            super().__init__(*args, ssl_context=ssl_context or tls.context(), **named)

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class _Looking:
    networks: Sequence[Network]
    patience: float | None = None

    def _new_conn(self) -> socket.socket:
        me: Any = self
        try:
            found = socket.getaddrinfo(me._dns_host, me.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(me.host, me, socket.gaierror(str(error))) from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        for address in addresses:
            guard.check(address, self.networks)
        connected = self._connected(addresses[:MAX_ADDRESSES])
        try:
            guard.check(str(connected.getpeername()[0]), self.networks)
        except BaseException:
            connected.close()
            raise
        return connected

    def _connected(self, addresses: Sequence[str]) -> socket.socket:
        """To the first that answers; the name is not asked for again: it may say something else by now."""
        me: Any = self
        error: OSError = OSError("the name has no address")
        for address in addresses:
            try:
                return create_connection((address, me.port), me.timeout, me.source_address, me.socket_options)
            except OSError as failed:
                error = failed
        if isinstance(error, TimeoutError):
            raise ConnectTimeoutError(me, f"{me.host} did not answer") from error
        raise NewConnectionError(me, str(error)) from error

    def getresponse(self) -> Any:
        sock = getattr(self, "sock", None)
        # MLflow sends head and body apart, and the body waits for our acknowledgement of the head, which
        # Linux delays by 40 ms on a connection that was used before.
        quickly = getattr(socket, "TCP_QUICKACK", None)
        if quickly is not None and sock is not None:
            with suppress(OSError, AttributeError):  # it is only about time
                sock.setsockopt(socket.IPPROTO_TCP, quickly, 1)
        # A head may come byte by byte, each of them in time.
        too_late = threading.Event()
        seconds = HEAD_SECONDS if self.patience is None else self.patience
        late = threading.Timer(seconds, _hang_up, [sock, too_late])
        late.daemon = True
        late.start()
        try:
            answer: Any = super().getresponse()  # type: ignore[misc]
        except (OSError, HTTPException) as error:
            if too_late.is_set():
                raise TimeoutError from error
            raise
        finally:
            late.cancel()
        if too_late.is_set():  # what came of it looks like a head that is complete
            answer.close()
            raise TimeoutError
        # Before another try urllib3 reads an answer to its end, which it may not have.
        answer.drain_conn = partial(_leave, weakref.ref(answer))  # no circle: nobody waits for the collector
        return answer


def leave(answer: BaseHTTPResponse) -> None:
    """Read no more of it. Its place among the connections is free again, with a new one where it had more."""
    answer.close()
    answer.release_conn()


def _leave(answer: weakref.ref[BaseHTTPResponse]) -> None:
    if (there := answer()) is not None:
        leave(there)


def _hang_up(sock: socket.socket | None, told: threading.Event) -> None:
    told.set()
    with suppress(OSError, AttributeError):  # it has hung up itself
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)

"""Connections of urllib3 that look at the address before they connect, and at the peer after.

Owns: no address that `guard` refuses is sent anything, also when a name resolves differently a moment later.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError

from lineage.mlflow import guard
from lineage.mlflow.guard import Network


def guarded(manager: urllib3.PoolManager, allowed: Sequence[Network]) -> None:
    """Let every connection of `manager` be one that looks at addresses."""

    class Plain(_Looking, HTTPConnection):
        networks = allowed

    class Secure(_Looking, HTTPSConnection):
        networks = allowed

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


class _Looking:
    networks: Sequence[Network]

    def _new_conn(self) -> socket.socket:
        me: Any = self
        try:
            found = socket.getaddrinfo(me._dns_host, me.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(me.host, me, socket.gaierror(str(error))) from error
        for *_, address in found:
            guard.check(str(address[0]), self.networks)
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        try:
            guard.check(str(connected.getpeername()[0]), self.networks)
        except BaseException:
            connected.close()
            raise
        return connected

    def getresponse(self) -> Any:
        # MLflow sends head and body apart, and the body waits for our acknowledgement of the head, which
        # Linux delays by 40 ms on a connection that was used before.
        quickly = getattr(socket, "TCP_QUICKACK", None)
        sock = getattr(self, "sock", None)
        if quickly is not None and sock is not None:
            with suppress(OSError, AttributeError):  # it is only about time
                sock.setsockopt(socket.IPPROTO_TCP, quickly, 1)
        return super().getresponse()  # type: ignore[misc]

"""The server's address: as a number to listen on, as text for a browser, and whether its port is free."""

from __future__ import annotations

import errno
import socket
import time

from lineage.errors import ConfigurationError, ConflictError

PATIENCE_SECONDS = 4.0
"""What the children of a killed predecessor may need to let go of the port."""
_TICK_SECONDS = 0.05


def numeric(host: str) -> str:
    """The IP address of a host name. Raises ConfigurationError where it has none."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise ConfigurationError(f"LINEAGE_HOST: {host!r} has no address: {error.strerror}.") from error


def url(host: str, port: int) -> str:
    """Where a browser on this machine finds a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def claim(host: str, port: int) -> None:
    """Make sure that `host`:`port` can be listened on, before any work is done.

    Raises:
        ConflictError: something else listens there, for longer than `PATIENCE_SECONDS`.
        ConfigurationError: this machine has no such address, or the user may not.
    """
    address = numeric(host)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (failure := _bind(address, port)) is not None:
        if failure.errno != errno.EADDRINUSE:
            raise ConfigurationError(f"{host}:{port} can't be listened on: {failure.strerror}.") from failure
        if time.monotonic() > deadline:
            raise ConflictError(
                f"Something else listens on {host}:{port}.", hint="Choose another with --port, or stop it."
            ) from failure
        time.sleep(_TICK_SECONDS)


def _bind(address: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None

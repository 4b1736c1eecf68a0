"""Addresses that the server may be given, and ports that are taken."""

from __future__ import annotations

import socket

import pytest

from lineage.cli import addresses
from lineage.errors import ConfigurationError, ConflictError


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_a_browser_is_given_an_address_that_it_can_open(host: str, url: str) -> None:
    assert addresses.url(host, 80) == url


def test_a_name_becomes_a_number() -> None:
    assert addresses.numeric("localhost") in {"127.0.0.1", "::1"}
    assert addresses.numeric("127.0.0.1") == "127.0.0.1"
    with pytest.raises(ConfigurationError, match="LINEAGE_HOST"):
        addresses.numeric("no host has a space")


def test_a_free_port_is_claimed_and_left_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    addresses.claim("127.0.0.1", port)
    addresses.claim("127.0.0.1", port)


def test_a_taken_port_is_a_conflict_once_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "PATIENCE_SECONDS", 0.1)
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConflictError, match="else listens"),
    ):
        addresses.claim("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_another_machine_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="can't be listened on"):
        addresses.claim("192.0.2.1", 8000)

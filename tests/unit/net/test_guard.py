"""Which addresses a followed server may have."""

from __future__ import annotations

import pytest

from lineage.net import guard
from lineage.net.errors import RefusedAddressError

EVERYWHERE = guard.networks(["0.0.0.0/0", "::/0"])

NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "192.0.0.192",
    "100.100.100.200",
    "168.63.129.16",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "::a9fe:a9fe",
]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::7f00:1",
]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_refused_whatever_is_allowed(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        guard.check(address, EVERYWHERE)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_to_be_allowed(address: str) -> None:
    with pytest.raises(RefusedAddressError):
        guard.check(address, [])
    guard.check(address, EVERYWHERE)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are_not_refused(address: str) -> None:
    guard.check(address, [])


def test_another_network_than_the_allowed_one_stays_refused() -> None:
    allowed = guard.networks(["10.1.0.0/16", "fd00:1::/32"])
    guard.check("10.1.255.255", allowed)
    guard.check("::ffff:10.1.0.1", allowed)
    for address in ("10.2.0.0", "fd00:2::1", "127.0.0.1"):
        with pytest.raises(RefusedAddressError):
            guard.check(address, allowed)


@pytest.mark.parametrize("text", ["", "example.org", "2130706433", "0x7f.1", "127.1", "1.2.3.4.5", "[::1]"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(RefusedAddressError):
        guard.check(text, EVERYWHERE)


@pytest.mark.parametrize(
    "address",
    ["fec0::1", "::ffff:0:7f00:1", "64:ff9b:1::7f00:1", "fd00:ec2::23", "fd20:ce::254", "4000::1", "200::1"],
)
def test_ways_around_are_refused_whatever_is_allowed(address: str) -> None:
    """Site-local, translated and unassigned addresses, and more of those at which clouds give credentials."""
    with pytest.raises(RefusedAddressError):
        guard.check(address, EVERYWHERE)

"""Which addresses a followed server may have: the guard against requests to where no server of ours is meant.

Owns: the rule. Does not own: resolving and connecting (`sockets`), which ask before connecting and once more
about the peer that was reached.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from lineage.net.errors import RefusedAddressError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/3",
        "::/128", "100::/64", "fe80::/9", "ff00::/8", "fd00:ec2::/32", "fd20:ce::254/128", "168.63.129.16/32",
        "100.100.100.200/32",
    )
)  # fmt: skip
"""Link-local, multicast, unspecified, benchmarking, reserved, and where clouds answer with credentials."""
_USED = tuple(ipaddress.ip_network(text) for text in ("2000::/3", "fc00::/7", "::1/128"))
"""All of IPv6 that has servers; the rest are translations of other addresses, or nobody's (RFC 4291, 2.4)."""

_EMBEDDING = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""NAT64 and 6to4: an IPv4 address inside an IPv6 one (RFC 6052, RFC 3056)."""
_COMPATIBLE = ipaddress.ip_network("::/96")
"""As before them (RFC 4291, 2.5.5.1)."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs. Raises ValueError for one that is none."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def check(text: str, allowed: Sequence[Network]) -> None:
    """Whether `text`, an IP address, may be connected to; private ones only inside `allowed`.

    Raises: RefusedAddressError.
    """
    try:
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        raise RefusedAddressError("The server's name did not resolve to an IP address.") from None
    if _in(address, _NEVER) or (address.version == 6 and not _in(address, _USED)):
        raise RefusedAddressError(f"{address} is an address at which no server may be followed.")
    if not address.is_global and not _in(address, allowed):
        raise RefusedAddressError(
            f"{address} is a private address, and not in the networks on which servers may be followed.",
            hint="An administrator can allow its network: LINEAGE_PRIVATE_NETWORKS.",
        )


def _plain(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _EMBEDDING[0]:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _EMBEDDING[1]:
            return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
        if address in _COMPATIBLE and not address.is_loopback:
            return ipaddress.IPv4Address(int(address))
    return address


def _in(address: Address, found: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in found)

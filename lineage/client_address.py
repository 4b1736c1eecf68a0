"""From which address a request comes, also behind proxies that are trusted.

`X-Forwarded-For` can be written by anybody, so it is read from its end, and only as far as the addresses are
those of `LINEAGE_TRUSTED_PROXIES`. Without that setting the address is that of the connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from lineage.config import current

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HOPS = 20
UNKNOWN = ""


def of(meta: Mapping[str, Any]) -> str:
    """The address in its one form, or UNKNOWN where the connection has none. `meta`: the WSGI environment."""
    address = _address(str(meta.get("REMOTE_ADDR", "")))
    trusted = current().people.trusted_proxies
    if not trusted or address == UNKNOWN:
        return address
    for hop in reversed(str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")[-MAX_HOPS:]):
        if not _is_within(address, trusted):
            break
        before = _address(hop)
        if before == UNKNOWN:
            break
        address = before
    return address


@lru_cache(1024)
def _address(text: str) -> str:
    try:
        found = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return UNKNOWN
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    found = ipaddress.ip_address(address)
    return any(found in network for network in _networks(networks))


@cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)

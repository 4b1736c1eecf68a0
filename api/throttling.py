"""How often a caller may call: by API key, by person, and by address for whoever has neither.

Keys with the scope `attest` have a limit of their own, by default none: no pipeline waits. Public addresses
(the log's tiles, health, metrics) are not limited.
"""

from __future__ import annotations

import ipaddress

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api.authentication import Caller
from lineage import client_address
from lineage.config import current
from lineage.errors import UnauthenticatedError
from lineage.services import rate_limits

COUNTED = "lineage.counted"
"""In a request's environment: it was counted before it came here."""


def count(caller: Caller) -> None:
    """One more call of a caller. Raises: RateLimitedError."""
    people = current().people
    limit = people.attest_rate_limit if "attest" in caller.scopes else people.rate_limit
    rate_limits.take(caller.limited_as, limit)


class CallerThrottle(BaseThrottle):
    """Asked before the scope is, so that whoever guesses keys is slowed down too."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Raises: RateLimitedError."""
        if COUNTED in request.META:
            return True
        try:
            caller = request.auth
        except UnauthenticatedError:
            caller = None  # which the permission tells
        if isinstance(caller, Caller):
            count(caller)
        else:
            address = _network(client_address.of(request.META))
            rate_limits.take(f"address:{address}", current().people.rate_limit)
        return True


def _network(address: str) -> str:
    """An IPv6 address stands for its /64, which one machine has whole."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))

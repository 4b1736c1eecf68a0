"""What is wrong with an address, before anything was sent to it."""

from __future__ import annotations

from lineage.errors import UnavailableError


class RefusedAddressError(UnavailableError):
    """The server's address is one that is never reached, or private and not allowed."""

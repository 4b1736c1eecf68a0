"""How people sign in: with an e-mail address and a password that an operator gave them."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from lineage import client_address


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Nobody signs up by themselves."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Whose failed attempts are counted together."""
        return client_address.of(request.META) or "unknown"

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

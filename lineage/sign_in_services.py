"""The OpenID provider as allauth's settings name it."""

from __future__ import annotations

from typing import Any

from lineage.people_settings import Oidc


def settings(oidc: Oidc | None) -> dict[str, Any]:
    """Django's `SOCIALACCOUNT_PROVIDERS`."""
    if oidc is None:
        return {}
    app = {
        "provider_id": "sso",
        "name": oidc.name,
        "client_id": oidc.client_id,
        "secret": oidc.client_secret,
        "settings": {"server_url": oidc.url},
    }
    return {"sso": {"APPS": [app]}}

"""The OpenID provider that people sign in with, where `LINEAGE_OIDC_URL` names one.

Owns: what we ask of it, and which of its answers count. It is made known to allauth here, once somebody signs
in, and isn't in a module `provider`, which allauth would load at the start: with what it needs of others that
is 6 MB of each process, and most installations have no such provider. Does not own: whom that lets in, and as
what (`single_sign_on`), or what makes an ID token good (`id_token`).

The issuer that the provider's own configuration names must be the URL that we were given. The nonce is
derived from the state, a secret of the session: a token of another sign-in has another.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialToken
from allauth.socialaccount.providers import registry
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.urls import reverse

from lineage.config import current
from lineage.trust.digest import sha256_hex
from lineage.web import id_token

PROVIDER_ID = "sso"
CALLBACK = "sso_callback"
_NAMES = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def nonce_of(state: str) -> str:
    """The nonce of the sign-in with this state: 64 lowercase hex digits."""
    return hashlib.sha256(b"lineage nonce\n" + state.encode("utf-8", "replace")).hexdigest()


class Client(OAuth2Client):  # type: ignore[misc]  # allauth ships no types
    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        found: str = super().get_redirect_url(
            authorization_url, scope, {**extra_params, "nonce": nonce_of(self.state or "")}
        )
        return found


class Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    client_class = Client

    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's own configuration. Raises: OAuth2Error where it is another's, or lacks something."""
        config = super().openid_config
        wanted = self.get_provider().app.settings["server_url"].rstrip("/")
        if not isinstance(config, dict) or str(config.get("issuer", "")).rstrip("/") != wanted:
            raise OAuth2Error("the provider's configuration is of another issuer")
        if not all(isinstance(config.get(name), str) for name in _NAMES):
            raise OAuth2Error("the provider's configuration is not complete")
        return config

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        """On the address that people use: behind a proxy the request itself may look like plain HTTP."""
        public = current().public_url
        if urlsplit(public).netloc == request.get_host():
            return f"{public}{reverse(CALLBACK)}"
        return str(request.build_absolute_uri(reverse(CALLBACK)))

    def parse_token(self, data: dict[str, Any]) -> Any:
        return SocialToken(token=str(data["access_token"]))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        """Who signs in. Raises: OAuth2Error where anything about the answer is not as it must be."""
        given = kwargs["response"].get("id_token")
        if not isinstance(given, str):
            raise OAuth2Error("the provider gave no ID token")
        config = self.openid_config
        state = request.GET.get("state", "")
        try:
            claims = id_token.read(
                given,
                self._fetch(config["jwks_uri"]).get("keys", []),
                issuer=config["issuer"],
                client_id=app.client_id,
                nonce=nonce_of(state),
            )
        except id_token.IdTokenError as error:
            raise OAuth2Error(str(error)) from error
        if isinstance(config.get("userinfo_endpoint"), str):
            about = self._fetch(config["userinfo_endpoint"], token.token)
            if about.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, section 5.3.2
                raise OAuth2Error("the provider tells of somebody else")
            claims = {**about, **claims}
        login = self.get_provider().sociallogin_from_response(request, claims)
        login.claims = claims
        return login

    def _fetch(self, url: str, bearer: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        with get_adapter().get_requests_session() as session:
            answer = session.get(url, headers=headers)
            answer.raise_for_status()
            found = answer.json()
        if not isinstance(found, dict):
            raise OAuth2Error("the provider's answer is no JSON object")
        return found


class SingleSignOn(OpenIDConnectProvider):  # type: ignore[misc]
    """`uid` is a hash of issuer and subject: with another provider the same subject is somebody else."""

    id = PROVIDER_ID
    name = "Single sign-on"
    oauth2_adapter_class = Adapter
    pkce_enabled_default = True

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("sso_login")

    def get_callback_url(self) -> str:
        return reverse(CALLBACK)

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return dict(self.get_auth_params())  # nobody adds to them by an address

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return list(self.get_scope())

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_redirect_from_request_kwargs(request), "process": AuthProcess.LOGIN}

    def extract_uid(self, data: dict[str, Any]) -> str:
        return sha256_hex(f"{data['iss']}\n{data['sub']}".encode("utf-8", "replace"))

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"iss": str(data["iss"]), "sub": str(data["sub"])}  # the rest is the provider's to keep

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {"email": data.get("email")}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        email = data.get("email")
        if not isinstance(email, str):
            return []
        return [EmailAddress(email=email.lower(), verified=is_verified(data), primary=True)]


def is_verified(claims: dict[str, Any]) -> bool:
    """Whether the provider says that the address is theirs: `true`, also as text, as some write it."""
    return claims.get("email_verified") in (True, "true")


registry.register(SingleSignOn)

"""Whom the OpenID provider lets in, and as what.

Owns: which account somebody has, and their role. Does not own: the protocol (`openid_provider`, `id_token`).

An account is found by issuer and subject; the first time by an e-mail address that the provider says is
verified. Whoever has none gets one only where a role is configured for them: by a claim
(`LINEAGE_OIDC_ROLES`), else `LINEAGE_OIDC_DEFAULT_ROLE`. Where claims give roles they do at each sign-in, so
whoever left a group loses its role here too.
"""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from lineage import client_address
from lineage.config import current
from lineage.db.access import AccessRecord
from lineage.db.configuration import User
from lineage.people_settings import Oidc
from lineage.services import access_records
from lineage.web.openid_provider import PROVIDER_ID, Adapter, is_verified

log = logging.getLogger(__name__)
MAX_VALUES = 1000
ORDER = [choice.value for choice in User.Role]


def role_of(claims: dict[str, Any], oidc: Oidc) -> str:
    """The highest role that the claims give, else the one that anybody has; empty for none."""
    given = {pair.role for pair in oidc.roles if pair.value in _values(claims.get(pair.claim))}
    return max(given, key=ORDER.index) if given else oidc.default_role


def _values(claim: object) -> list[object]:
    return claim[:MAX_VALUES] if isinstance(claim, list) else [claim]


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Find or refuse the account, and give it the role of today."""
        oidc, claims = _oidc(), sociallogin.claims
        role = role_of(claims, oidc)
        if not sociallogin.is_existing:
            self._connect(request, sociallogin, claims, role)
        if sociallogin.is_existing and oidc.roles:
            if not role:
                refuse(request, "Your sign-in service gives you no role here.", who=sociallogin.user.email)
            if sociallogin.user.role != role:
                log.info("%s is an %s now, as the OpenID provider says", sociallogin.user.email, role)
                sociallogin.user.role = role
                sociallogin.user.save(update_fields=["role"])

    def _connect(self, request: HttpRequest, sociallogin: Any, claims: dict[str, Any], role: str) -> None:
        email = str(claims.get("email") or "").lower()
        if not email or "\0" in email or not is_verified(claims):
            refuse(request, "Your sign-in service does not say that your e-mail address is verified.")
        user = User.objects.filter(email=email).first()
        if user is not None:
            sociallogin.connect(request, user)
        elif not role:
            refuse(request, f"There is no account for {email}. An operator makes one.")

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whoever came so far has a verified address and a role."""
        return bool(role_of(sociallogin.claims, _oidc()))

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """A new account without a password."""
        sociallogin.user.role = role_of(sociallogin.claims, _oidc())
        return super().save_user(request, sociallogin, form)

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, **_: Any
    ) -> None:
        log.warning("A sign-in by the OpenID provider failed: %s", exception or error)
        refuse(request, "The sign-in service did not confirm who you are. Try again.")


def refuse(request: HttpRequest, sentence: str, *, who: str = "somebody unknown") -> NoReturn:
    """Nobody is signed in; a page says why. Raises: ImmediateHttpResponse."""
    address = client_address.of(request.META)
    access_records.add(AccessRecord.Action.REFUSED, who, "sso_callback", "", 403, address)
    answer = render(request, "account/refused.html", {"sentence": sentence}, status=403)
    raise ImmediateHttpResponse(answer)


def _oidc() -> Oidc:
    """Raises: Http404 where no provider is configured."""
    oidc = current().people.oidc
    if oidc is None:
        raise Http404
    return oidc


@never_cache
@require_GET
def login(request: HttpRequest) -> HttpResponse:
    """Send to the provider.

    By a link, because the page's policy lets forms go nowhere else, not even by a redirect. Whoever is sent
    here by another site signs in as themselves: the way back is only good for their own session.
    """
    return _asked(OAuth2LoginView, request)


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider."""
    return _asked(OAuth2CallbackView, request)


def _asked(view: Any, request: HttpRequest) -> HttpResponse:
    _oidc()
    try:
        try:
            answer: HttpResponse = view.adapter_view(Adapter(request, PROVIDER_ID))(request)
        except (requests.RequestException, OAuth2Error, ValueError) as error:
            log.warning("The OpenID provider does not answer as it should: %s", error)
            refuse(request, "The sign-in service does not answer as it should. Try again later.")
        except SocialApp.DoesNotExist:
            raise Http404 from None
    except ImmediateHttpResponse as refused:
        answer = refused.response
    return answer

"""Who calls: a program with its API key, or a person who is signed in to the web interface.

Owns: reading the `Authorization` header and the session. Does not own: API keys themselves
(`lineage.services.tokens`) or what a caller may do (`api.permissions`).
Source: RFC 6750 section 2.1 (bearer tokens in the Authorization header).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from lineage.db.models import ApiToken, User
from lineage.errors import ForbiddenError, UnauthenticatedError
from lineage.services import second_factors, tokens
from lineage.services.rights import ROLE_SCOPES, Actor

NOBODY = AnonymousUser()


class Caller(Actor):
    """`name` is what decisions and refusals record."""

    __slots__ = ()

    @property
    def limited_as(self) -> str:
        """By which name requests are counted: for a person the same as on pages."""
        return f"person:{self.name}" if self.person else self.name


def by_token(token: ApiToken) -> Caller:
    """Who has a token that is valid."""
    return Caller(f"token:{token.name} (lin_{token.prefix})", frozenset(token.scopes.split()))


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer lin_…`. `request.auth` becomes a `Caller`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        """None where there is no such header. Raises: UnauthenticatedError for a wrong one."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise UnauthenticatedError(
                "The Authorization header is not a bearer token.", hint="Send Authorization: Bearer lin_…"
            )
        return NOBODY, by_token(tokens.authenticate(secret.strip()))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="lineage"'


class PersonAuthentication(SessionAuthentication):
    """The session of the web interface; whatever is not a GET needs its CSRF token too."""

    www_authenticate_realm: ClassVar[str] = "lineage"

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        """None without a session.

        Raises: PermissionDenied where the CSRF token is missing or wrong; ForbiddenError where the person's
            role needs a second factor that they have not.
        """
        django_request: Any = request._request
        if "HTTP_COOKIE" not in django_request.META:
            return None
        user = getattr(django_request, "user", None)
        if not isinstance(user, User) or not user.is_active:
            return None
        if second_factors.is_missing(django_request, user):
            raise ForbiddenError("Your role needs a second factor.", hint="Set one up at /accounts/2fa/.")
        # The framework's own request would look for the token in a body that no parser may touch.
        self.enforce_csrf(django_request)
        return user, Caller(user.email, ROLE_SCOPES[user.role], user)

"""What a caller may do: each call names the scope that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.authentication import Caller
from lineage.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports the permissions that settings name

SCOPES = {
    "attest": "send attestations",
    "read": "read attestations, nodes, lineage, keys, decisions and sources",
    "check": "ask for re-verification",
    "decide": "record decisions",
    "operate": (
        "register and revoke keys, read refusals, ask the graph in Cypher, follow MLflow servers, "
        "configure storages"
    ),
}


class DenyAll(BasePermission):
    """The default: a view that names no scope of its own answers nobody."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        raise ForbiddenError("This call names no scope.")


class HasScope(BasePermission):
    """The caller holds the scope that the view's `scopes` gives for the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises: UnauthenticatedError without a caller, ForbiddenError where the scope is missing."""
        caller = request.auth
        if not isinstance(caller, Caller):
            raise UnauthenticatedError(
                "This call needs an API key.",
                hint="Send Authorization: Bearer lin_…, made by `lineage tokens create`.",
            )
        scope = getattr(view, "scopes", {}).get(request.method)
        if scope not in caller.scopes:
            held = ", ".join(sorted(caller.scopes)) or "none"
            raise ForbiddenError(
                f"This call needs the scope {scope!r}; {caller.name} has {held}.",
                hint=f"Use an API key with --scope {scope}.",
            )
        return True

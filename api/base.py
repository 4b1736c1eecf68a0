"""What every call of the REST interface has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from api import access
from api.authentication import Caller, PersonAuthentication, TokenAuthentication
from api.permissions import HasScope
from api.problems import MethodNotAllowedError, NotAcceptableError
from api.renderers import JsonRenderer
from api.throttling import CallerThrottle
from lineage.errors import NotFoundError
from lineage.services import rights

JSON_RANGES = frozenset({"application/json", "application/*", "*/*", "application/problem+json"})
RENDERER = JsonRenderer()
_methods: dict[type[APIView], list[str]] = {}
"""In capitals, by view."""


def accepts(header: str, media_types: frozenset[str]) -> bool:
    """Whether an `Accept` header leaves one of the media ranges open. Source: RFC 9110 section 12.5.1."""
    for part in header.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        refused = any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
        if media_range in media_types and not refused:
            return True
    return False


class Call(APIView):
    """A view of `/api/v1/`: an API key or session, a scope a method, JSON out, problem documents on error.

    `scopes` maps an HTTP method to the scope that it needs; `produces` are the media ranges that an
    `Accept` header may name (JSON unless a call says otherwise). `rule` names one of `rights.RULES` that
    needs no thing, and is asked beside the scope.
    """

    http_method_names = ["get", "head", "post"]  # noqa: RUF012 the framework's own form
    authentication_classes: Sequence[type[BaseAuthentication]] = (TokenAuthentication, PersonAuthentication)
    permission_classes: Sequence[type[BasePermission]] = (HasScope,)
    renderer_classes = (JsonRenderer,)
    parser_classes = ()
    throttle_classes: Sequence[type[BaseThrottle]] = (CallerThrottle,)
    schema: AutoSchema | None = AutoSchema()
    content_security_policy: ClassVar[str] = "default-src 'none'; frame-ancestors 'none'"
    scopes: ClassVar[Mapping[str, str]] = {"GET": "read", "HEAD": "read"}
    produces: ClassVar[frozenset[str]] = JSON_RANGES
    rule: ClassVar[str] = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As the framework's; what it leaves behind refers to itself no more, once it has answered.

        A body and its answer would else stay until the next collection of cycles, some thousand requests on.
        """
        answer = super().dispatch(request, *args, **kwargs)
        if isinstance(answer, Response):
            answer.render()
            answer.__dict__.pop("renderer_context", None)
        self.request.parser_context = {}
        self.__dict__.clear()
        return answer

    @property
    def allowed_methods(self) -> list[str]:
        """As the framework's, which looks for each method at each call.

        HEAD is there with GET: a view that serves no request yet, as the schema asks one, has no `head`.
        """
        found = _methods.get(type(self))
        if found is None:
            names = [
                name for name in self.http_method_names if hasattr(self, "get" if name == "head" else name)
            ]
            found = _methods[type(self)] = [name.upper() for name in names]
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Method, media type, how often, caller, scope: the order in which a mistake is told."""
        self.check_method(request)
        request.accepted_renderer, request.accepted_media_type = RENDERER, RENDERER.media_type
        header = request.META.get("HTTP_ACCEPT")
        if header and not accepts(header, self.produces):
            raise NotAcceptableError(
                f"Nothing in Accept: {header[:200]} can be answered here.",
                hint="This call answers " + ", ".join(sorted(t for t in self.produces if "*" not in t)) + ".",
            )
        self.check_throttles(request)
        self.check_permissions(request)
        if self.rule:
            rights.check(self.rule, caller(request), otherwise="This call is not for you.")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Adds the policy of whatever is no page: nothing in it may be loaded or framed."""
        if self.content_security_policy:
            response.headers["Content-Security-Policy"] = self.content_security_policy
        finished = super().finalize_response(request, response, *args, **kwargs)
        access.note(request, self.scopes.get(request.method or "", ""), kwargs, finished)
        return finished

    def check_method(self, request: Request) -> None:
        """Raises: MethodNotAllowedError; the answer's `Allow` header is set for every answer."""
        if request.method not in self.allowed_methods:
            raise MethodNotAllowedError(
                f"{request.method} is not a method of this address.", extra={"allow": self.allowed_methods}
            )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Used by the framework for errors raised before `initial` ends: those are always JSON."""
        return RENDERER, RENDERER.media_type


class PublicCall(Call):
    """A call that needs no API key and answers whatever the client says to accept."""

    authentication_classes = ()
    permission_classes = ()
    produces: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.check_method(request)


class Nowhere(PublicCall):
    """Every address below a machine-readable prefix that is nothing: a problem document, never a page."""

    schema = None

    def check_method(self, request: Request) -> None:
        raise NotFoundError("There is nothing at this address.", hint="/api/docs lists every call.")


def caller(request: Request) -> Caller:
    """Who calls, after `HasScope` has let them in."""
    assert isinstance(request.auth, Caller)
    return request.auth

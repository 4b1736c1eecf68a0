"""Pages for requests that fail, in the look of all others.

Owns: how an error is told to a person. Programs get problem+json from `api.problems`.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from lineage.errors import ForbiddenError, LineageError, MalformedError, NotFoundError

TEMPLATE = "error.html"


def page(request: HttpRequest, error: LineageError, **context: object) -> HttpResponse:
    """The page of an error that was raised on purpose, with its HTTP status."""
    return render(request, TEMPLATE, {"error": error, **context}, status=error.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(request, MalformedError("The server could not read this request."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = str(exception) or "Your role does not cover this page or action."
    return page(request, ForbiddenError(message, hint="An operator can change your role."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    hint = "Check the address, or search for the name or digest."
    return page(request, NotFoundError(f"Nothing answers at {request.path}.", hint=hint))


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without the request: whatever failed may be needed for the navigation too."""
    error = LineageError(
        "The server could not finish this page.",
        hint="Try again; if it stays, an operator finds why in the logs.",
    )
    return HttpResponse(render_to_string(TEMPLATE, {"error": error}), status=error.status)

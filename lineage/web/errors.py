"""Pages for requests that fail, in the look of all others.

Owns: how an error is told to a person. Programs get problem+json from `api.problems`.
"""

from __future__ import annotations

import sys

from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from lineage.db import room
from lineage.errors import (
    ForbiddenError,
    LineageError,
    MalformedError,
    NotFoundError,
    RateLimitedError,
    StorageFullError,
    UnavailableError,
)

TEMPLATE = "error.html"


def page(request: HttpRequest, error: LineageError, **context: object) -> HttpResponse:
    """The page of an error that was raised on purpose, with its HTTP status."""
    answer = render(request, TEMPLATE, {"error": error, **context}, status=error.status)
    if isinstance(error, RateLimitedError | UnavailableError):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(request, MalformedError("The server could not read this request."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    message = str(exception) or "Your role does not cover this page or action."
    return page(request, ForbiddenError(message, hint="An operator can change your role."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    hint = "Check the address, or search for the name or digest."
    return page(request, NotFoundError(f"Nothing answers at {request.path}.", hint=hint))


def server_error(request: HttpRequest) -> HttpResponse:
    """Rendered without the request: whatever failed may be needed for the navigation too.

    A database that doesn't answer, or has no connection left, is no fault of the page's: 503.
    """
    hint = "Try again; if it stays, an operator finds why in the logs."
    error = LineageError("The server could not finish this page.", hint=hint)
    failed = sys.exc_info()[1]
    if isinstance(failed, DataError):  # U+0000, for one, which PostgreSQL's text has not
        error = MalformedError("The server could not read this request.")
    elif failed is not None and room.none_left(failed):
        error = StorageFullError()
    elif isinstance(failed, OperationalError):
        error = UnavailableError("The database does not answer.", hint=hint)
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, UnavailableError) else {}
    body = render_to_string(TEMPLATE, {"error": error})
    return HttpResponse(body, status=error.status, headers=headers)

"""Errors told to clients: the one place where an exception becomes an RFC 9457 problem document.

Owns: the document's members, the HTTP status and headers of every error of the REST interface.
Does not own: the errors themselves (`lineage.errors`), nor the HTML error pages of the web interface.
Source: RFC 9457 (problem details), RFC 9110 sections 11.6.1 (WWW-Authenticate) and 10.2.3 (Retry-After).
"""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import msgspec
from django.core import exceptions as django_errors
from django.core import signals
from django.db import DataError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from rest_framework import exceptions as rest_errors
from rest_framework.response import Response

from lineage import logs
from lineage.db import room
from lineage.errors import (
    ForbiddenError,
    LineageError,
    MalformedError,
    NotFoundError,
    ProposedError,
    RateLimitedError,
    RollbackError,
    StorageFullError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from lineage.services import approvals, proposal_records

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lineage:problem:"
INSTANCE_PREFIX = "urn:lineage:request:"

logger = logging.getLogger(__name__)


class MethodNotAllowedError(LineageError):
    """The address exists, but not with this HTTP method."""

    slug: ClassVar[str] = "method-not-allowed"
    status: ClassVar[int] = 405
    title: ClassVar[str] = "This address has no such method"


class NotAcceptableError(LineageError):
    """None of the media types that the client accepts is spoken here."""

    slug: ClassVar[str] = "not-acceptable"
    status: ClassVar[int] = 406
    title: ClassVar[str] = "The answer has no such media type"


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem document. A problem may have further members, such as `limit`.

    `type` is `urn:lineage:problem:<slug>`, `detail` says what was wrong this time, `where` in which part of
    the input, `hint` what can be done about it. `instance` is `urn:lineage:request:<id>`, the `X-Request-ID`
    of the answer, under which an operator finds it in the server's own log.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    where: str = ""
    hint: str = ""


def document(error: LineageError) -> dict[str, object]:
    """The problem document of an error. Members without a value are left out."""
    members: dict[str, object] = {
        "type": TYPE_PREFIX + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.message if error.status != 500 else "The error was written to the server's own log.",
    }
    if error.status == 500:
        return members
    if error.where:
        members["where"] = error.where
    if error.hint:
        members["hint"] = error.hint
    return members | {key: value for key, value in error.extra.items() if key not in members}


def encode(error: LineageError) -> bytes:
    """The problem document as one line of UTF-8 JSON, without a line ending."""
    return msgspec.json.encode(document(error))


def _of_request(error: LineageError) -> dict[str, object]:
    """The problem document as the answer to the request that is being answered."""
    name = logs.request_id.get()
    return document(error) | ({"instance": INSTANCE_PREFIX + name} if name else {})


def headers(error: LineageError) -> dict[str, str]:
    if error.status == 401:
        return {"WWW-Authenticate": 'Bearer realm="lineage"'}
    if isinstance(error, UnavailableError | RateLimitedError):
        return {"Retry-After": str(error.retry_after)}
    return {}


def respond(error: LineageError) -> HttpResponse:
    """A plain Django answer, for what is refused outside of a REST view."""
    body = msgspec.json.encode(_of_request(error))
    return HttpResponse(body, status=error.status, content_type=MEDIA_TYPE, headers=headers(error))


def exception_handler(error: BaseException, context: dict[str, Any]) -> Response:
    """Django REST framework's hook: every exception of a view passes here and nowhere else."""
    if isinstance(error, ProposedError):  # nothing is wrong: it waits
        row = proposal_records.record(approvals.get(error.number))
        location = {"Location": f"/api/v1/proposals/{error.number}"}
        return Response(row, status=error.status, headers=location)
    known = noted(error, context.get("request"), context.get("view"))
    return Response(_of_request(known), status=known.status, content_type=MEDIA_TYPE, headers=headers(known))


def noted(error: BaseException, request: object, view: object) -> LineageError:
    """What to tell of an error in a view; one that is ours is written to the server's own log first."""
    known = translate(error)
    if known.status >= 500 and not isinstance(error, UnavailableError | RollbackError):
        logger.error("%s in %s", type(error).__name__, getattr(request, "path", "?"), exc_info=error)
    if known.status == 500:
        signals.got_request_exception.send(sender=type(view), request=request)
    return known


FOREIGN: tuple[tuple[type[BaseException], type[LineageError], str], ...] = (
    (rest_errors.NotAuthenticated, UnauthenticatedError, ""),
    (rest_errors.AuthenticationFailed, UnauthenticatedError, ""),
    (rest_errors.PermissionDenied, ForbiddenError, ""),
    (rest_errors.NotFound, NotFoundError, ""),
    (rest_errors.MethodNotAllowed, MethodNotAllowedError, ""),
    (rest_errors.NotAcceptable, NotAcceptableError, ""),
    (rest_errors.UnsupportedMediaType, UnsupportedMediaTypeError, ""),
    (rest_errors.Throttled, RateLimitedError, ""),
    (rest_errors.ParseError, MalformedError, ""),
    (rest_errors.ValidationError, MalformedError, ""),
    (Http404, NotFoundError, "There is nothing at this address."),
    (django_errors.PermissionDenied, ForbiddenError, "This is not permitted."),
    (UnreadablePostError, MalformedError, "The body broke off before its end."),
    (django_errors.SuspiciousOperation, MalformedError, "The request is malformed."),
    (django_errors.BadRequest, MalformedError, "The request is malformed."),
    (DataError, MalformedError, "A value in the request is none that can be looked up, such as U+0000."),
    (OperationalError, UnavailableError, "The database does not answer; send the request again."),
)
"""Exceptions of the frameworks, what they mean here, and the sentence (without one: the exception's own)."""


def translate(error: BaseException) -> LineageError:
    """Any exception as a member of the error tree; an unforeseen one becomes the opaque base, status 500."""
    if isinstance(error, LineageError):
        return error
    if room.none_left(error):
        return StorageFullError()
    for foreign, known, sentence in FOREIGN:
        if isinstance(error, foreign):
            return known(sentence or str(getattr(error, "detail", "")))
    return LineageError(type(error).__name__)

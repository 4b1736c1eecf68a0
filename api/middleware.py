"""Errors that never reach a view, such as an unknown host, answer programs with a problem document too."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from api.problems import MEDIA_TYPE, respond
from lineage.errors import ForbiddenError, LineageError, MalformedError, NotFoundError

PREFIXES = ("/api/v1/", "/log/tile/", "/health/")
ERRORS: dict[int, LineageError] = {
    400: MalformedError("The request is malformed; its Host header may not be one of LINEAGE_ALLOWED_HOSTS."),
    403: ForbiddenError("This is not permitted."),
    404: NotFoundError("There is nothing at this address."),
}


class ProblemPages:
    """Django's own error pages below the prefixes of the REST interface become problem documents."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if answer.status_code < 400 or not request.path_info.startswith(PREFIXES):
            return answer
        if answer.headers.get("Content-Type") == MEDIA_TYPE or answer.status_code == 503:
            return answer
        return respond(ERRORS.get(answer.status_code) or LineageError(""))

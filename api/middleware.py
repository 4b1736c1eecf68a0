"""What the web interface's chain of middleware needs to know of programs: their errors, their policy."""

from __future__ import annotations

import threading
from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.module_loading import import_string

from api.problems import MEDIA_TYPE, respond
from lineage.errors import ForbiddenError, LineageError, MalformedError, NotFoundError, TooLargeError

Handler = Callable[[HttpRequest], HttpResponseBase]
MAX_FORM_BYTES = 4 << 20
"""The longest that a page takes is a root of trust: 1 MiB, and some of its characters as three."""
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
PREFIXES = ("/api/v1/", "/log/tile/", "/health/")
PROGRAMS = (*PREFIXES, "/archivista/")
"""Below them programs call. Archivista's clients show an answer as it is: theirs are no problem documents."""
ERRORS: dict[int, LineageError] = {
    400: MalformedError("The request is malformed; its Host header may not be one of LINEAGE_ALLOWED_HOSTS."),
    403: ForbiddenError("This is not permitted."),
    404: NotFoundError("There is nothing at this address."),
}


class _Innermost(threading.local):
    """What the last middleware of the chain that is being built hands its requests to."""

    handler: Handler


_innermost = _Innermost()


class ProblemPages:
    """Django's own error pages below the prefixes of the REST interface become problem documents."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if answer.status_code < 400 or not request.path_info.startswith(PREFIXES):
            return answer
        if answer.headers.get("Content-Type") == MEDIA_TYPE or answer.status_code == 503:
            return answer
        return respond(ERRORS.get(answer.status_code) or LineageError(""))


def program_headers() -> tuple[tuple[str, str], ...]:
    """What SecurityMiddleware, as our settings have it, adds to each answer that has no such header."""
    return (
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", settings.SECURE_REFERRER_POLICY),
        ("Cross-Origin-Opener-Policy", settings.SECURE_CROSS_ORIGIN_OPENER_POLICY),
    )


class Programs:
    """Programs pass by whatever serves browsers: sessions, forms, static files, the policy of pages.

    A program calls below `PREFIXES` with no cookie, so no session can be meant, and sends no form, so
    nothing looks into it for one. All else takes the whole chain, of which `PagesOnly` is the end: what
    stands behind that is reached from here at once. What programs need of SecurityMiddleware and
    CommonMiddleware, as our settings have them, is done here: as classes of their own they cost several times
    as much. A test sends the same by both ways.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.program = _innermost.handler  # the framework builds the chain from its end
        self._headers = program_headers()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if (
            "HTTP_COOKIE" in request.META
            or not request.path_info.startswith(PROGRAMS)
            or request.content_type in FORM_TYPES
        ):
            return self.get_response(request)
        request.get_host()  # raises DisallowedHost
        answer = self.program(request)
        headers = answer.headers
        for name, value in self._headers:
            headers.setdefault(name, value)
        if isinstance(answer, HttpResponse) and "Content-Length" not in headers:
            headers["Content-Length"] = str(len(answer.content))
        return answer


class PagesOnly:
    """Middleware that only pages need (`PAGES_ONLY_MIDDLEWARE`, outermost first); programs pass it by.

    Only such as has no `process_view` and the like: the framework asks those of its own list alone.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        _innermost.handler = get_response
        self.pages = get_response
        for path in reversed(settings.PAGES_ONLY_MIDDLEWARE):
            self.pages = import_string(path)(self.pages)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(PROGRAMS):
            return self.get_response(request)
        return self.pages(request)


class FormLimit:
    """A form over `MAX_FORM_BYTES` is refused before anything reads it: anybody may send one to sign in.

    Calls read their bodies under limits of their own (`api.body`); only a form sent to one is measured here,
    because the framework looks into it for the CSRF token of a session. A body without Content-Length counts
    as empty on pages (PEP 3333).
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        program = request.path_info.startswith(PROGRAMS)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if program and request.content_type not in FORM_TYPES:
            return self.get_response(request)
        if length.isdecimal() and int(length[:20]) <= MAX_FORM_BYTES:
            return self.get_response(request)
        error = TooLargeError(f"A form has at most {MAX_FORM_BYTES:,} bytes.", limit=MAX_FORM_BYTES)
        if program:
            return respond(error)
        return HttpResponse(render_to_string("error.html", {"error": error}), status=error.status)


class PagePolicy(CSPMiddleware):
    """The Content-Security-Policy of pages; an answer that has its own keeps it, and costs nothing."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if HEADER in response.headers else super().process_response(request, response)

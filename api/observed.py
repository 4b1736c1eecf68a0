"""What is told of every request: its id, how long it took, one line in the log, a span where traces are on.

Owns: the outermost middleware. A client may name its request in `X-Request-ID`; else it is named here. The id
is in the answer, in problem documents and in each line that is logged meanwhile.

No line has a path or query string: routes are told by the name of their URL pattern.
"""

from __future__ import annotations

import itertools
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage import logs, meters, tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Handler = Callable[[HttpRequest], HttpResponseBase]
HEADER = "X-Request-ID"
STARTED = "lineage.started"
"""In a request's environment: when it was taken up, by `perf_counter`, where that was before this."""
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
POLLED = frozenset({"api:live", "api:ready", "api:metrics"})
"""Asked every few seconds by machines: their lines are for debugging only."""

log = logging.getLogger(logs.ACCESS)


class Names:
    """Of requests. To be made in the process that answers: what it makes is unlike any other's."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def of(self, meta: Mapping[str, Any]) -> str:
        given = meta.get("HTTP_X_REQUEST_ID")
        if given and WELL_FORMED.fullmatch(given):
            return str(given)
        return f"{self._process}-{next(self._numbers):x}"


class Observed:
    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._names = Names()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = request.META.pop(STARTED, None) or perf_counter()
        name = self._names.of(request.META)
        token = logs.request_id.set(name)
        try:
            with tracing.request(request.META) as span:
                answer = self.get_response(request)
                self._tell(request, answer, perf_counter() - started, span)
        finally:
            logs.request_id.reset(token)
        answer.headers[HEADER] = name
        return answer

    def _tell(
        self, request: HttpRequest, answer: HttpResponseBase, seconds: float, span: Span | None
    ) -> None:
        match = request.resolver_match
        route = match.view_name if match else "unmatched"
        method = request.method if request.method in METHODS else "other"
        status = answer.status_code
        if span is not None:
            tracing.answered(span, method or "other", route, status)
        tell(method or "other", route, status, seconds)


def tell(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answer, and write its line. `route`: a URL pattern's name."""
    meters.request(method, route, status, seconds)
    level = logging.DEBUG if route in POLLED else logging.INFO
    milliseconds = round(seconds * 1000, 1)
    fields = {"method": method, "route": route, "status": status, "ms": milliseconds}
    logs.write(log, level, f"{method} {route} {status} in {milliseconds} ms", fields)

"""The WSGI application that granian serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import django
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from django.utils.http import parse_header_parameters

from lineage import lean

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")


class Request(WSGIRequest):
    """A request whose text is UTF-8, whatever its `Content-Type` says.

    The framework takes any codec of Python's for a charset, and fails before there is an answer where it is
    none of text (`charset=base64`). JSON and our forms are UTF-8 alone. Source: RFC 8259 section 8.1.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))

    def close(self) -> None:
        """The answer is sent. What a request holds, its body too, is let go of, though middleware has made
        it refer to itself: else it would stay until the next collection of cycles."""
        super().close()
        self.__dict__.clear()


class Application(WSGIHandler):
    request_class = Request

    def __init__(self) -> None:
        super().__init__()
        from api import usual  # which needs the framework set up

        self._usual = usual.answer
        self._fixed: dict[str, ResolverMatch] = {}

    def __call__(  # type: ignore[override]  # the framework says a response, WSGI any iterable
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> HttpResponseBase | list[bytes]:
        """As the framework's, but what is whole is handed over in one piece, and the usual request is
        answered without it (`api.usual`).

        The server sends a list at once. For anything else it asks piece by piece, which wakes threads twice
        more for each answer. What goes as a list is closed here, because nobody closes a list.
        """
        usual = self._usual(environ)
        if usual is not None:
            start_response(usual.status, usual.headers)
            close_old_connections()  # all that the signal would do (`be_brief`), for half of its cost
            return [usual.content]
        answer = super().__call__(environ, start_response)
        if not isinstance(answer, HttpResponse):
            return answer
        content = answer.content
        answer.close()
        return [content]

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """As the framework's, which tries one pattern after the other; an address that is written out in its
        pattern, without a part that varies, is remembered. There are as many as there are such patterns."""
        path = request.path_info
        match = self._fixed.get(path)
        if match is None:
            match = super().resolve_request(request)
            if path == f"/{match.route}":
                self._fixed[path] = match
        request.resolver_match = match
        return match


def be_brief() -> None:
    """Let the framework do once what it does several times around each request of this process.

    Without debugging no query is noted that would have to be forgotten. Connections that are spent are let go
    of when a request has ended: none is left to look for at the next. No cache here has anything to close,
    and no request has addresses of its own.
    """
    for started in (reset_queries, close_old_connections):
        request_started.disconnect(started)
    for finished in (close_caches, reset_urlconf):
        request_finished.disconnect(finished)


lean.load_frameworks()
django.setup(set_prefix=False)
application = Application()

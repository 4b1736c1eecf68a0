"""The WSGI application that granian serves."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

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


django.setup(set_prefix=False)
application = Application()

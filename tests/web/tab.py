"""One tab of one Chromium for all tests of a process, and a server whose files it need not ask for twice.

A new context takes a second of CPU time, a new tab half of one, and a page of the same site a sixth: so the
tab stays on the site, and is emptied of what a test left in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.http import FileResponse, HttpRequest, HttpResponse
from pytest_django.live_server_helper import LiveServer

VIEWPORT = {"width": 1440, "height": 900}
NARROW = {"width": 1280, "height": 800}
"""The narrowest that pages are made for."""
PATIENCE_MS = 30_000
AXE = "/static/axe.js"
"""Where the site of tests has what looks for violations."""
EMPTY = "/static/empty.html"
"""A page of the site of tests that asks for nothing of its database."""
SAME_COLOURS = """
{
  const colour = axe.commons.color.Color.prototype, read = colour.parseString, known = new Map();
  colour.parseString = function (text) {
    const same = known.get(text);
    if (same) [this.r, this.g, this.b, this.alpha] = same;
    else known.set(text, [read.call(this, text), this.r, this.g, this.b, this.alpha].slice(1));
    return this;
  };
}
"""
"""Behind axe's script: it reads the same few colours thousands of times a page, a fifth of what it does."""


@dataclass
class Tab:
    """`browser` is Playwright's. A tab that a test has closed, or that crashed, is replaced by a new one."""

    browser: Any
    _page: Any = None

    def clean(self) -> Any:
        """The page as a new one would be, but with its own past to go back to."""
        if self._page is None or self._page.is_closed():
            self._page = self.browser.new_context(viewport=VIEWPORT).new_page()
        self._page.unroute_all()
        self._page.set_viewport_size(VIEWPORT)
        self._page.emulate_media(color_scheme="light")
        self._page.set_default_timeout(PATIENCE_MS)
        return self._page

    def leave(self, site: str) -> None:
        """End what the page still asks for, and forget who was signed in and what was kept or allowed."""
        if self._page is None or self._page.is_closed():
            return
        self._page.unroute_all()
        self._page.goto(site + EMPTY)  # the database is another test's soon
        self._page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self._page.context.clear_cookies()
        self._page.context.clear_permissions()

    def close(self) -> None:
        if self._page is not None:
            self._page.context.close()


class _KeptFiles(StaticFilesHandler):
    """Files do not change while tests run, so a browser may keep them, as it may in production."""

    def serve(self, request: HttpRequest) -> HttpResponse | FileResponse:
        if request.path == AXE:
            script = AXE_SCRIPT + SAME_COLOURS
            answer: HttpResponse | FileResponse = HttpResponse(script, content_type="text/javascript")
        elif request.path == EMPTY:
            answer = HttpResponse(content_type="text/html")
        else:
            answer = super().serve(request)
        answer["Cache-Control"] = "max-age=86400"
        return answer


def site() -> LiveServer:
    """Start the server of pages."""
    server = LiveServer("localhost", start=False)
    server.thread.static_handler = _KeptFiles
    server.start()
    return server

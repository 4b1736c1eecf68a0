"""The page behind the search box of every page."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.errors import MalformedError
from lineage.services import find
from lineage.web.pages import Page

MAX_LENGTH = 500


class Search(Page):
    template_name = "search.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        query = request.GET.get("q", "").strip()
        if len(query) > MAX_LENGTH or "\0" in query:
            raise MalformedError(f"A search has at most {MAX_LENGTH} printable characters.", where="q")
        if not query:
            return self.render(query="", found=None)
        found = find.find(query, self.as_of, after=request.GET.get("after") or None)
        return self.render(query=query, found=found)

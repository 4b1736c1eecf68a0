"""The page of the log: where it stands, how to check it from outside, its last entries."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.services import logbook, records
from lineage.web.pages import Page

ENTRIES_SHOWN = 50


class Log(Page):
    section = "log"
    template_name = "log.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        entries = records.listed(self.as_of, after=request.GET.get("after", ""), limit=ENTRIES_SHOWN)
        return self.render(log=logbook.read(self.as_of), entries=entries)

"""The first page: is anything unverified, expired or failed today?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from lineage.services import today
from lineage.web.pages import Page


class Today(Page):
    section = "today"
    template_name = "today.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render(today=today.overview(self.as_of))

"""The first page: is anything unverified, expired or failed today?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from lineage.services import epoch_records, records, today
from lineage.web import observed
from lineage.web.pages import Page


class Today(Page):
    section = "today"
    template_name = "today.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        found = today.overview(self.as_of)
        return self.render(
            today=found,
            epochs=epoch_records.history(records.log_size(self.as_of)),
            changed=observed.rows(found.changed.observed),
            changed_days=today.CHANGED_DAYS,
        )

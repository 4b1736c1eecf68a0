"""Pages of incidents: which there are, one with what it affects, and closing one.

Owns: what stands where. Does not own: opening one, whose form is with the other decisions about a thing
(`artifact_decisions`), or what may be decided (`services.decide_incidents`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import impact, incidents, taint_rows
from lineage.services.incidents import STATES, Incident, IncidentRecord
from lineage.web import words
from lineage.web.artifact_decisions import followed
from lineage.web.artifact_forms import CloseIncident
from lineage.web.downloads import csv_response
from lineage.web.impact import CSV_HEADER as IMPACT_HEADER
from lineage.web.impact import rows as impact_rows
from lineage.web.pages import Page

CSV_HEADER = (
    "incident", "entry", "state", "severity", "title", "owner", "node", "node_name", "designates",
    "opened_at", "opened_by", "approved_by", "reason", "until", "closed_at", "closed_by", "resolution",
)  # fmt: skip
WHY = {
    "designated": "It is designated as bad",
    "bad-copy": "A run may have read a bad copy of it",
    "key-compromised": "Only a compromised key vouches for it",
}
MAX_ROWS = 10_000
SHOWN = 50


class Incidents(Page):
    """All incidents, newest first, and what taints now; `?format=csv` is a file."""

    section = "incidents"
    template_name = "incidents/list.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        state = request.GET.get("state", "")
        chosen = state if state in STATES else None
        if request.GET.get("format") == "csv":
            page = incidents.listed(self.as_of, state=chosen, limit=MAX_ROWS)
            return csv_response("incidents", CSV_HEADER, _rows(page.incidents))
        after = incidents.cursor(request.GET.get("after", ""))
        page = incidents.listed(self.as_of, state=chosen, after=after, limit=SHOWN)
        standing = taint_rows.standing() if self.as_of.live else None
        sources = [(each, WHY.get(each.source.source, "")) for each in standing.sources] if standing else []
        what = "incident" if len(page.incidents) == 1 else "incidents"
        return self.render(
            page=page, state=chosen or "", states=STATES, standing=standing, sources=sources, words=what
        )


class IncidentPage(Page):
    """One incident; `?format=csv` are the models, AI systems and deployments that came of what it is on."""

    section = "incidents"
    template_name = "incidents/page.html"

    def get(self, request: HttpRequest, digest: str) -> HttpResponseBase:
        found = incidents.read(digest, self.as_of, after=request.GET.get("after", ""))
        if request.GET.get("format") == "csv":
            affected = impact.all_affected(found.incident.key, self.as_of) if found.impact else ()
            return csv_response("incident", IMPACT_HEADER, impact_rows(affected))
        return self.render(**_shown(found, self), form=CloseIncident())


class Close(Page):
    """Close an incident: the form stands on its page."""

    role = User.Role.OFFICER
    section = "incidents"
    template_name = "incidents/page.html"

    def get(self, request: HttpRequest, digest: str) -> HttpResponseBase:
        incidents.read(digest, self.as_of)
        return redirect("incident", digest)

    def post(self, request: HttpRequest, digest: str) -> HttpResponseBase:
        if not self.as_of.live:
            raise ConflictError("Decisions are taken now, not as of a moment that is past.")
        found, form = incidents.read(digest, self.as_of), CloseIncident(request.POST)
        if form.is_valid():
            try:
                done = form.submit(digest, self.person.email)
            except (MalformedError, ConflictError, NotFoundError) as error:
                form.refuse(error)
            else:
                later = (
                    "" if followed(done.receipt.index) else " This page shows it once the graph has followed."
                )
                words = f"The incident is closed, by entry {done.receipt.index} of the log.{later}"
                messages.success(request, words)
                return redirect("incident", digest)
        return self._again(found, form)

    def _again(self, found: Incident, form: CloseIncident) -> HttpResponse:
        return self.render(status=422, **_shown(found, self), form=form)


def _shown(found: Incident, page: Page) -> dict[str, Any]:
    return {
        "found": found,
        "incident": found.incident,
        "counts": words.counted(found.impact.counts_by_kind) if found.impact else "",
        "may_close": page.as_of.live
        and page.person.may(User.Role.OFFICER)
        and found.incident.state != incidents.CLOSED,
        "told": sum(each.state == "told" for each in found.told),
        "after": page.request.GET.get("after", ""),
    }


def _rows(found: Iterable[IncidentRecord]) -> Iterator[tuple[object, ...]]:
    for each in found:
        yield (
            each.digest, each.index, each.state, each.severity, each.title, each.owner, each.key,
            each.node.name if each.node else "", "yes" if each.designates else "no", each.opened_at,
            each.person, each.approver, each.reason, each.until, each.closed_at, each.closed_by,
            each.resolution,
        )  # fmt: skip

"""“Verify now” on an artifact's page: asks for a check of its copies, and shows how far that is.

Owns: the button's address, the moving part, and what is refreshed at its end. Does not own: the check itself
(`services.reverify`), the page around it (`node_pages`).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from lineage.broker import LONG
from lineage.db.configuration import User
from lineage.errors import NotFoundError
from lineage.services import beats, job_records, jobs, lineage
from lineage.services.job_records import JobRecord
from lineage.services.lineage_records import NodeRecord
from lineage.web import artifact_decisions, copy_rows, inventory_view
from lineage.web.node_status import status_context
from lineage.web.pages import Page

KIND = "reverify"
SECONDS = 1
"""Between two looks at a check that waits or runs."""
OPEN = frozenset({"queued", "running"})
_ALARMING = ("mismatch", "gone", "paused")
_FOUND = (("match", "matches", "match"), ("mismatch", "differs", "differ"))


class VerifyNow(Page):
    """POST asks for a check of all copies of the node; answered with its moving part, or by the page."""

    role = User.Role.OFFICER
    section = "models"
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        node = lineage.node(key, self.as_of)  # raises where there is no such node
        job_id = jobs.enqueue(KIND, node.key, by=self.person.email)
        if request.headers.get("HX-Request"):
            return self.render(template="nodes/_checking.html", **moving(node, job_records.read(job_id)))
        return redirect(f"{reverse('artifact', args=[node.key])}?job={job_id}#copies")


class Checking(Page):
    """`?job=`: how far that check is; at its end what it found, with all on the page that it changes."""

    section = "models"

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        job = asked_for(request, key)
        if job is None:
            raise NotFoundError("No check of this node has this number.")
        node = lineage.node(key, self.as_of)
        now = moving(node, job)
        if now["seconds"]:
            return self.render(template="nodes/_checking.html", **now)
        answer = self.render(
            template="nodes/_checked.html",
            oob=True,
            node=node,
            may_verify=self.person.may(VerifyNow.role),
            **now,
            **status_context(node, self.as_of, self.as_of_text),
            **copy_rows.context(node, self.as_of),
            **artifact_decisions.context(node.key, node.kind, self.as_of, self.person),
            **inventory_view.context(node.key, self.as_of, node.reasons),
        )
        # What asked is a part of the card that is new now.
        answer["HX-Retarget"], answer["HX-Reswap"] = "#copies-card", "outerHTML"
        return answer


def asked_for(request: HttpRequest, key: str) -> JobRecord | None:
    """The job that `?job=` names, if it is a check of this node."""
    text = request.GET.get("job", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    try:
        job = job_records.read(int(text))
    except NotFoundError:
        return None
    return job if (job.kind, job.key) == (KIND, key) else None


def running(key: str) -> JobRecord | None:
    """The check of this node that waits or runs now."""
    return job_records.open_of(KIND, key)


def moving(node: NodeRecord, job: JobRecord) -> dict[str, Any]:
    """What the moving part shows. `seconds` until its next look; 0: it is over, and in the graph."""
    followed = max(job.entries, default=-1) < node.projected
    waits = job.state in OPEN or not followed
    return {
        "key": node.key,
        "job": job,
        "seconds": SECONDS if waits else 0,
        "following": job.state not in OPEN and not followed,
        "nobody": job.state == "queued" and _nobody_works(),
        "said": "" if waits else sentence(job),
        "bad": job.state == "failed" or any((job.result or {}).get(name) for name in _ALARMING),
    }


def _nobody_works() -> bool:
    return any(beat.name == LONG and beat.late for beat in beats.condition())


def sentence(job: JobRecord) -> str:
    """What a check that is over came to."""
    if job.state == "failed":
        return f"The check failed: {job.reason}"
    result = job.result or {}
    checked, gone = result.get("checked"), result.get("gone")
    away = ""
    if isinstance(gone, dict) and gone:
        told = " ".join(f"{name}: {why.rstrip('.')}." for name, why in sorted(gone.items()))
        away = f" A storage can't be reached, and what lies there was not checked. {told}"
    paused = result.get("paused")
    if isinstance(paused, dict) and paused:
        told = "; ".join(f"{name} with {count}" for name, count in sorted(paused.items()))
        away += f" Paused, so not read: {told}. An operator has to resume it first."
    if not checked:
        return away.strip() or "There was no copy to check."
    parts = []
    for outcome, one, several in _FOUND:
        count = result.get(outcome)
        if isinstance(count, int) and count:
            parts.append(f"{count} {one if count == 1 else several}")
    unsure = result.get("inconclusive")
    if isinstance(unsure, int) and unsure:
        parts.append(f"{unsure} could not be checked")
    return f"{checked} {'copy' if checked == 1 else 'copies'} checked: {', '.join(parts)}.{away}"

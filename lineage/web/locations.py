"""Pages of storages: where bytes live, whether that answers, how its copies stand, and what can be done.

Owns: what stands where. Reading is for everybody who is signed in; asking for checks for officers, changing
for operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.config import current
from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError
from lineage.services import storage_figures, storage_jobs, storage_records
from lineage.services.clock import now_us
from lineage.services.storage_figures import Coverage, LocationRecord
from lineage.web.location_forms import LocationForm, NewLocationForm
from lineage.web.pages import Page
from lineage.web.words import Status

BUSY_SECONDS, IDLE_SECONDS = 2, 15
"""Between two looks of a page that stays open, while a check waits or runs, and otherwise."""
STATES: Mapping[str, Status] = {
    "here": Status("verified", "Answers", "check", "It could be reached last time."),
    "gone": Status(
        "failed", "Out of reach", "x", "It could not be reached last time. No copy has failed by that."
    ),
    "unknown": Status("unverified", "Not tried yet", "circle-dashed", "Nothing was read there so far."),
    "paused": Status("unverified", "Paused", "ban", "Nothing is read there until somebody resumes it."),
}
PERIODS: Mapping[str, str] = {"day": "The last day", "week": "The last week", "month": "The last 30 days"}
_OFFICERS_ACTS = ("verify", "verify-full")


class Locations(Page):
    section = "locations"
    template_name = "locations/list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = [
            (record, STATES[record.state], storage_figures.kind_title(record.kind))
            for record in storage_figures.every()
        ]
        return self.render(rows=rows, may_operate=self.person.may(User.Role.OPERATOR))


class NewLocation(Page):
    role = User.Role.OPERATOR
    section = "locations"
    template_name = "locations/form.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(NewLocationForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewLocationForm(request.POST)
        if form.is_valid():
            name, kind = form.cleaned_data["name"], form.cleaned_data["kind"]
            try:
                storage_records.add(name, kind, form.values(), by=self.person.email)
            except (MalformedError, ConflictError) as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{name}” is configured. What lies there are copies from now on.")
                return redirect("location", name)
        return self._page(form, status=422)

    def _page(self, form: NewLocationForm, *, status: int = 200) -> HttpResponse:
        return self.render(status=status, form=form, networks=current().private_networks)


class EditLocation(Page):
    role = User.Role.OPERATOR
    section = "locations"
    template_name = "locations/form.html"

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        return self._page(name, LocationForm(storage=storage_records.find(name)))

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        form = LocationForm(request.POST, storage=storage_records.find(name))
        if form.is_valid():
            try:
                storage_records.change(name, form.values(), by=self.person.email)
            except (MalformedError, ConflictError) as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{name}” is changed.")
                return redirect("location", name)
        return self._page(name, form, status=422)

    def _page(self, name: str, form: LocationForm, *, status: int = 200) -> HttpResponse:
        return self.render(status=status, form=form, name=name, networks=current().private_networks)


class LocationPage(Page):
    """One storage. `?part=now` is the part that moves, which the page asks for again and again."""

    section = "locations"
    template_name = "locations/page.html"

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        if request.GET.get("part") == "now":
            return self.render(template="locations/_now.html", **self._now(storage_figures.read(name)))
        return self.page(name)

    def page(self, name: str, **more: Any) -> HttpResponse:
        """The whole page, with what an act has just found."""
        found = storage_figures.answer(name)
        return self.render(
            **self._now(found.location),
            sweeps=found.sweeps,
            fastest=max((sweep.bytes_per_second for sweep in found.sweeps), default=0),
            coverage=[_covered(each, found.location) for each in found.coverage],
            failed=found.failed,
            may_operate=self.person.may(User.Role.OPERATOR),
            may_check=self.person.may(User.Role.OFFICER),
            **more,
        )

    def _now(self, record: LocationRecord) -> dict[str, Any]:
        job = storage_jobs.open_job(record.name)
        return {
            "location": record,
            "kind": storage_figures.kind_title(record.kind),
            "state": STATES[record.state],
            "job": job,
            "seconds": BUSY_SECONDS if job else IDLE_SECONDS,
            "now_us": now_us(),
        }


class ActOnLocation(LocationPage):
    """What is done to a storage by a button: `name` and the act stand in the address."""

    role = User.Role.OFFICER
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, name: str, act: str) -> HttpResponse:
        if act not in _OFFICERS_ACTS and not self.person.may(User.Role.OPERATOR):
            raise PermissionDenied("This is for operators.")
        if act == "check":
            return self.page(name, checked=storage_records.check(name))
        try:
            messages.success(request, self._do(name, act))
        except ConflictError as error:
            messages.error(request, f"{error.message} {error.hint}".strip())
        return redirect("locations") if act == "remove" else redirect("location", name)

    def _do(self, name: str, act: str) -> str:
        """Do it, and say what was done. Raises: MalformedError for an act that is none."""
        by = self.person.email
        if act in _OFFICERS_ACTS:
            method = storage_jobs.FULL if act == "verify-full" else ""
            job_id = storage_jobs.ask(name, method=method, by=by)
            return f"A check of what is due there is in line as job {job_id}."
        if act == "remove":
            storage_records.remove(name, by=by)
            return f"“{name}” is removed. What was found there stays in the log."
        if act == "pause":
            storage_records.pause(name, by=by)
            return f"“{name}” is paused."
        if act == "resume":
            storage_records.resume(name, by=by)
            return f"“{name}” is read again."
        raise MalformedError(f"{act[:40]!r} is nothing that can be done here.")


def _covered(each: Coverage, record: LocationRecord) -> tuple[str, Coverage, int]:
    """The period in words, its figures, and the share of all copies in percent, rounded down."""
    total = record.copies.total
    return PERIODS[each.period], each, 100 * each.copies // total if total else 0

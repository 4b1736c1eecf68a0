"""Pages of sources: which MLflow servers are followed, how far each is, and what an operator can do.

Owns: what stands where. Reading is for everybody who is signed in; changing and syncing for operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.config import current
from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError
from lineage.services import source_check, source_jobs, source_records, sources
from lineage.services.clock import now_us
from lineage.services.source_check import SourceCheck
from lineage.services.source_records import SourceRecord
from lineage.web.pages import Page
from lineage.web.source_forms import NewSourceForm, SourceForm
from lineage.web.words import Status

BUSY_SECONDS, IDLE_SECONDS = 2, 10
"""Between two looks of a page that stays open, while a sync waits or runs, and otherwise."""
STATES: Mapping[str, Status] = {
    "following": Status("verified", "Following", "check", "The last sync came through in time."),
    "failing": Status(
        "failed", "Failing", "x", "The last sync did not come through. Nothing is lost by that."
    ),
    "late": Status("expired", "Late", "clock", "No sync has come through for longer than there should be."),
    "waiting": Status("unverified", "Not synced yet", "circle-dashed", "No sync has come through so far."),
    "paused": Status("unverified", "Paused", "ban", "Nothing connects to it until somebody resumes it."),
}
KINDS: Mapping[str, tuple[str, str]] = {
    "experiment": ("Experiment", "Experiments"),
    "run": ("Run", "Runs"),
    "run-files": ("Files of a run", "Files of runs"),
    "dataset": ("Dataset that runs name", "Datasets that runs name"),
    "run-lineage": ("Inputs and outputs of a run", "Inputs and outputs of runs"),
    "logged-model": ("Logged model", "Logged models"),
    "logged-model-files": ("Files of a logged model", "Files of logged models"),
    "registered-model": ("Registered model", "Registered models"),
    "model-version": ("Model version", "Model versions"),
    "provenance": ("Provenance of a run", "Provenance of runs"),
}
"""What one record of a kind is called, and what several are; in the order in which they are listed."""


def _one(kind: str) -> str:
    return KINDS[kind][0] if kind in KINDS else kind


def _several(kind: str) -> str:
    return KINDS[kind][1] if kind in KINDS else kind


class Sources(Page):
    section = "sources"
    template_name = "sources/list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = [(record, STATES[record.sync.state]) for record in source_records.every()]
        return self.render(rows=rows, may_operate=self.person.may(User.Role.OPERATOR), now_us=now_us())


class NewSource(Page):
    role = User.Role.OPERATOR
    section = "sources"
    template_name = "sources/form.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(NewSourceForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = NewSourceForm(request.POST)
        if form.is_valid():
            name, continues = form.cleaned_data["name"], form.cleaned_data["continues"]
            try:
                sources.add(name, form.values(), by=self.person.email, continues=continues)
            except (MalformedError, ConflictError) as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{name}” is followed from now on.")
                return redirect("source", name)
        return self._page(form, status=422)

    def _page(self, form: NewSourceForm, *, status: int = 200) -> HttpResponse:
        return self.render(status=status, form=form, networks=current().private_networks)


class EditSource(Page):
    role = User.Role.OPERATOR
    section = "sources"
    template_name = "sources/form.html"

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        return self._page(name, SourceForm(source=sources.find(name)))

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        form = SourceForm(request.POST, source=sources.find(name))
        if form.is_valid():
            try:
                sources.change(name, form.values(), by=self.person.email)
            except MalformedError as error:
                form.refuse(error)
            else:
                messages.success(request, f"“{name}” is changed.")
                return redirect("source", name)
        return self._page(name, form, status=422)

    def _page(self, name: str, form: SourceForm, *, status: int = 200) -> HttpResponse:
        return self.render(status=status, form=form, name=name, networks=current().private_networks)


class SourcePage(Page):
    """One source. `?part=now` is the part that moves, which the page asks for again and again."""

    section = "sources"
    template_name = "sources/page.html"

    def get(self, request: HttpRequest, name: str) -> HttpResponse:
        record = source_records.read(name)
        if request.GET.get("part") == "now":
            return self.render(template="sources/_now.html", **self._now(record))
        return self.page(record)

    def page(self, record: SourceRecord, **more: Any) -> HttpResponse:
        """The whole page, with what an act has just found or made."""
        return self.render(
            **self._now(record),
            problems=[(_one(row.kind), row) for row in source_records.problems(record.name)],
            changed=[(_one(row.kind), row) for row in source_records.changed(record.name)],
            networks=current().private_networks,
            webhook_address=self.request.build_absolute_uri(f"/api/v1/interop/mlflow/{record.name}"),
            may_operate=self.person.may(User.Role.OPERATOR),
            **more,
        )

    def _now(self, record: SourceRecord) -> dict[str, Any]:
        job = source_jobs.open_job(record.name)
        order = list(KINDS)
        recorded = sorted(
            record.recorded, key=lambda row: order.index(row.kind) if row.kind in order else len(order)
        )
        return {
            "source": record,
            "state": STATES[record.sync.state],
            "recorded": [(_several(row.kind), row) for row in recorded],
            "job": job,
            "seconds": BUSY_SECONDS if job else IDLE_SECONDS,
            "now_us": now_us(),
        }


class ActOnSource(SourcePage):
    """What an operator does to a source by a button: `name` and the act stand in the address."""

    role = User.Role.OPERATOR
    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, name: str, act: str) -> HttpResponse:
        record = source_records.read(name)
        if act == "check":
            return self._check(record)
        if act == "webhook-secret":
            return self._webhook_secret(record)
        try:
            messages.success(request, self._do(name, act))
        except ConflictError as error:
            messages.error(request, f"{error.message} {error.hint}".strip())
        return redirect("sources") if act == "remove" else redirect("source", name)

    def _do(self, name: str, act: str) -> str:
        """Do it, and say what was done. Raises: MalformedError for an act that is none."""
        by = self.person.email
        if act == "remove":
            sources.remove(name, by=by)
            return f"“{name}” is removed. What was recorded of it stays in the log."
        if act == "pause":
            sources.pause(name, by=by)
            return f"“{name}” is paused."
        if act == "resume":
            sources.resume(name, by=by)
            return f"“{name}” is followed again."
        if act not in ("sync", "sweep", "rehash"):
            raise MalformedError(f"{act[:40]!r} is nothing that can be done here.")
        job_id = source_jobs.ask(name, sweep=act != "sync", rehash=act == "rehash", by=by)
        return f"Sync of “{name}” is in line as job {job_id}."

    def _check(self, record: SourceRecord) -> HttpResponse:
        found: SourceCheck = source_check.check(sources.find(record.name))
        return self.page(record, checked=found)

    def _webhook_secret(self, record: SourceRecord) -> HttpResponse:
        secret = sources.new_webhook_secret(record.name, by=self.person.email)
        response = self.page(source_records.read(record.name), webhook_secret=secret)
        response["Cache-Control"] = "no-store"
        return response

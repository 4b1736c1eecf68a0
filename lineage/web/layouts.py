"""Pages of layouts: which are adopted, what each asks, and what came of artifacts, step by step.

Owns: what stands where. Does not own: deciding (`services.layouts`), verdicts (`services.layout_verdicts`).
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError, NotFoundError, TooLargeError
from lineage.services import layout_records, layout_verdicts, layouts
from lineage.services.layout_records import Adopted
from lineage.services.records import log_size
from lineage.web.layout_forms import LayoutForm, QuestionForm, WithdrawalForm
from lineage.web.pages import Page

_REFUSED = (MalformedError, ConflictError, NotFoundError, TooLargeError)
STATES = {"in-force": "verified", "expired": "expired", "withdrawn": "unverified"}
"""A layout's state as a colour."""


class _LayoutPage(Page):
    section = "layouts"

    def row(self, adopted: Adopted) -> dict[str, Any]:
        """A layout with what it asks and how it stands."""
        asked = layout_records.asked(adopted)
        state = layout_records.state(adopted, asked, self.as_of)
        return {"adopted": adopted, "asked": asked, "state": state, "colour": STATES[state]}

    @property
    def may_operate(self) -> bool:
        return self.person.may(User.Role.OPERATOR) and self.as_of.live


class Layouts(_LayoutPage):
    template_name = "layouts/list.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        found = layout_records.below(log_size(self.as_of)).values()
        return self.render(rows=[self.row(each) for each in found], may_operate=self.may_operate)


class AdoptLayout(_LayoutPage):
    role = User.Role.OPERATOR
    template_name = "layouts/adopt.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render(form=LayoutForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = LayoutForm(request.POST, request.FILES)
        if form.is_valid():
            said = form.cleaned_data
            try:
                done = layouts.adopt(
                    form.content(), form.keys(), said["name"], said["reason"], person=self.person.email
                )
            except _REFUSED as error:
                form.refuse(error)
            else:
                messages.success(request, f"Adopted in entry {done.receipt.index}.")
                return redirect("layout", done.receipt.subjects[0].digest["sha256"])
        return self.render(status=422, form=form)


class LayoutPage(_LayoutPage):
    template_name = "layouts/page.html"

    def get(self, request: HttpRequest, layout_id: str) -> HttpResponse:
        artifact = request.GET.get("artifact", "")[:300]
        return self.page(layout_id, QuestionForm(initial={"artifact": artifact}), WithdrawalForm())

    def page(
        self, layout_id: str, question: QuestionForm, withdrawal: WithdrawalForm, status: int = 200
    ) -> HttpResponse:
        adopted = layout_records.one(layout_id, self.as_of)
        return self.render(
            status=status,
            **self.row(adopted),
            verdicts=layout_verdicts.of_layout(layout_id, self.as_of),
            question=question,
            withdrawal=withdrawal,
            may_operate=self.may_operate and adopted.withdrawn is None,
        )


class ActOnLayout(LayoutPage):
    """Check an artifact against the layout, or withdraw it."""

    http_method_names = ["post"]  # noqa: RUF012 the framework's own form

    def post(self, request: HttpRequest, layout_id: str, act: str) -> HttpResponse:
        if not self.person.may(User.Role.OPERATOR):
            raise PermissionDenied("This is for operators.")
        question, withdrawal = QuestionForm(), WithdrawalForm()
        if act == "verify":
            question = QuestionForm(request.POST, request.FILES)
            answer = self._verify(layout_id, question)
        elif act == "withdraw":
            withdrawal = WithdrawalForm(request.POST)
            answer = self._withdraw(request, layout_id, withdrawal)
        else:
            raise Http404
        return answer or self.page(layout_id, question, withdrawal, 422)

    def _verify(self, layout_id: str, form: QuestionForm) -> HttpResponse | None:
        layout_records.one(layout_id, self.as_of)
        if not form.is_valid():
            return None
        artifact = form.cleaned_data["artifact"].strip()
        try:
            done = layout_verdicts.verify(layout_id, artifact, form.handed(), person=self.person.email)
        except _REFUSED as error:
            form.refuse(error)
            return None
        return redirect(reverse("layout-verdict", args=[layout_id, done.receipt.digest]))

    def _withdraw(self, request: HttpRequest, layout_id: str, form: WithdrawalForm) -> HttpResponse | None:
        if not form.is_valid():
            return None
        try:
            done = layouts.withdraw(layout_id, form.cleaned_data["reason"], person=self.person.email)
        except (MalformedError, ConflictError) as error:
            form.refuse(error)
            return None
        messages.success(request, f"Withdrawn in entry {done.receipt.index}. Verdicts stay, and say so.")
        return redirect("layout", layout_id)


class VerdictPage(_LayoutPage):
    template_name = "layouts/verdict.html"

    def get(self, request: HttpRequest, layout_id: str, digest: str) -> HttpResponse:
        adopted = layout_records.one(layout_id, self.as_of)
        verdict = layout_verdicts.one(digest, self.as_of)
        if verdict.layout_id != layout_id:
            raise NotFoundError("That verdict is by another layout.")
        left_out = [
            f"entry {each}" if isinstance(each, int) else each
            for each in verdict.report.get("notBelieved", ())
        ]
        return self.render(adopted=adopted, verdict=verdict, left_out=left_out, may_operate=self.may_operate)

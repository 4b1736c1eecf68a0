"""The page of decisions that wait for a second person, with what became of others."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.config import current
from lineage.errors import MalformedError
from lineage.services import approvals, proposal_records, rights
from lineage.services.proposal_records import ProposalRecord
from lineage.web.pages import Page

PAGE_SIZE = 25


class Rejection(forms.Form):
    reason = forms.CharField(max_length=2000, label="Why")


class Proposals(Page):
    section = "proposals"
    template_name = "proposals.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        after = request.GET.get("after", "")
        if after and not (after.isascii() and after.isdigit() and len(after) <= 18):
            raise MalformedError("This page of proposals does not exist.", where="after")
        found = proposal_records.listed(after=int(after) if after else None, limit=PAGE_SIZE)
        return self.render(
            rows=[self._row(record) for record in found.proposals],
            next=found.next,
            hours=current().people.four_eyes_hours,
        )

    def _row(self, record: ProposalRecord) -> dict[str, Any]:
        """A proposal with what this person may do about it."""
        actor, row = rights.actor_of(self.person), approvals.get(record.id)
        waits = record.state == "open"
        return {
            "record": record,
            "body": json.dumps(json.loads(bytes(record.body)), indent=2, ensure_ascii=False),
            "may_approve": waits and rights.may("proposal.approve", actor, row),
            "may_reject": waits and rights.may("proposal.reject", actor, row),
            "own": rights.proposed.test(actor, row),
        }


class ActOnProposal(Page):
    """Approve or reject one. What can't be recorded leaves it open, and says why."""

    section = "proposals"

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponse:
        actor = rights.actor_of(self.person)
        if act == "approve":
            done = approvals.approve(number, actor)
            messages.success(request, f"Approved: proposal {number} is entry {done.receipt.index}.")
        elif act == "reject":
            form = Rejection(request.POST)
            if not form.is_valid():
                raise MalformedError("Say why it is rejected.", where="reason")
            approvals.reject(number, actor, form.cleaned_data["reason"])
            messages.success(request, f"Proposal {number} is rejected. Nothing was decided.")
        else:
            raise Http404
        return redirect("proposals")

"""Decisions about one artifact, each on a page of its own that says what will follow before it is taken.

Owns: what stands there, and going back to the artifact once the graph shows it. Officers and operators may.
Does not own: the forms (`artifact_forms`), the decisions (`services.decide_checks`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph.model import NodeKind
from lineage.services import artifact_decided, graph_choice, lineage, storages
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import NodeRecord
from lineage.trust import taint_decisions
from lineage.trust.artifact_decisions import ADD_LOCATION, CRITICALITY, WAIVE, WITHDRAW_LOCATION
from lineage.trust.taint_decisions import CLEAR, DESIGNATE, WAIVE_TAINT
from lineage.web.artifact_forms import FORMS, AnyForm
from lineage.web.pages import Page

FOLLOW_SECONDS = 2.0
"""How long an answer waits for the graph, so that the artifact's page shows what was decided."""
_PAUSE_SECONDS = 0.05

TITLES: Mapping[str, str] = {
    ADD_LOCATION: "Add a copy",
    WITHDRAW_LOCATION: "Withdraw a copy",
    WAIVE: "Waive a finding",
    CRITICALITY: "Say how critical it is",
    DESIGNATE: "Designate as bad",
    CLEAR: "Clear the designation",
    WAIVE_TAINT: "Waive its taint",
}
BUTTONS: Mapping[str, str] = {
    ADD_LOCATION: "Add this copy",
    WITHDRAW_LOCATION: "Withdraw this copy",
    WAIVE: "Waive it",
    CRITICALITY: "Decide it",
    DESIGNATE: "Designate it",
    CLEAR: "Clear it",
    WAIVE_TAINT: "Waive it",
}
DONE: Mapping[str, str] = {
    ADD_LOCATION: "The copy is added, and is checked as the policy asks",
    WITHDRAW_LOCATION: "The copy is withdrawn: nothing is opened there any more",
    WAIVE: "The finding is waived",
    CRITICALITY: "Its criticality is decided",
    DESIGNATE: "It is designated as bad: all that came of it is tainted",
    CLEAR: "It is designated as bad no longer",
    WAIVE_TAINT: "Its taint is waived",
}


def context(node: NodeRecord, as_of: AsOf) -> dict[str, Any]:
    """What the artifact's own page shows of decisions about it; nothing of what is no artifact with bytes."""
    if node.kind != NodeKind.ARTIFACT or node.key.startswith("uri:"):
        return {}
    return {"decided": artifact_decided.of_node(node.key, as_of)}


class Decide(Page):
    """One decision about the artifact `key`: `act` is its action as the log has it."""

    role = User.Role.OFFICER
    section = "models"
    template_name = "nodes/decide.html"

    def get(self, request: HttpRequest, key: str, act: str) -> HttpResponseBase:
        node, kind = self._node(key), self._kind(act)
        initial: dict[str, Any] = {"location": request.GET.get("location", "")}
        if act == CRITICALITY:
            initial = {"level": artifact_decided.of_node(node.key, self.as_of).level}
        return self._page(node, act, kind(initial=initial))

    def post(self, request: HttpRequest, key: str, act: str) -> HttpResponseBase:
        node, form = self._node(key), self._kind(act)(request.POST)
        if form.is_valid():
            try:
                done = form.submit(node.key, self.person.email)
            except (MalformedError, ConflictError, NotFoundError) as error:
                form.refuse(error)
            else:
                shown = _followed(done.receipt.index)
                later = "" if shown else " This page shows it once the graph has followed."
                messages.success(request, f"{DONE[act]}. It is entry {done.receipt.index} of the log.{later}")
                return redirect("artifact", node.key)
        return self._page(node, act, form, status=422)

    def _node(self, key: str) -> NodeRecord:
        if not self.as_of.live:
            raise ConflictError("Decisions are taken now, not as of a moment that is past.")
        return lineage.node(key, self.as_of)

    def _kind(self, act: str) -> type[AnyForm]:
        if act not in FORMS:
            raise NotFoundError(f"{act[:40]!r} is nothing that is decided of an artifact.")
        return FORMS[act]

    def _page(self, node: NodeRecord, act: str, form: AnyForm, *, status: int = 200) -> HttpResponse:
        place = form["location"].value() if "location" in form.fields else ""
        return self.render(
            status=status,
            node=node,
            act=act,
            title=TITLES[act],
            button=BUTTONS[act],
            form=form,
            roots=[each.root.uri for each in storages.listed()] if act == ADD_LOCATION else [],
            copy=next((copy for copy in node.copies if copy.location == place), None),
            others=sum(copy.location != place for copy in node.copies),
            decided=artifact_decided.of_node(node.key, self.as_of),
            affected=lineage.closure(node.key, "descendants", self.as_of, limit=1)
            if act in taint_decisions.ACTIONS
            else None,
        )


def _followed(index: int) -> bool:
    """Wait for the graph to have entry `index`; whether it came to that in time."""
    ends = time.monotonic() + FOLLOW_SECONDS
    while graph_choice.followed() <= index:
        if time.monotonic() > ends:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True

"""Decisions about one thing, each on a page of its own that says what will follow before it is taken.

Owns: what stands there, and going back to the thing's own page once the graph shows it. Officers and
operators may. Does not own: the forms (`artifact_forms`), the decisions (`services.decide_checks`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph.model import NodeKind, signer_id
from lineage.services import artifact_decided, decide_taint, graph_choice, incidents, lineage, storages
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import NodeRecord
from lineage.trust import taint_decisions
from lineage.trust.artifact_decisions import ADD_LOCATION, CRITICALITY, WAIVE, WITHDRAW_LOCATION
from lineage.trust.incident_decisions import INCIDENT
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
    INCIDENT: "Open an incident",
}
BUTTONS: Mapping[str, str] = {
    ADD_LOCATION: "Add this copy",
    WITHDRAW_LOCATION: "Withdraw this copy",
    WAIVE: "Waive it",
    CRITICALITY: "Decide it",
    DESIGNATE: "Designate it",
    CLEAR: "Clear it",
    WAIVE_TAINT: "Waive it",
    INCIDENT: "Open it",
}
DONE: Mapping[str, str] = {
    ADD_LOCATION: "The copy is added, and is checked as the policy asks",
    WITHDRAW_LOCATION: "The copy is withdrawn: nothing is opened there any more",
    WAIVE: "The finding is waived",
    CRITICALITY: "Its criticality is decided",
    DESIGNATE: "It is designated as bad: all that came of it is tainted",
    CLEAR: "It is designated as bad no longer",
    WAIVE_TAINT: "Its taint is waived",
    INCIDENT: "The incident is open, and subscribers are told",
}
OF_TAINT = (*taint_decisions.ACTIONS, INCIDENT)
OF_ARTIFACTS = (ADD_LOCATION, WITHDRAW_LOCATION, WAIVE, CRITICALITY)
OPEN_SHOWN = 5


def context(key: str, kind: str, as_of: AsOf, person: User) -> dict[str, Any]:
    """What a thing's own page shows of decisions about it, and of incidents that are open on it.

    Raises: NotFoundError where it is not known at the moment.
    """
    found: dict[str, Any] = {
        "taint_said": artifact_decided.of_taint(key, as_of),
        "open_incidents": incidents.listed(as_of, state=incidents.OPEN, key=key, limit=OPEN_SHOWN),
        "may_decide": as_of.live and person.may(Decide.role),
        "decidable": acts(kind),
        "decide_at": "artifact-decide" if kind == NodeKind.ARTIFACT else "node-decide",
    }
    if kind == NodeKind.ARTIFACT and not key.startswith("uri:"):
        found["decided"] = artifact_decided.of_node(key, as_of)
    return found


def acts(kind: str) -> tuple[str, ...]:
    """What may be decided of such a thing."""
    if kind == NodeKind.ARTIFACT:
        return tuple(FORMS)
    return OF_TAINT if kind in decide_taint.DESIGNABLE else (INCIDENT,)


class Decide(Page):
    """One decision about the node `key`: `act` is its action as the log has it."""

    role = User.Role.OFFICER
    section = "models"
    template_name = "nodes/decide.html"

    def get(self, request: HttpRequest, key: str, act: str) -> HttpResponseBase:
        node = self._node(key)
        kind = self._kind(act, node)
        initial: dict[str, Any] = {"location": request.GET.get("location", "")}
        if act == CRITICALITY:
            initial = {"level": artifact_decided.of_node(node.key, self.as_of).level}
        return self._page(node, act, kind(initial=initial))

    def post(self, request: HttpRequest, key: str, act: str) -> HttpResponseBase:
        node = self._node(key)
        form = self._kind(act, node)(request.POST)
        if form.is_valid():
            try:
                done = form.submit(node.key, self.person.email)
            except (MalformedError, ConflictError, NotFoundError) as error:
                form.refuse(error)
            else:
                shown = followed(done.receipt.index)
                later = "" if shown else " This page shows it once the graph has followed."
                messages.success(request, f"{DONE[act]}. It is entry {done.receipt.index} of the log.{later}")
                return redirect(_back(node, act, done.receipt.digest if shown else ""))
        return self._page(node, act, form, status=422)

    def _node(self, key: str) -> NodeRecord:
        if not self.as_of.live:
            raise ConflictError("Decisions are taken now, not as of a moment that is past.")
        return lineage.node(key, self.as_of)

    def _kind(self, act: str, node: NodeRecord) -> type[AnyForm]:
        if act not in acts(node.kind):
            raise NotFoundError(f"{act[:40]!r} is nothing that is decided of such a thing.")
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
            decided=artifact_decided.of_node(node.key, self.as_of) if act in OF_ARTIFACTS else None,
            may_be_bad=node.kind in decide_taint.DESIGNABLE,
            affected=lineage.closure(node.key, "descendants", self.as_of, limit=1)
            if act in OF_TAINT
            else None,
        )


def _back(node: NodeRecord, act: str, digest: str) -> str:
    """Where to go once it is decided: to an incident that the graph shows already, else to the thing."""
    if act == INCIDENT and digest:
        return reverse("incident", args=[digest])
    if node.kind == NodeKind.SIGNER:
        return reverse("key", args=[signer_id(node.key)])
    return reverse(node.kind if node.kind in ("artifact", "run") else "node", args=[node.key])


def followed(index: int) -> bool:
    """Wait for the graph to have entry `index`; whether it came to that in time."""
    ends = time.monotonic() + FOLLOW_SECONDS
    while graph_choice.followed() <= index:
        if time.monotonic() > ends:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True

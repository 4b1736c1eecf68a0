"""The page of subscriptions: who is told when something fails, and whether telling them works.

Owns: what stands where. For officers and operators: they decide who is told, and see the targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from lineage.config import current
from lineage.db.configuration import User
from lineage.db.models import Subscription
from lineage.errors import ConflictError, LineageError, MalformedError
from lineage.services import subscriptions
from lineage.web.pages import Page
from lineage.web.words import Status

STATES: Mapping[str, Status] = {
    "telling": Status("verified", "Told", "check", "It is told whenever there is something to tell."),
    "failing": Status("failed", "Failing", "x", "The last message was not taken. It is tried again."),
    "paused": Status("unverified", "Paused", "ban", "Nothing is sent until somebody resumes it."),
}


class SubscriptionForm(forms.Form):
    """Somebody to tell; what is wrong with a target is said by the service."""

    kind = forms.ChoiceField(choices=Subscription.Kind.choices, label="By")
    target = forms.CharField(
        max_length=2000,
        label="Address or URL",
        help_text="team@example.com, or https://hooks.example.com/lineage",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def refuse(self, error: LineageError) -> None:
        """Put what the service found wrong beside its field."""
        words = f"{error.message} {error.hint}".strip()
        self.add_error(error.where if error.where in self.fields else None, words)


class Subscriptions(Page):
    """GET lists, POST adds one."""

    role = User.Role.OFFICER
    section = "subscriptions"
    template_name = "subscriptions.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SubscriptionForm(request.POST)
        if not form.is_valid():
            return self.page(form, status=422)
        kind, target = form.cleaned_data["kind"], form.cleaned_data["target"]
        try:
            record, secret = subscriptions.add(kind, target, by=self.person.email)
        except (MalformedError, ConflictError) as error:
            form.refuse(error)
            return self.page(form, status=422)
        if secret:
            return self.with_secret(record.id, secret)
        messages.success(request, f"{record.target} is told from now on.")
        return redirect("subscriptions")

    def with_secret(self, number: int, secret: str) -> HttpResponse:
        """The page that shows a secret this once."""
        response = self.page(secret=secret, secret_of=number)
        response["Cache-Control"] = "no-store"
        return response

    def page(self, form: SubscriptionForm | None = None, *, status: int = 200, **more: Any) -> HttpResponse:
        config = current()
        return self.render(
            status=status,
            form=form or SubscriptionForm(initial={"kind": "email" if config.email else "webhook"}),
            rows=[(record, STATES[record.state]) for record in subscriptions.listed()],
            mail=config.email is not None,
            networks=config.private_networks,
            public_url=config.public_url,
            **more,
        )


class ActOnSubscription(Subscriptions):
    """What is done to one by a button: its number and the act stand in the address."""

    http_method_names = ["post"]  # noqa: RUF012

    def post(self, request: HttpRequest, number: int, act: str) -> HttpResponse:  # type: ignore[override]
        by = self.person.email
        if act == "test":
            return self._test(number)
        if act == "new-secret":
            return self.with_secret(number, subscriptions.new_secret(number, by=by))
        if act == "remove":
            subscriptions.remove(number, by=by)
        elif act == "pause":
            subscriptions.pause(number, by=by)
        elif act == "resume":
            subscriptions.resume(number, by=by)
        else:
            raise MalformedError(f"{act[:40]!r} is nothing that can be done here.")
        done = {"remove": "removed", "pause": "paused", "resume": "told again"}[act]
        messages.success(request, f"Subscription {number} is {done}.")
        return redirect("subscriptions")

    def _test(self, number: int) -> HttpResponse:
        return self.page(tried=subscriptions.test(number), tried_of=number)

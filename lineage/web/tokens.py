"""The operators' page of API keys: make one (its secret is shown once), see them, revoke one."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from lineage.db.configuration import ApiToken, User
from lineage.services import tokens
from lineage.web.pages import Page

MAX_YEAR = 9999
SCOPE_WORDS = {
    "attest": "send signed statements",
    "read": "read everything",
    "check": "ask for re-verification",
    "decide": "record decisions",
    "operate": "configure the platform",
}


class TokenForm(forms.Form):
    """A new API key. It ends at the end of the given day, UTC."""

    name = forms.CharField(max_length=200, label="Name", help_text="Which program uses it")
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {SCOPE_WORDS[scope]}") for scope in tokens.SCOPES],
        widget=forms.CheckboxSelectMultiple,
        label="It may",
        error_messages={"required": "Choose at least one."},
    )
    expires = forms.DateField(
        required=False,
        label="Last day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: it does not expire",
    )

    def clean_expires(self) -> datetime | None:
        day = self.cleaned_data["expires"]
        if day is None:
            return None
        if day.year >= MAX_YEAR:
            raise forms.ValidationError("This day is too far away.")
        end = datetime.combine(day, time(0), UTC) + timedelta(days=1)
        if end <= timezone.now():
            raise forms.ValidationError("This day is over.")
        return end


class Tokens(Page):
    role = User.Role.OPERATOR
    section = "tokens"
    template_name = "tokens.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TokenForm(request.POST)
        if not form.is_valid():
            return self._page(status=422, form=form)
        made, secret = tokens.create(
            form.cleaned_data["name"],
            form.cleaned_data["scopes"],
            expires_at=form.cleaned_data["expires"],
            by=self.person.email,
        )
        response = self._page(made=made, secret=secret)
        response["Cache-Control"] = "no-store"
        return response

    def _page(
        self,
        *,
        status: int = 200,
        form: TokenForm | None = None,
        made: ApiToken | None = None,
        secret: str = "",
    ) -> HttpResponse:
        form = form or TokenForm(initial={"scopes": ["attest"]})
        listed = tokens.listed()
        return self.render(
            status=status, form=form, tokens=listed, now=timezone.now(), made=made, secret=secret
        )


class RevokeToken(Page):
    role = User.Role.OPERATOR
    section = "tokens"

    def post(self, request: HttpRequest, prefix: str) -> HttpResponse:
        revoked = tokens.revoke(prefix)
        messages.success(request, f"API key “{revoked.name}” is revoked.")
        return redirect("tokens")

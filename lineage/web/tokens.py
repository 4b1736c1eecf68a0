"""The page of API keys: make one (its secret is shown once), see them, rotate or revoke one.

Operators see and end all; whoever made a key while they were one sees and ends those.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from lineage.db.configuration import ApiToken
from lineage.errors import MalformedError, NotFoundError
from lineage.services import rights, tokens
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


class RotationForm(forms.Form):
    """For how long the old secret works beside the new one."""

    OVERLAPS = (("1", "1 hour"), ("24", "1 day"), ("168", "7 days"), ("0", "not at all"))

    overlap = forms.ChoiceField(choices=OVERLAPS, initial="24", label="The old secret works for another")

    def clean_overlap(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))


class TokenPage(Page):
    section = "tokens"
    template_name = "tokens.html"

    def may_end(self, prefix: str) -> None:
        """Raises: NotFoundError; ForbiddenError for whoever may not, whether there is such a key or not."""
        actor, sentence = (
            rights.actor_of(self.person),
            "An API key is ended by who made it, or by an operator.",
        )
        try:
            token = tokens.get(prefix)
        except NotFoundError:
            rights.check("token.make", actor, otherwise=sentence)
            raise
        rights.check("token.end", actor, token, otherwise=sentence)

    def page(
        self,
        *,
        status: int = 200,
        form: TokenForm | None = None,
        made: ApiToken | None = None,
        secret: str = "",
    ) -> HttpResponse:
        """The list and the form; once with the secret of the key that was made, which nobody may keep."""
        form = form or TokenForm(initial={"scopes": ["attest"]})
        actor = rights.actor_of(self.person)
        listed = [token for token in tokens.listed() if rights.may("token.end", actor, token)]
        response = self.render(
            status=status,
            form=form,
            rotation=RotationForm(),
            may_make=rights.may("token.make", actor),
            tokens=listed,
            replaced={token.replaces: token.prefix for token in reversed(listed) if token.replaces},
            now=timezone.now(),
            made=made,
            secret=secret,
        )
        if secret:
            response["Cache-Control"] = "no-store"
        return response


class Tokens(TokenPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page()

    def post(self, request: HttpRequest) -> HttpResponse:
        rights.check("token.make", rights.actor_of(self.person), otherwise="Operators make API keys.")
        form = TokenForm(request.POST)
        if not form.is_valid():
            return self.page(status=422, form=form)
        made, secret = tokens.create(
            form.cleaned_data["name"],
            form.cleaned_data["scopes"],
            expires_at=form.cleaned_data["expires"],
            by=self.person.email,
        )
        return self.page(made=made, secret=secret)


class RotateToken(TokenPage):
    """A new secret for the program of one key; shown on the list, once."""

    def post(self, request: HttpRequest, prefix: str) -> HttpResponse:
        form = RotationForm(request.POST)
        if not form.is_valid():
            raise MalformedError("Choose how long the old secret still works.", where="overlap")
        overlap = form.cleaned_data["overlap"]
        self.may_end(prefix)
        made, secret = tokens.rotate(prefix, by=self.person.email, overlap=overlap)
        return self.page(made=made, secret=secret)


class RevokeToken(TokenPage):
    def post(self, request: HttpRequest, prefix: str) -> HttpResponse:
        self.may_end(prefix)
        revoked = tokens.revoke(prefix)
        messages.success(request, f"API key “{revoked.name}” is revoked.")
        return redirect("tokens")

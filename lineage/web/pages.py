"""What every page is: for people who are signed in and hold a role, at one moment, in the common frame.

Owns: sign-in, roles, the as-of moment, and turning a `LineageError` into a page. Pages derive from `Page`:

    class ModelList(Page):
        section = "models"                # the marked link of the navigation
        template_name = "models.html"

        def get(self, request: HttpRequest) -> HttpResponse:
            return self.render(page=lineage.search(self.as_of, …))
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views import View

from lineage.config import current
from lineage.db.configuration import User
from lineage.errors import LineageError, MalformedError, ProposedError, RateLimitedError
from lineage.services import as_of as moments
from lineage.services import rate_limits, rights, second_factors
from lineage.services.as_of import AsOf
from lineage.web import access, errors


class Page(View):
    """A page at one moment. `role` is the least that a person must hold, for every method.

    `rule` names one of `rights.RULES` that needs no thing, and is asked too.
    """

    role: ClassVar[str] = User.Role.AUDITOR
    rule: ClassVar[str] = ""
    section: ClassVar[str] = ""
    template_name: ClassVar[str] = ""
    person: User
    as_of: AsOf
    as_of_text: str

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        if not request.user.may(self.role):
            access.note_refused(request, request.user.email, kwargs)
            raise PermissionDenied(f"This page is for {User.Role(self.role).label.lower()}s.")
        if self.rule and not rights.may(self.rule, rights.actor_of(request.user)):
            access.note_refused(request, request.user.email, kwargs)
            raise PermissionDenied("This page is not for you.")
        if second_factors.is_missing(request, request.user):
            messages.warning(request, "Your role needs a second factor: set one up first.")
            return redirect("mfa_index")
        self.person = request.user
        response = self._answer(request, *args, **kwargs)
        access.note(request, request.user.email, kwargs, response)
        return response

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            rate_limits.take(f"person:{self.person.email}", current().people.rate_limit)
        except RateLimitedError as error:
            return errors.page(request, error, section=self.section)
        self.as_of_text = request.GET.get("as_of", "").strip()
        try:
            self.as_of = moments.resolve(self.as_of_text)
        except MalformedError as error:
            return errors.page(request, error, as_of_error=error.message, section=self.section)
        try:
            response = super().dispatch(request, *args, **kwargs)
        except ProposedError as proposed:
            messages.success(request, proposed.message)
            return redirect("proposals")
        except LineageError as error:
            return errors.page(request, error, **self._frame())
        # What only people who are signed in may see stays in no shared cache, and is asked for anew.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def render(self, *, template: str = "", status: int = 200, **context: object) -> HttpResponse:
        """The page's template (or `template`, a part of it for htmx) with `context` and the frame's needs."""
        return render(
            self.request, template or self.template_name, {**self._frame(), **context}, status=status
        )

    def _frame(self) -> dict[str, object]:
        return {"as_of": self.as_of, "as_of_text": self.as_of_text, "section": self.section}

"""What operators do with signers and roots: register, replace, revoke, adopt. Each is a signed decision.

Owns: what stands where. Does not own: what a decision needs (`services.decide`, `services.decide_signers`).
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from lineage.db.configuration import User
from lineage.errors import ConflictError, MalformedError, NotFoundError, TooLargeError
from lineage.services import decide, decide_signers, key_records
from lineage.services.key_records import KeyRecord
from lineage.services.receipts import Submitted
from lineage.trust.leaf import rfc3339
from lineage.web.key_forms import IdentityForm, KeyForm, Refusable, RevocationForm, RootForm, RotationForm
from lineage.web.pages import Page

_REFUSED = (MalformedError, ConflictError, NotFoundError, TooLargeError)
F = TypeVar("F", bound=Refusable)


class _Act(Page, Generic[F]):
    """A page with one form that becomes one decision. `form` makes it, `decide` carries it out."""

    role = User.Role.OPERATOR
    section = "keys"
    done: ClassVar[str] = "Done in entry {index}."

    def form(self, data: object = None) -> F:
        raise NotImplementedError

    def decide(self, form: F) -> Submitted:
        raise NotImplementedError

    def target(self, done: Submitted) -> str:
        """Where to go on."""
        return reverse("keys")

    def about(self) -> dict[str, Any]:
        """What else the template needs."""
        return {}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        return self.render(form=self.form(), **self.about())

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        form = self.form(request.POST)
        if form.is_valid():
            try:
                done = self.decide(form)
            except _REFUSED as error:
                form.refuse(error)
            else:
                messages.success(request, self.done.format(index=done.receipt.index))
                return redirect(self.target(done))
        return self.render(status=422, form=form, **self.about())


class RegisterKey(_Act[KeyForm]):
    template_name = "keys/register.html"
    done = "Registered in entry {index}. What it signs is taken from now on."

    def form(self, data: object = None) -> KeyForm:
        return KeyForm(data)  # type: ignore[arg-type]  # a QueryDict, or None

    def decide(self, form: KeyForm) -> Submitted:
        return decide.register_key(
            form.cleaned_data["public_key"].encode(),
            form.cleaned_data["name"],
            form.scopes(),
            person=self.person.email,
            not_before_us=form.moment("not_before"),
            not_after_us=form.moment("not_after"),
        )


class RegisterIdentity(_Act[IdentityForm]):
    template_name = "keys/identity.html"
    done = "Registered in entry {index}. What it signs is taken from now on."

    def form(self, data: object = None) -> IdentityForm:
        roots = key_records.list_roots(self.as_of)
        usable = [(r.root_id, f"{r.name} ({r.kind})") for r in roots if r.kind != "timestamp"]
        return IdentityForm(data, roots=usable)

    def about(self) -> dict[str, Any]:
        return {"rootless": not self.form().fields["root"].choices}  # type: ignore[attr-defined]

    def decide(self, form: IdentityForm) -> Submitted:
        data = form.cleaned_data
        return decide_signers.register_identity(
            data["issuer"].strip(),
            data["subject"].strip(),
            data["root"],
            data["name"],
            form.scopes(),
            person=self.person.email,
            not_before_us=form.moment("not_before"),
            not_after_us=form.moment("not_after"),
        )


class _AboutKey(_Act[F]):
    """An act on the key or identity of the address."""

    key: KeyRecord

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: str) -> HttpResponse:
        self.key_id = kwargs["key_id"]
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def about(self) -> dict[str, Any]:
        return {"key": key_records.get(self.key_id, self.as_of)}

    def target(self, done: Submitted) -> str:
        return reverse("key", args=[self.key_id])


class RevokeKey(_AboutKey[RevocationForm]):
    template_name = "keys/revoke.html"
    done = "Revoked in entry {index}. What rests on it is judged anew."

    def form(self, data: object = None) -> RevocationForm:
        return RevocationForm(data, initial={"from_": rfc3339(self.as_of.at_us)})  # type: ignore[arg-type]

    def decide(self, form: RevocationForm) -> Submitted:
        from_us = form.moment("from_")
        assert from_us is not None  # the field is required
        return decide.revoke_key(
            self.key_id,
            from_us,
            form.cleaned_data["reason"],
            person=self.person.email,
            compromised=form.cleaned_data["compromised"],
        )


class RotateKey(_AboutKey[RotationForm]):
    template_name = "keys/rotate.html"
    done = "Replaced in entry {index}."

    def form(self, data: object = None) -> RotationForm:
        return RotationForm(data)  # type: ignore[arg-type]

    def decide(self, form: RotationForm) -> Submitted:
        return decide_signers.rotate_key(
            self.key_id,
            form.cleaned_data["public_key"].encode(),
            form.cleaned_data["endorsement"].encode(),
            person=self.person.email,
            name=form.cleaned_data["name"].strip(),
            old_not_after_us=form.moment("old_not_after"),
        )

    def target(self, done: Submitted) -> str:
        return reverse("key", args=[done.receipt.subjects[0].digest["sha256"]])


class Roots(_Act[RootForm]):
    """Reading is for everybody; adopting for operators."""

    role = User.Role.AUDITOR
    template_name = "roots.html"
    done = "Adopted in entry {index}. It lets nobody sign by itself: register an identity."

    def form(self, data: object = None) -> RootForm:
        return RootForm(data)  # type: ignore[arg-type]

    def about(self) -> dict[str, Any]:
        may = self.person.may(User.Role.OPERATOR) and self.as_of.live
        return {"roots": key_records.list_roots(self.as_of), "may_operate": may}

    def decide(self, form: RootForm) -> Submitted:
        if not self.person.may(User.Role.OPERATOR):
            raise PermissionDenied("A root is adopted by operators.")
        data = form.cleaned_data
        return decide_signers.adopt_root(
            data["material"].encode(), data["kind"], data["name"], person=self.person.email
        )

    def target(self, done: Submitted) -> str:
        return reverse("roots")


class RevokeRoot(_Act[RevocationForm]):
    template_name = "keys/revoke.html"
    done = "Revoked in entry {index}. What its identities signed is judged anew."

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: str) -> HttpResponse:
        self.root_id = kwargs["root_id"]
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form(self, data: object = None) -> RevocationForm:
        return RevocationForm(data, initial={"from_": rfc3339(self.as_of.at_us)})  # type: ignore[arg-type]

    def about(self) -> dict[str, Any]:
        return {"root": decide_signers.root(self.root_id)}

    def decide(self, form: RevocationForm) -> Submitted:
        from_us = form.moment("from_")
        assert from_us is not None  # the field is required
        return decide_signers.revoke_root(
            self.root_id,
            from_us,
            form.cleaned_data["reason"],
            person=self.person.email,
            compromised=form.cleaned_data["compromised"],
        )

    def target(self, done: Submitted) -> str:
        return reverse("roots")

"""The forms about signers: what an operator types becomes scopes, times, texts; mistakes stand beside it.

Owns: labels and help. Does not own: what is wrong with a value (`services.decide`, `services.decide_signers`,
which are asked).
"""

from __future__ import annotations

from typing import Any

from django import forms

from lineage.errors import LineageError, MalformedError
from lineage.trust.leaf import parse_rfc3339
from lineage.trust.policy import Scopes

TIME_HELP = "RFC 3339, such as 2027-12-31T00:00:00Z"
MAX_PEM = 1 << 20


def _line(label: str, help_text: str = "", *, required: bool = True) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(
        max_length=2000, label=label, help_text=help_text, required=required, widget=widget
    )


def _text(label: str, help_text: str = "", *, rows: int = 4, required: bool = True) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows, "spellcheck": "false", "autocomplete": "off"})
    return forms.CharField(
        max_length=MAX_PEM, label=label, help_text=help_text, required=required, widget=widget
    )


class Refusable(forms.Form):
    """A form that can say what a service found wrong, beside the field or above all."""

    def refuse(self, error: LineageError) -> None:
        where = error.where.removeprefix("$.")
        words = f"{error.message} {error.hint}".strip()
        self.add_error(where if where in self.fields else None, words)

    def moment(self, name: str) -> int | None:
        """µs since the epoch; None where the field is empty. Raises: MalformedError that names the field."""
        text = self.cleaned_data[name].strip()
        if not text:
            return None
        try:
            return parse_rfc3339(text)
        except MalformedError as error:
            raise MalformedError(error.message, where=name) from None


class RightsForm(Refusable):
    """What a signer may say, and when."""

    name = _line("Name", "What it is called on pages")
    anything = forms.BooleanField(required=False, label="It may say anything (every predicate type and name)")
    predicate_types = _text(
        "Predicate types",
        "It may sign these, one a line: https://slsa.dev/provenance/v1",
        rows=3,
        required=False,
    )
    builders = _text(
        "Builders",
        "It may speak for these builder ids, one a line; none: for no builder",
        rows=2,
        required=False,
    )
    subjects = _text(
        "Subject names", "Only such names, one a line: models/*; none: any", rows=2, required=False
    )
    kinds = _text(
        "Kinds", "Only these kinds or roles, one a line: model, dataset; none: any", rows=2, required=False
    )
    not_before = _line("In force from", f"{TIME_HELP}; empty: at once", required=False)
    not_after = _line("In force until", f"{TIME_HELP}; empty: no end", required=False)

    def scopes(self) -> Scopes:
        """What is said, after `is_valid`. Raises: MalformedError where it is said twice, or not at all."""
        data = self.cleaned_data
        limits = [
            tuple(line.strip() for line in data[name].splitlines() if line.strip())
            for name in ("predicate_types", "builders", "subjects", "kinds")
        ]
        if data["anything"] and any(limits):
            raise MalformedError("Say either that it may say anything, or what.", where="anything")
        if not data["anything"] and not limits[0]:
            raise MalformedError("Name at least one predicate type.", where="predicate_types")
        return Scopes(data["anything"], *limits)


class KeyForm(RightsForm):
    """A key to register."""

    public_key = _text("Public key", "PEM, one PUBLIC KEY block. Never a private key", rows=5)
    field_order = ("name", "public_key")


class IdentityForm(RightsForm):
    """An identity to register; `roots` are the choices."""

    root = forms.ChoiceField(label="Root", help_text="The trust material that its certificates chain to")
    issuer = _line(
        "Issuer",
        "Of Sigstore: the OIDC issuer, https://token.actions.githubusercontent.com. Of X.509: empty",
        required=False,
    )
    subject = _line(
        "Subject",
        "The name in the certificate: a workflow's URI, an e-mail address. * stands for any text",
    )
    field_order = ("name", "root", "issuer", "subject")

    def __init__(self, *args: Any, roots: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["root"].choices = roots  # type: ignore[attr-defined]


class RootForm(Refusable):
    """Trust material to adopt."""

    name = _line("Name", "What it is called on pages")
    kind = forms.ChoiceField(
        label="Kind",
        choices=(
            ("sigstore", "Sigstore: trusted_root.json"),
            ("x509", "X.509: certificates of authorities (PEM)"),
            ("timestamp", "Timestamps: certificates of authorities (PEM, RFC 3161)"),
        ),
    )
    material = _text("Material", "The file's text. It becomes part of the signed entry", rows=8)


class RevocationForm(Refusable):
    """From when, and why."""

    from_ = _line("Not believed from", f"{TIME_HELP}. Log time: when statements came in, not when they claim")
    reason = _line("Reason", "Shown wherever the signer is")
    compromised = forms.BooleanField(
        required=False, label="Somebody else may have used it: what rests on it alone is tainted"
    )


class RotationForm(Refusable):
    """A key that takes over."""

    public_key = _text("New public key", "PEM, one PUBLIC KEY block", rows=5)
    endorsement = _text("Endorsement", "The envelope in which the old key vouches for the new one", rows=6)
    name = _line("Name", "Empty: the old key's", required=False)
    old_not_after = _line("The old key ends", f"{TIME_HELP}; empty: a week from now", required=False)

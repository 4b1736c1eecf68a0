"""The form of a source: what an operator types becomes `SourceValues`, and what is wrong stands beside it.

Owns: labels and help. Does not own: what is wrong with a value (`services.source_values`, which is asked).
A secret is never written into a page: an empty field keeps the one that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from lineage.db.models import Source
from lineage.errors import LineageError
from lineage.services.source_values import RANGES, SourceValues

SECRETS = ("secret", "client_key_pem")
KEPT = "Empty: the stored one stays"
AUTH_WORDS = (
    ("none", "No sign-in"),
    ("token", "Bearer token"),
    ("basic", "User and password"),
)


def _pem(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        label=label,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )


def _number(field: str, label: str, help_text: str) -> forms.IntegerField:
    least, most = RANGES[field]
    initial = getattr(Source(), field)
    return forms.IntegerField(
        min_value=least, max_value=most, initial=initial, label=label, help_text=help_text
    )


class SourceForm(forms.Form):
    """Everything about a source but its name."""

    url = forms.CharField(
        max_length=2000,
        label="Address",
        help_text="As in MLFLOW_TRACKING_URI: https://mlflow.example.com, with a prefix where there is one",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
    )
    auth = forms.ChoiceField(choices=AUTH_WORDS, label="Signs in with")
    username = forms.CharField(
        required=False,
        max_length=2000,
        label="User",
        help_text="With user and password. An account that may only read is enough",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    secret = forms.CharField(
        required=False,
        strip=False,
        label="Token or password",
        help_text="Kept encrypted, shown to nobody",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    ca_pem = _pem("Certificates to trust", "PEM, beside those that this machine trusts")
    client_certificate_pem = _pem(
        "Client certificate", "PEM, for mutual TLS, with those between it and its root"
    )
    client_key_pem = _pem("Its private key", "PEM without a passphrase. Kept encrypted, shown to nobody")
    proxy = forms.CharField(
        required=False, max_length=2000, label="Proxy", help_text="http://host:port; empty: none"
    )
    data_roots = forms.CharField(
        required=False,
        label="Folders of datasets",
        help_text="One a line, under LINEAGE_STORAGE_ROOTS. Datasets that runs name are hashed only there",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    poll_seconds = _number("poll_seconds", "Seconds between polls", "A poll asks for what may have moved")
    sweep_seconds = _number(
        "sweep_seconds", "Seconds between sweeps", "A sweep compares everything. 86400 is a day"
    )
    rehash_seconds = _number(
        "rehash_seconds", "Seconds until bytes are hashed again", "All of them, in a sweep. 604800 is a week"
    )
    requests_per_second = _number("requests_per_second", "Requests a second", "At most, to spare the server")
    max_file_bytes = _number("max_file_bytes", "Largest file that is hashed", "Bytes; larger ones are listed")

    asks_whether_it_continues = False
    """Whether the name is that of a server whose records the log has."""

    def __init__(self, *args: Any, source: Source | None = None, **kwargs: Any) -> None:
        if source is not None:
            kwargs["initial"] = _initial(source, self.base_fields)
        super().__init__(*args, **kwargs)
        if source is not None and source.secret_box:
            self.fields["secret"].help_text = KEPT
        if source is not None and source.client_key_box:
            self.fields["client_key_pem"].help_text = KEPT

    def values(self) -> SourceValues:
        """What is said, after `is_valid`."""
        said: dict[str, Any] = {
            name: value
            for name, value in self.cleaned_data.items()
            if name in self.base_fields and (value or name not in SECRETS)
        }
        said["data_roots"] = said["data_roots"].splitlines()
        said["username"] = said["username"] if said["auth"] == Source.Auth.BASIC else ""
        said.pop("name", None)
        said.pop("continues", None)
        return SourceValues(**said)

    def refuse(self, error: LineageError) -> None:
        """Put what the service found wrong beside its field."""
        self.asks_whether_it_continues = "recorded" in error.extra
        words = f"{error.message} {error.hint}".strip()
        self.add_error(error.where if error.where in self.fields else None, words)


class NewSourceForm(SourceForm):
    """A source that there is not yet."""

    name = forms.CharField(
        max_length=63,
        label="Name",
        help_text="a-z, 0-9 and -. It never changes: it is part of the identity of each run",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    continues = forms.BooleanField(
        required=False, label="It is the server that was followed under this name before"
    )
    field_order = ("name",)


def _initial(source: Source, fields: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in fields if name not in SECRETS and hasattr(source, name)}

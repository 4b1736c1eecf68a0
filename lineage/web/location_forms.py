"""The form of a storage: what an operator types becomes `StorageValues`, and what is wrong stands beside it.

Owns: labels and help. Does not own: what is wrong with a value (`services.storage_values`, which is asked).
A secret is never written into a page: an empty field keeps the one that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from lineage.db.models import Storage
from lineage.errors import LineageError
from lineage.services.storage_values import KINDS, SECRETS, StorageValues

KEPT = "Empty: the stored one stays, unless the address changes"


def _text(label: str, help_text: str, **more: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(
        required=False, max_length=2000, label=label, help_text=help_text, widget=widget, **more
    )


def _secret(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        strip=False,
        label=label,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class LocationForm(forms.Form):
    """Everything about a storage but its name and kind."""

    uri = forms.CharField(
        max_length=2000,
        label="Address",
        help_text="What its locations begin with: s3://bucket/prefix, gs://…, az://container/…, "
        "https://host/folder, oci://host:port/repository, hf://owner/name",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
    )
    endpoint = _text(
        "Endpoint", "Of a compatible service: https://minio.example.com:9000. Of OCI: the token service"
    )
    region = _text("Region", "Of S3; empty: us-east-1")
    insecure_http = forms.BooleanField(
        required=False, label="An OCI registry without TLS: credentials travel in the clear"
    )
    username = _text("User", "User, access key id, or the account of Azure. Reading and listing is enough")
    secret = _secret(
        "Secret", "Password, secret key, account key, or the JSON of a service account. Kept encrypted"
    )
    token = _secret("Token", "Bearer, session or shared access signature. Kept encrypted, shown to nobody")
    ca_pem = forms.CharField(
        required=False,
        label="Certificates to trust",
        help_text="PEM, beside those that this machine trusts",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, storage: Storage | None = None, **kwargs: Any) -> None:
        if storage is not None:
            kwargs["initial"] = _initial(storage, self.base_fields)
        super().__init__(*args, **kwargs)
        for name in SECRETS if storage is not None else ():
            if getattr(storage, f"{name}_box"):
                self.fields[name].help_text = KEPT

    def values(self) -> StorageValues:
        """What is said, after `is_valid`."""
        return StorageValues(
            **{
                name: value
                for name, value in self.cleaned_data.items()
                if name in StorageValues.__struct_fields__ and (value or name not in SECRETS)
            }
        )

    def refuse(self, error: LineageError) -> None:
        """Put what the service found wrong beside its field."""
        words = f"{error.message} {error.hint}".strip()
        self.add_error(error.where if error.where in self.fields else None, words)


class NewLocationForm(LocationForm):
    """A storage that there is not yet."""

    name = forms.CharField(
        max_length=63,
        label="Name",
        help_text="a-z, 0-9 and -. It never changes",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(choices=[(scheme.kind, scheme.title) for scheme in KINDS], label="Kind")
    field_order = ("name", "kind")


def _initial(storage: Storage, fields: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(storage, name) for name in fields if name not in SECRETS}

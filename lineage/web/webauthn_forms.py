"""allauth's forms for passkeys and security keys, which answer to any input.

What a browser sends is JSON of a person's choice; the parser below allauth fails in many ways where it is not
as it should be, and where a signature is wrong. All of them mean the same here: this is not the key.
"""

from __future__ import annotations

import struct
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django import forms

_NO_KEY = (
    AttributeError,
    IndexError,
    InvalidSignature,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
    struct.error,
)


MAX_CREDENTIAL = 64 << 10


class CredentialField(forms.JSONField):
    """JSON of a browser, of a size and depth that one writes. Raises: ValidationError."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > MAX_CREDENTIAL:
            raise get_adapter().validation_error("incorrect_code")
        try:
            return super().to_python(value)
        except RecursionError as error:
            raise get_adapter().validation_error("incorrect_code") from error


def _credential() -> CredentialField:
    return CredentialField(required=True, widget=forms.HiddenInput)


class _Credential:
    def clean_credential(self) -> Any:
        """Raises: ValidationError."""
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form that it is mixed into
        except _NO_KEY as error:
            raise get_adapter().validation_error("incorrect_code") from error


class AuthenticateForm(_Credential, AuthenticateWebAuthnForm):  # type: ignore[misc]  # allauth ships no types
    credential = _credential()


class LoginForm(_Credential, LoginWebAuthnForm):  # type: ignore[misc]
    credential = _credential()


class ReauthenticateForm(_Credential, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    credential = _credential()


class AddForm(AddWebAuthnForm):  # type: ignore[misc]
    credential = _credential()

    def clean(self) -> dict[str, Any]:
        """Raises: ValidationError."""
        try:
            cleaned: dict[str, Any] = super().clean()
        except _NO_KEY as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return cleaned

"""Signing in and out, and failing to, are records too: who, and from where."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from lineage import client_address
from lineage.db.access import AccessRecord
from lineage.db.configuration import User
from lineage.services import access_records

Action = AccessRecord.Action


def connect() -> None:
    """To the framework's signals, once for each process."""
    user_logged_in.connect(_signed_in, dispatch_uid="access")
    user_logged_out.connect(_signed_out, dispatch_uid="access")
    user_login_failed.connect(_failed, dispatch_uid="access")


def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    _add(Action.SIGN_IN, user.email, 200, request)


def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        _add(Action.SIGN_OUT, user.email, 200, request)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Only the name of an account that there is: what else was typed in may be a password."""
    email = str(credentials.get("email", "")).lower()
    known = "\0" not in email and User.objects.filter(email=email).exists()
    _add(Action.REFUSED, email if known else "somebody unknown", 401, request)


def _add(action: AccessRecord.Action, who: str, status: int, request: HttpRequest | None) -> None:
    address = client_address.of(request.META) if request else client_address.UNKNOWN
    access_records.add(action, who, "account_login", "", status, address)

"""People who sign in: creating them, and passwords that nobody has to think up.

Owns: what an account needs before it exists. Does not own: signing in (`lineage.web`), roles' rights.
"""

from __future__ import annotations

import secrets

from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from lineage.db.models import User
from lineage.errors import ConflictError, MalformedError, NotFoundError

ROLES = tuple(User.Role.values)
_PASSWORD_BYTES = 15


def create(email: str, role: str, password: str) -> User:
    """A new account.

    Raises:
        MalformedError: no e-mail address, no such role, or a password that is too easy.
        ConflictError: the address has an account.
    """
    if role not in ROLES:
        raise MalformedError(f"There is no role {role!r}; roles are {', '.join(ROLES)}.")
    try:
        validate_email(email)
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise MalformedError(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(email, password, role=role)
    except IntegrityError as error:
        raise ConflictError(f"{email} has an account already.") from error


def reset_factors(email: str) -> int:
    """Remove all second factors of somebody who has lost them; returns how many those were.

    Raises: NotFoundError for an address without an account.
    """
    user = User.objects.filter(email=email.lower()).first()
    if user is None:
        raise NotFoundError(f"There is no account for {email}.")
    removed, _ = Authenticator.objects.filter(user_id=user.pk).delete()
    return int(removed)


def generate_password() -> str:
    """20 characters that are safe in a URL and a shell, from 120 random bits."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def nobody_yet() -> bool:
    """Whether there is no account at all."""
    return not User.objects.exists()

"""Which people need a second factor that they have not set up: by role, with `LINEAGE_MFA_ROLE`.

Does not own: setting one up and asking for it, which allauth does (`lineage.web.second_factor`).
"""

from __future__ import annotations

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from lineage.config import current
from lineage.db.models import User

_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def is_missing(request: HttpRequest, person: User) -> bool:
    """Whether this person must set up a second factor before anything else.

    Whoever comes from the sign-in service has shown there what it asks for.
    """
    role = current().people.mfa_role
    if not role or not person.may(role):
        return False
    methods = get_authentication_records(request, person)
    if methods and methods[0].get("method") == "socialaccount":
        return False
    return not Authenticator.objects.filter(user_id=person.pk, type__in=_FACTORS).exists()

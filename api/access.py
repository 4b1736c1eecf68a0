"""What is noted of each call: who read, took away or changed what. Sent statements are in the log already."""

from __future__ import annotations

from collections.abc import Mapping

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import Caller
from lineage import client_address
from lineage.services import access_records

_SHOWN = ("application/json", "application/problem+json")


def note(request: Request, scope: str, names: Mapping[str, object], answer: HttpResponseBase) -> None:
    """A call was answered. `names` are the parts of its address that name something.

    Whoever is not known by a key or session was shown nothing, and is not noted.
    """
    caller = getattr(request, "_auth", None)  # `request.auth` would ask again who that is
    if scope == "attest" or not isinstance(caller, Caller):
        return
    match = request._request.resolver_match
    access_records.note(
        caller.name,
        request.method or "",
        match.view_name if match else "",
        " ".join(str(name) for name in names.values()),
        answer.status_code,
        client_address.of(request.META),
        export=not isinstance(answer, Response) and not answer.headers["Content-Type"].startswith(_SHOWN),
    )

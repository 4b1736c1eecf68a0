"""What is noted of each page: who looked at, exported or changed what. The page of it is `access_page`."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage import client_address
from lineage.services import access_records


def note(request: HttpRequest, who: str, names: Mapping[str, object], answer: HttpResponseBase) -> None:
    """A page was answered. `names` are the parts of its address that name something."""
    access_records.note(
        who,
        request.method or "",
        route(request),
        subject(names),
        answer.status_code,
        client_address.of(request.META),
        export="Content-Disposition" in answer.headers,
    )


def note_refused(request: HttpRequest, who: str, names: Mapping[str, object]) -> None:
    """Somebody who is signed in asked for a page that is not for them."""
    address = client_address.of(request.META)
    access_records.note(who, request.method or "", route(request), subject(names), 403, address)


def route(request: HttpRequest) -> str:
    """The name of the page or call."""
    return request.resolver_match.view_name if request.resolver_match else ""


def subject(names: Mapping[str, object]) -> str:
    return " ".join(str(name) for name in names.values())

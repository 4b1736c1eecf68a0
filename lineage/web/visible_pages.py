"""Pages on which nothing that a signer wrote is invisible or turns the text around it (`lineage.visible`).

In one place, because any field of any statement may come up on any page. Downloads and calls keep every byte.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from lineage import visible


class VisiblePages:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if isinstance(answer, HttpResponse) and answer.get("Content-Type", "").startswith("text/html"):
            answer.content = visible.html(answer.content)
        return answer

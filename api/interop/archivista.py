"""The Archivista API for `witness` and `archivistactl`: `/archivista`, and the same below `/archivista/v1`.

A foreign contract: 200 where our own calls say 201, and errors as a sentence in plain text, because those
clients show the body of whatever is not 200 as it is. What is uploaded passes the same intake as everything.
Source: Archivista, pkg/server and pkg/http-client; go-witness, archivista.
"""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.attestations import read_envelope
from api.base import JSON_RANGES, Call, caller
from api.query import Query
from lineage.config import current
from lineage.errors import MalformedError
from lineage.services import archive, archive_search, intake
from lineage.trust import strictjson

MAX_QUESTION_BYTES = 8 << 20
"""Witness names every gitoid that it has seen already."""


class Uploaded(msgspec.Struct, frozen=True):
    gitoid: str


class _Question(msgspec.Struct):
    """GraphQL over HTTP; `extensions` and the like are ignored."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 the member's name in JSON


_QUESTION = msgspec.json.Decoder(_Question)


class _Sentence(BaseRenderer):
    media_type = "text/plain"
    charset = "utf-8"

    def render(self, data: Any, *_: Any) -> bytes:
        return str(data).encode()


class ArchivistaCall(Call):
    """As any call, but that its errors are a sentence: what is wrong, and what can be done about it."""

    schema = None
    produces = JSON_RANGES | {"text/plain", "text/*"}

    def handle_exception(self, exc: Exception) -> Response:
        answer = super().handle_exception(exc)
        problem = answer.data or {}
        told = [problem.get("detail") or problem.get("title", "Error"), problem.get("hint", "")]
        self.request.accepted_renderer, self.request.accepted_media_type = _Sentence(), "text/plain"
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
        text = " ".join(part for part in told if part) + "\n"
        return Response(text, status=answer.status_code, headers=headers)


class Upload(ArchivistaCall):
    scopes = {"POST": "attest"}  # noqa: RUF012

    def post(self, request: Request) -> Response:
        Query(request)
        body.media_type(request, body.ENVELOPE_TYPES)
        token = caller(request).name
        archive.want()
        data = read_envelope(request, current().max_envelope_bytes, token)
        intake.submit(data, token=token)
        return Response(Uploaded(archive.gitoid(data)))


class Download(ArchivistaCall):
    def get(self, request: Request, gitoid: str) -> HttpResponse:
        Query(request)
        answer = HttpResponse(archive_search.envelope(gitoid), content_type="application/json")
        answer["Cache-Control"] = "private, no-cache"
        return answer


class Question(ArchivistaCall):
    scopes = {"POST": "read"}  # noqa: RUF012

    def post(self, request: Request) -> Response:
        from api.interop import archivista_graphql  # loads GraphQL, which nothing else needs

        Query(request)
        body.media_type(request, ("application/json",))
        data = body.read(request, MAX_QUESTION_BYTES)
        strictjson.check(data, what="question")
        try:
            question = _QUESTION.decode(data)
        except msgspec.DecodeError as error:
            raise MalformedError(f"This is no GraphQL question: {error}.") from error
        answer = archivista_graphql.answer(question.query, question.variables, question.operationName)
        return Response(answer, status=200 if "data" in answer else 400)

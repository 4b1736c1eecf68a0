"""How a call is described, and the OpenAPI 3.1 document that results.

Owns: `describe` (said once, beside each method), the components made from msgspec structs, problem answers.
Does not own: what a call does. Source: OpenAPI 3.1.0; JSON Schema 2020-12, which msgspec writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from api.problems import MEDIA_TYPE, TYPE_PREFIX, MethodNotAllowedError, NotAcceptableError, Problem
from lineage import errors

Method = TypeVar("Method", bound=Callable[..., Any])

REF = "#/components/schemas/{name}"
ERRORS: Mapping[str, type[errors.LineageError]] = {
    cls.slug: cls
    for cls in (
        errors.MalformedError,
        errors.UnauthenticatedError,
        errors.ForbiddenError,
        errors.NotFoundError,
        errors.RedactedError,
        MethodNotAllowedError,
        NotAcceptableError,
        errors.ConflictError,
        errors.TooLargeError,
        errors.UnsupportedMediaTypeError,
        errors.SignatureRefutedError,
        errors.SignerUnknownError,
        errors.KeyNotValidError,
        errors.NotAllowedError,
        errors.RateLimitedError,
        errors.UnavailableError,
        errors.RollbackError,
    )
}
"""Every problem that a client can meet, by slug."""

AS_OF = "The moment: a tree size (whole number) or an ISO 8601 date or time. Absent: now."
AFTER = "The `next` of the page before."
LIMIT = "How many at most."
DECIDING = ("malformed", "conflict", "too-large", "unsupported-media-type", "unavailable", "rolled-back")
"""What any call may answer that takes a body and appends a decision to the log."""

EXAMPLES: Mapping[str, Any] = msgspec.json.decode(files("api").joinpath("examples.json").read_bytes())
"""Answers of a real server to a small real pipeline. A test holds each to the type of its call."""

EXAMPLE_TYPES: dict[str, Any] = {}
"""Which type each example is of, filled by `describe`."""

_types: dict[str, Any] = {"Problem": Problem}
"""Every struct that some call takes or answers, filled by `describe`."""


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter as it is documented."""

    name: str
    text: str
    required: bool = False
    options: tuple[str, ...] = ()
    repeated: bool = False
    whole: bool = False


def describe(
    name: str,
    summary: str,
    text: str,
    *,
    answer: Any = None,
    example: str = "",
    says: str = "",
    status: int = 200,
    also: Mapping[int, str] | None = None,
    media: str = "application/json",
    parameters: Sequence[Parameter] = (),
    path: Mapping[str, str] | None = None,
    body: Any = None,
    body_media: Sequence[str] = ("application/json",),
    body_example: Any = None,
    body_examples: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
    public: bool = False,
) -> Callable[[Method], Method]:
    """Describe one method of a call.

    `answer` and `body` are msgspec types; None is bytes or text of `media`. A body that takes one of several
    forms is their union, with `body_examples`, name → body. `example` names one in `examples.json`, `says`
    the answer where the summary does not. `also` are further statuses with the same answer. `problems` are
    slugs beside those that every call with an API key has.
    """
    slugs = [*problems, *(() if public else ("unauthenticated", "forbidden", "not-acceptable"))]
    sentences = {status: says or f"{summary}.", **(also or {})}
    examples = [_problem_example(slug) for slug in slugs]
    if example:
        EXAMPLE_TYPES[example] = answer or body
        only: dict[str, Any] = {"response_only": True, "media_type": media, "status_codes": [str(status)]}
        examples.append(OpenApiExample("answer", EXAMPLES[example], **only))
    bodies = body_examples or ({} if body_example is None else {"body": body_example})
    for title, value in bodies.items():
        examples.append(OpenApiExample(title, value, request_only=True, media_type=body_media[0]))
    return extend_schema(
        operation_id=name,
        summary=summary,
        description=text,
        parameters=[*map(_parameter, parameters), *_path(path or {})],
        request=None if body is None else {kind: _schema(body, kind) for kind in body_media},
        responses=_answers(_schema(answer, media), media, sentences) | _problems(slugs),
        examples=examples,
        auth=[] if public else None,
        tags=[name.partition("_")[0]],
    )


Responses = dict[tuple[int, str], OpenApiResponse]


def _answers(schema: dict[str, Any], media: str, sentences: Mapping[int, str]) -> Responses:
    return {(code, media): OpenApiResponse(schema, description=said) for code, said in sentences.items()}


def _problems(slugs: Sequence[str]) -> Responses:
    return {(code, MEDIA_TYPE): _refused(said) for code, said in _by_status(slugs).items()}


@cache
def _refused(said: str) -> OpenApiResponse:
    """One for all calls: they say 425 times one of 13, which each process keeps."""
    return OpenApiResponse(_schema(Problem, MEDIA_TYPE), description=said)


def _by_status(slugs: Sequence[str]) -> dict[int, str]:
    """Status → one sentence a problem."""
    found: dict[int, str] = {}
    for slug in slugs:
        sentence = f"`{slug}`: {ERRORS[slug].title}."
        known = found.get(ERRORS[slug].status)
        found[ERRORS[slug].status] = f"{known} {sentence}" if known else sentence
    return found


@cache
def _problem_example(slug: str) -> OpenApiExample:
    error = ERRORS[slug]
    value = {
        "type": TYPE_PREFIX + slug,
        "title": error.title,
        "status": error.status,
        "detail": (error.__doc__ or error.title).partition("\n")[0],
    }
    return OpenApiExample(
        slug, value, response_only=True, media_type=MEDIA_TYPE, status_codes=[str(error.status)]
    )


def _schema(kind: Any, media: str) -> dict[str, Any]:
    """A reference to the component of a struct, or to those of a union; else the schema itself."""
    if kind is None:
        return {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        _types[kind.__name__] = kind
        return {"$ref": REF.format(name=kind.__name__)}
    if isinstance(kind, UnionType):
        _types.update({form.__name__: form for form in get_args(kind)})
        (union,), _ = msgspec.json.schema_components([kind], ref_template=REF)
        return union
    schema: dict[str, Any] = msgspec.json.schema(kind)
    return schema


def _parameter(parameter: Parameter) -> OpenApiParameter:
    one: dict[str, Any] = {"type": "integer" if parameter.whole else "string"}
    if parameter.options:
        one["enum"] = list(parameter.options)
    return OpenApiParameter(
        parameter.name,
        {"type": "array", "items": one} if parameter.repeated else one,
        OpenApiParameter.QUERY,
        required=parameter.required,
        description=parameter.text,
    )


def _path(names: Mapping[str, str]) -> list[OpenApiParameter]:
    return [
        OpenApiParameter(
            name, int if name == "level" else str, OpenApiParameter.PATH, required=True, description=text
        )
        for name, text in names.items()
    ]


def add_components(document: dict[str, Any]) -> dict[str, Any]:
    """The generated document with the schemas of all structs that its calls refer to."""
    _, schemas = msgspec.json.schema_components(list(_types.values()), ref_template=REF)
    tidied = {name: _tidy(schema) for name, schema in sorted(schemas.items())}
    return document | {"components": document.get("components", {}) | {"schemas": tidied}}


def _tidy(schema: Any) -> Any:
    """Docstrings are written for one terminal width; a description is a paragraph."""
    if isinstance(schema, dict):
        return {
            key: re.sub(r"\s*\n\s*", " ", value)
            if key == "description" and isinstance(value, str)
            else _tidy(value)
            for key, value in schema.items()
        }
    return [_tidy(item) for item in schema] if isinstance(schema, list) else schema


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "lin_<prefix>_<secret>"}


class PersonScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "api.authentication.PersonAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}

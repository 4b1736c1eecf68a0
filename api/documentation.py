"""The description of the REST interface: OpenAPI 3.1 for programs, a page for people.

The page is rendered here from the same document, without scripts and without any outside host.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from api.base import PublicCall
from api.openapi import add_components
from api.permissions import SCOPES

METHODS = ("get", "post", "patch", "delete")


@cache
def document() -> bytes:
    """The OpenAPI document as UTF-8 JSON. It depends on nothing but the code."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return json.dumps(add_components(schema), ensure_ascii=False).encode()


class Schema(PublicCall):
    schema = None

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(document(), content_type="application/json")


class Pages(PublicCall):
    schema = None
    content_security_policy = ""  # a page has the pages' policy

    def get(self, request: Request) -> HttpResponse:
        django_request: HttpRequest = request._request
        return render(django_request, "api/docs.html", page())


@cache
def page() -> dict[str, Any]:
    """What the page shows: calls by their first word, and the forms that they speak."""
    schema = msgspec.json.decode(document())
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, item in schema["paths"].items():
        for method in METHODS:
            if method in item:
                call = item[method]
                sections.setdefault(call["tags"][0], []).append(_call(method, path, call))
    forms = [
        {"name": name, "json": json.dumps(form, indent=2)}
        for name, form in schema["components"]["schemas"].items()
    ]
    return {"sections": sections, "forms": forms, "scopes": SCOPES}


def marked(text: str) -> SafeString:
    """Escaped HTML in which what stands between backticks is code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", p) if n % 2 else p,) for n, p in parts)
    )


def _call(method: str, path: str, call: Mapping[str, Any]) -> dict[str, Any]:
    bodies = call.get("requestBody", {}).get("content", {})
    return {
        "id": call["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": call["summary"],
        "text": marked(call["description"]),
        "public": call.get("security") in ([], [{}]),
        "parameters": [_parameter(parameter) for parameter in call.get("parameters", [])],
        "body_types": list(bodies),
        "body_examples": list(_examples(bodies.values())),
        "body_forms": _forms(bodies.values()),
        "answers": [_answer(status, answer) for status, answer in sorted(call["responses"].items())],
    }


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    schema = parameter["schema"]
    one = schema.get("items", schema)
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "required": parameter.get("required", False),
        "text": marked(parameter.get("description", "")),
        "options": one.get("enum", []),
        "repeated": schema.get("type") == "array",
    }


def _answer(status: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    content = answer.get("content", {})
    return {
        "status": status,
        "text": marked(answer.get("description", "")),
        "types": list(content),
        "forms": _forms(content.values()),
        "examples": list(_examples(content.values())),
    }


def _forms(contents: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the components that a body or answer refers to."""
    for content in contents:
        schema = content.get("schema", {})
        references = [form.get("$ref", "") for form in schema.get("anyOf", [schema])]
        return [reference.rpartition("/")[2] for reference in references if reference]
    return []


def _examples(contents: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for content in contents:
        for example in content.get("examples", {}).values():
            yield json.dumps(example["value"], indent=2, ensure_ascii=False)

"""/api/schema and /api/docs: valid, whole, and without anything from outside."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from django.test import Client

from api.attestations import EnvelopeForm
from api.openapi import ERRORS, EXAMPLE_TYPES, EXAMPLES
from api.urls import calls
from tests.conftest import problem

METHODS = ("get", "post", "patch", "delete")
SIGNED = "/api/v1/interop/mlflow/"
"""Below it no token is needed: webhooks are signed in a way of their own."""


@pytest.fixture
def schema(client: Client) -> dict[str, Any]:
    answer = client.get("/api/schema")
    assert answer["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, item[m]) for p, item in schema["paths"].items() for m in METHODS if m in item]


def test_it_is_valid_openapi(schema: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert schema["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(schema).validate()


def test_every_call_is_in_it(schema: dict[str, Any]) -> None:
    addresses = {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/api/v1/{call.pattern}") for call in calls}
    assert addresses <= set(schema["paths"])
    assert {"/log/checkpoint", "/log/tile/{level}/{place}", "/health/ready", "/metrics"} <= set(
        schema["paths"]
    )
    for path, item in schema["paths"].items():
        assert set(item) <= set(METHODS), path


def test_every_call_is_described(schema: dict[str, Any]) -> None:
    for path, method, call in operations(schema):
        assert call["summary"], (path, method)
        assert call["description"], (path, method)
        for parameter in call.get("parameters", []):
            assert parameter.get("description"), (path, parameter["name"])
        for status, answer in call["responses"].items():
            assert answer["description"], (path, status)
            for content in answer["content"].values():
                if int(status) >= 400 and not path.startswith("/health"):
                    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
                    assert content["examples"], (path, status)


def test_calls_with_a_key_say_so(schema: dict[str, Any]) -> None:
    for path, _, call in operations(schema):
        if path.startswith("/api/v1/") and not path.startswith(SIGNED):
            assert {"token": []} in call["security"]
            assert {"401", "403", "406"} <= set(call["responses"])
        else:
            assert call.get("security", []) in ([], [{}]), path


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_of_the_type_of_its_call(name: str) -> None:
    kind = EXAMPLE_TYPES[name] or EnvelopeForm
    decoded = msgspec.json.decode(msgspec.json.encode(EXAMPLES[name]), type=kind)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == EXAMPLES[name]


def test_every_call_has_an_example(schema: dict[str, Any]) -> None:
    without = {
        call["operationId"]
        for _, _, call in operations(schema)
        if not any("examples" in content for content in first_answer(call)["content"].values())
    }
    # Text, bytes, and answers that are one or two words.
    assert without == {
        "attestations_proof", "health_live", "log_checkpoint", "log_entry_bundle", "log_hash_tile", "metrics",
        "nodes_checks",
    }  # fmt: skip


def first_answer(call: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, dict[str, Any]] = call["responses"]
    return next(answers[code] for code in ("201", "200", "202") if code in answers)


def test_every_problem_of_the_contract_is_told() -> None:
    assert {slug: error.status for slug, error in ERRORS.items()} == {
        "malformed": 400,
        "unauthenticated": 401,
        "forbidden": 403,
        "not-found": 404,
        "redacted": 410,
        "method-not-allowed": 405,
        "not-acceptable": 406,
        "conflict": 409,
        "too-large": 413,
        "unsupported-media-type": 415,
        "signature-refuted": 422,
        "signer-unknown": 422,
        "key-not-valid": 422,
        "not-allowed": 422,
        "rate-limited": 429,
        "unavailable": 503,
        "rolled-back": 503,
    }


def test_the_page_needs_nothing_from_outside(client: Client, transactional_db: None) -> None:
    answer = client.get("/api/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "POST /api/v1/attestations" in page
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert re.findall(r"<script(?! src)|<style| style=| on\w+=", page) == []


def test_every_link_in_the_page_leads_somewhere(client: Client, transactional_db: None) -> None:
    page = client.get("/api/docs").content.decode()
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
def test_other_methods(client: Client, path: str) -> None:
    assert problem(client.post(path)) == (405, "method-not-allowed")

"""Who may call what: every address of /api/v1/ with every way in which a caller can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from api import base
from api.permissions import SCOPES
from api.urls import calls
from lineage.db.models import ApiToken
from lineage.services import tokens
from tests import factories
from tests.conftest import Api, problem

ID = "ab" * 32
CALLS = [
    ("attestations", "POST", "attestations", "attest"),
    ("attestations", "GET", "attestations", "read"),
    ("openlineage-event", "POST", "lineage", "attest"),
    ("openlineage-batch", "POST", "lineage/batch", "attest"),
    ("attestation", "GET", f"attestations/sha256:{ID}", "read"),
    ("envelope", "GET", f"attestations/sha256:{ID}/envelope", "read"),
    ("proof", "GET", f"attestations/sha256:{ID}/proof", "read"),
    ("nodes", "GET", "nodes", "read"),
    ("node", "GET", f"nodes/sha256:{ID}", "read"),
    ("ancestors", "GET", f"nodes/sha256:{ID}/ancestors", "read"),
    ("descendants", "GET", f"nodes/sha256:{ID}/descendants", "read"),
    ("impact", "GET", f"nodes/sha256:{ID}/impact", "read"),
    ("common-ancestors", "GET", f"nodes/sha256:{ID}/common-ancestors?with=sha256:00", "read"),
    ("difference", "GET", f"difference?from=sha256:{ID}&to=sha256:{ID}", "read"),
    ("checks", "GET", f"nodes/sha256:{ID}/checks", "read"),
    ("gate", "GET", f"nodes/sha256:{ID}/gate", "read"),
    ("completeness", "GET", f"nodes/sha256:{ID}/completeness", "read"),
    ("node-export", "GET", f"nodes/sha256:{ID}/export", "read"),
    ("observations", "GET", f"nodes/sha256:{ID}/observations", "read"),
    ("checks", "POST", f"nodes/sha256:{ID}/checks", "check"),
    ("job", "GET", "jobs/1", "read"),
    ("paths", "GET", "paths", "read"),
    ("changes", "GET", "changes", "read"),
    ("cypher", "POST", "graph/cypher", "operate"),
    ("decisions", "GET", "decisions", "read"),
    ("forgetting", "GET", "forgetting", "read"),
    ("incidents", "GET", "incidents", "read"),
    ("incident", "GET", f"incidents/sha256:{ID}", "read"),
    ("tainted", "GET", "tainted", "read"),
    ("decisions", "POST", "decisions", "decide"),
    ("proposals", "GET", "proposals", "read"),
    ("proposal", "GET", "proposals/1", "read"),
    ("proposal-approve", "POST", "proposals/1/approve", "decide"),
    ("proposal-reject", "POST", "proposals/1/reject", "read"),
    ("keys", "GET", "keys", "read"),
    ("keys", "POST", "keys", "operate"),
    ("key", "GET", f"keys/{ID}", "read"),
    ("revoke", "POST", f"keys/{ID}/revoke", "operate"),
    ("rotate", "POST", f"keys/{ID}/rotate", "operate"),
    ("identities", "POST", "identities", "operate"),
    ("roots", "GET", "roots", "read"),
    ("roots", "POST", "roots", "operate"),
    ("revoke-root", "POST", f"roots/{ID}/revoke", "operate"),
    ("layouts", "GET", "layouts", "read"),
    ("layouts", "POST", "layouts", "operate"),
    ("layout", "GET", f"layouts/{ID}", "read"),
    ("layout-withdraw", "POST", f"layouts/{ID}/withdraw", "operate"),
    ("layout-verify", "GET", f"layouts/{ID}/verify", "read"),
    ("layout-verify", "POST", f"layouts/{ID}/verify", "operate"),
    ("refusals", "GET", "refusals", "operate"),
    ("sources", "GET", "sources", "read"),
    ("sources", "POST", "sources", "operate"),
    ("source", "GET", "sources/lab", "read"),
    ("source", "PATCH", "sources/lab", "operate"),
    ("source", "DELETE", "sources/lab", "operate"),
    ("source-check", "POST", "sources/lab/check", "operate"),
    ("source-sync", "POST", "sources/lab/sync", "operate"),
    ("subscriptions", "GET", "subscriptions", "decide"),
    ("subscriptions", "POST", "subscriptions", "decide"),
    ("subscription", "GET", "subscriptions/1", "decide"),
    ("subscription", "PATCH", "subscriptions/1", "decide"),
    ("subscription", "DELETE", "subscriptions/1", "decide"),
    ("subscription-test", "POST", "subscriptions/1/test", "decide"),
    ("locations", "GET", "locations", "read"),
    ("locations", "POST", "locations", "operate"),
    ("location", "GET", "locations/models", "read"),
    ("location", "PATCH", "locations/models", "operate"),
    ("location", "DELETE", "locations/models", "operate"),
    ("location-check", "POST", "locations/models/check", "operate"),
    ("location-verify", "POST", "locations/models/verify", "check"),
]
SIGNED = {"mlflow-webhook"}
"""Addresses that need no token: what they take is signed in a way of its own."""
each_call = pytest.mark.parametrize(("name", "method", "path", "scope"), CALLS)


def send(client: Client, method: str, path: str) -> Any:
    return client.generic(method, f"/api/v1/{path}", b"{}", content_type="application/json")


def test_every_address_is_in_the_table() -> None:
    assert {getattr(call, "name", None) for call in calls} == {name for name, *_ in CALLS} | SIGNED


def test_every_scope_that_a_token_may_have_is_explained() -> None:
    assert set(SCOPES) == set(tokens.SCOPES)


def test_head_is_a_get_without_its_body(
    as_scope: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_methods", {})
    client = as_scope("read").http
    assert client.get("/api/schema").status_code == 200  # asks each view before it serves anybody
    answer = client.head("/api/v1/keys")
    assert (answer.status_code, answer.content) == (200, b"")
    assert problem(as_scope("attest").http.get("/api/v1/keys")) == (403, "forbidden")
    assert as_scope("attest").http.head("/api/v1/keys").status_code == 403


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PATCH", "TRACE", "DISPATCH", "SCHEMA"])
def test_methods_that_nothing_here_has(as_scope: Callable[..., Api], method: str) -> None:
    answer = as_scope("read").http.generic(method, "/api/v1/keys")
    assert problem(answer) == (405, "method-not-allowed")


@each_call
def test_without_a_token(log: None, name: str, method: str, path: str, scope: str) -> None:
    answer = send(Client(), method, path)
    assert problem(answer) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


@each_call
def test_with_every_scope_but_the_right_one(
    as_scope: Callable[..., Api], name: str, method: str, path: str, scope: str
) -> None:
    answer = send(as_scope(*(set(SCOPES) - {scope})).http, method, path)
    assert problem(answer) == (403, "forbidden")
    assert f"'{scope}'" in answer.json()["detail"]


@each_call
def test_with_the_right_scope_alone(
    as_scope: Callable[..., Api], name: str, method: str, path: str, scope: str
) -> None:
    assert send(as_scope(scope).http, method, path).status_code not in {401, 403, 405, 500}


@each_call
def test_a_method_that_there_is_not(
    as_scope: Callable[..., Api], name: str, method: str, path: str, scope: str
) -> None:
    answer = send(as_scope(*SCOPES).http, "PUT", path)
    assert problem(answer) == (405, "method-not-allowed")
    assert method in answer["Allow"]


@each_call
def test_an_answer_that_the_client_would_not_accept(
    as_scope: Callable[..., Api], name: str, method: str, path: str, scope: str
) -> None:
    client = as_scope(scope).http
    answer = client.generic(
        method, f"/api/v1/{path}", b"{}", "application/json", headers={"Accept": "text/html"}
    )
    assert problem(answer) == (406, "not-acceptable")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer lin_x",
        "Bearer lin_00000000_nothing",
        "Basic bGluOng=",
        "lin_1_2",
        "Bearer ü",
    ],
)
def test_a_header_that_is_no_token(log: None, header: str) -> None:
    answer = Client().get("/api/v1/nodes", HTTP_AUTHORIZATION=header)
    assert problem(answer) == (401, "unauthenticated")


def test_an_expired_token(log: None) -> None:
    secret = factories.token("read")
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert problem(Api(secret).get("/api/v1/nodes")) == (401, "unauthenticated")


def test_a_token_that_expires_while_it_is_remembered(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = tokens.create(
        "short", ["read"], expires_at=timezone.now() + timedelta(hours=1), by="os:tests"
    )
    assert Api(secret).get("/api/v1/nodes").status_code == 200
    monkeypatch.setattr(timezone, "now", lambda: datetime.max.replace(tzinfo=UTC))
    assert problem(Api(secret).get("/api/v1/nodes")) == (401, "unauthenticated")


def test_a_revoked_token(log: None) -> None:
    token, secret = tokens.create("leaked", ["read"], expires_at=None, by="os:tests")
    assert Api(secret).get("/api/v1/nodes").status_code == 200
    tokens.revoke(token.prefix)
    assert problem(Api(secret).get("/api/v1/nodes")) == (401, "unauthenticated")


def test_the_token_costs_no_query_once_it_is_known(
    log: None, django_assert_num_queries: Callable[[int], Any]
) -> None:
    secret = factories.token("read")
    tokens.authenticate(secret)
    with django_assert_num_queries(0):
        tokens.authenticate(secret)


@pytest.mark.parametrize(
    ("role", "may_operate"), [("auditor", False), ("officer", False), ("operator", True)]
)
def test_people_read_with_their_session(log: None, role: str, may_operate: bool) -> None:
    client = Client()
    client.force_login(factories.user(role))
    assert client.get("/api/v1/keys").status_code == 200
    assert client.get("/api/v1/refusals").status_code == (200 if may_operate else 403)


def test_people_do_not_attest(log: None) -> None:
    client = Client()
    client.force_login(factories.user("operator"))
    answer = client.post("/api/v1/attestations", b"{}", content_type="application/json")
    assert problem(answer) == (403, "forbidden")


def test_a_session_writes_only_with_its_csrf_token(log: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("operator"))
    form = {
        "name": "ci",
        "public_key": factories.signer().private.public.pem().decode(),
        "scopes": {"any": True},
    }
    answer = client.post("/api/v1/keys", form, content_type="application/json")
    assert problem(answer) == (403, "forbidden")
    assert "CSRF" in answer.json()["detail"]
    client.cookies["csrftoken"] = "c" * 32
    headers = {"X-CSRFToken": "c" * 32}
    answer = client.post("/api/v1/keys", form, content_type="application/json", headers=headers)
    assert answer.status_code == 201, answer.content


def test_a_person_who_was_shut_out(log: None) -> None:
    person = factories.user("auditor")
    client = Client()
    client.force_login(person)
    person.is_active = False
    person.save()
    assert problem(client.get("/api/v1/keys")) == (401, "unauthenticated")

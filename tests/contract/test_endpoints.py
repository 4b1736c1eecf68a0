"""Every endpoint with everybody who may be wrong about it, held to the table in `endpoints`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from api.body import MAX_JSON_BYTES
from api.permissions import SCOPES
from lineage.config import current
from lineage.services.openlineage import MAX_BATCH_BYTES
from tests import factories
from tests.contract import endpoints, things
from tests.contract.endpoints import CALLS, PAGES, Endpoint

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "endpoints.md"
ROWS = (*CALLS, *PAGES)
UNSAFE = {"POST", "PATCH", "PUT", "DELETE"}
ROLES = ("auditor", "officer", "operator")
SCOPE_ROLE = {"read": "auditor", "check": "officer", "decide": "officer", "operate": "operator"}
ABSENT = {
    "account_signup", "account_reset_password", "account_set_password", "socialaccount_signup",
    "socialaccount_login_cancelled", "socialaccount_connections",
}  # fmt: skip
"""Names that allauth resolves while it renders its forms; they answer 404 to everybody."""

WITHOUT_MORE = {
    "POST /api/v1/interop/mlflow/{source}": 401,  # without its signature
    "GET /sources/{source}/models/?name=m": 404,  # there is no server behind the source
    "GET /sources/{source}/models/m": 404,
    "GET /artifacts/{node}/checking": 404,  # nothing is being checked
    "POST /api/v1/proposals/{proposal}/approve": 403,  # a program approves nothing
    "POST /api/v1/proposals/{proposal}/reject": 403,
    "GET /accounts/2fa/authenticate/": 302,  # nobody is on the way in
    "GET /accounts/2fa/webauthn/login/": 302,
    "GET /accounts/2fa/totp/qr/": 404,  # no second factor is being set up
    "POST /accounts/2fa/totp/deactivate/": 404,
    "GET /accounts/2fa/recovery-codes/": 404,
    "GET /accounts/2fa/recovery-codes/download/": 404,
    "GET /accounts/sso/login/": 404,  # no sign-in service is configured
    "GET /accounts/sso/callback/": 404,
    "GET /accounts/logout/": 302,  # nobody is signed in
    "POST /accounts/logout/": 302,
}
"""What refuses even the right caller, and why."""


@pytest.fixture(autouse=True)
def unlimited() -> None:
    """Hundreds of wrong calls from one address are what this is about."""
    cache.clear()


@pytest.fixture
def names(graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("lineage.services.rate_limits.take", lambda *_: None)
    return things.made(graph)


def patterns(found: list[URLPattern | URLResolver], space: str = "") -> Iterator[str]:
    for each in found:
        if isinstance(each, URLResolver):
            inner = f"{each.namespace}:" if each.namespace else space
            yield from patterns(each.url_patterns, inner)
        elif each.name is not None:
            yield space + each.name


def send(client: Client, row: Endpoint, address: str, *, method: str = "", body: Any = None) -> int:
    """The status, after the answer was read to its end. Calls get JSON, pages a form."""
    verb = method or row.method
    sent = json.dumps(things.BODIES.get((row.name, row.method), {}) if body is None else body)
    if row.name.startswith("api:"):
        answer = client.generic(verb, address, sent, content_type="application/json")
    elif verb == "POST":
        answer = client.post(address, things.FORMS.get(row.name, {}) if body is None else body)
    else:
        answer = client.generic(verb, address)
    if answer.status_code == 302:
        return 302 if answer["Location"].startswith("/accounts/login/") else 303
    return int(answer.status_code)


def program(*scopes: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {factories.token(*scopes)}"})


def person(role: str, **options: Any) -> Client:
    client = Client(raise_request_exception=False, **options)
    client.force_login(factories.user(role), "allauth.account.auth_backends.AuthenticationBackend")
    return client


def right(row: Endpoint) -> Client:
    """Somebody who may just this."""
    if row.needs in {"anybody", "signed"}:
        return Client(raise_request_exception=False)
    return person(row.needs) if row.is_page else program(row.needs)


def different(
    rows: tuple[Endpoint, ...], ask: Callable[[Endpoint], int], wanted: Callable[[Endpoint], int]
) -> dict[str, tuple[int, int]]:
    """Where an answer is not that of the table: the status found and the one wanted."""
    assert rows
    found = {f"{row.method} {row.path}": (ask(row), wanted(row)) for row in rows}
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def test_every_address_has_a_row() -> None:
    addresses = set(patterns(get_resolver().url_patterns))
    assert addresses - ABSENT == {row.name for row in ROWS}


def test_the_document_is_the_table() -> None:
    hint = "write it again: python -m tests.contract.endpoints > docs/endpoints.md"
    assert DOCUMENT.read_text() == endpoints.table(), hint


def test_nobody(names: dict[str, str]) -> None:
    rows = tuple(row for row in ROWS if endpoints.nobody(row))
    client = Client(raise_request_exception=False)
    assert different(rows, lambda row: send(client, row, things.filled(row, names)), endpoints.nobody) == {}


def test_who_may(names: dict[str, str]) -> None:
    """The other side: that the same address answers the right one, so that the refusals mean something."""
    refused = {302, 401, 403, 404, 405, 413}
    ordered = sorted(ROWS, key=lambda row: row.method == "DELETE")
    found = {f"{row.method} {row.path}": send(right(row), row, things.filled(row, names)) for row in ordered}
    told = {name: status for name, status in found.items() if status in refused or status > 499}
    assert told == WITHOUT_MORE | {f"{row.method} {row.path}": row.other for row in ROWS if row.other}


def test_the_wrong_scope(names: dict[str, str]) -> None:
    rows = tuple(row for row in CALLS if endpoints.wrong(row))
    others = {scope: program(*(set(SCOPES) - {scope})) for scope in SCOPES}
    assert (
        different(rows, lambda row: send(others[row.needs], row, things.filled(row, names)), endpoints.wrong)
        == {}
    )


def test_the_wrong_role(names: dict[str, str]) -> None:
    rows = tuple(
        row for row in ROWS if endpoints.wrong(row) and SCOPE_ROLE.get(row.needs, row.needs) in ROLES[1:]
    )
    people = {role: person(role) for role in ROLES}

    def ask(row: Endpoint) -> int:
        role = SCOPE_ROLE.get(row.needs, row.needs)
        return send(people[ROLES[ROLES.index(role) - 1]], row, things.filled(row, names))

    assert len(rows) > 50
    assert different(rows, ask, endpoints.wrong) == {}


def test_people_do_not_attest(names: dict[str, str]) -> None:
    rows = tuple(row for row in CALLS if row.needs == "attest")
    assert different(rows, lambda row: send(person("operator"), row, row.path), lambda _: 403) == {}


def test_a_method_that_there_is_not(names: dict[str, str]) -> None:
    has: dict[str, set[str]] = {}
    for row in ROWS:
        has.setdefault(row.name, set()).add(row.method)
    tried = tuple(
        replace(row, method=method)
        for row in ROWS
        if not row.name.startswith(
            ("account_", "mfa_", "sso_")
        )  # another program's pages: what they take they take as a form
        for method in sorted({"GET", *UNSAFE} - has[row.name])
    )
    operator, key = person("operator"), program(*SCOPES)

    def ask(row: Endpoint) -> int:
        return send(operator if row.is_page else key, row, things.filled(row, names))

    assert different(tried, ask, lambda _: 405) == {}


def test_a_session_without_its_csrf_token(names: dict[str, str]) -> None:
    rows = tuple(
        row
        for row in ROWS
        if row.method in UNSAFE and row.needs not in {"signed"} and row.name != "api:mlflow-webhook"
    )
    client = person("operator", enforce_csrf_checks=True)
    assert different(rows, lambda row: send(client, row, things.filled(row, names)), lambda _: 403) == {}


def test_what_is_not_there(names: dict[str, str]) -> None:
    rows = tuple(row for row in ROWS if row.missing)
    assert {row for row in ROWS if "{" in row.path} == set(rows)
    assert (
        different(
            rows,
            lambda row: send(right(row), row, things.filled(row, things.MISSING)),
            lambda row: row.missing,
        )
        == {}
    )


def test_names_that_can_be_none(names: dict[str, str]) -> None:
    rows = tuple(row for row in ROWS if row.malformed)
    assert {row for row in ROWS if "{" in row.path} == set(rows)
    assert (
        different(
            rows,
            lambda row: send(right(row), row, things.filled(row, things.MALFORMED)),
            lambda row: row.malformed,
        )
        == {}
    )


def test_bodies_that_are_too_large(names: dict[str, str]) -> None:
    rows = tuple(row for row in ROWS if row.oversize)

    def ask(row: Endpoint) -> int:
        if row.name == "api:openlineage-batch":
            size = MAX_BATCH_BYTES
        elif row.needs == "attest" or row.name.startswith("api:archivista"):
            size = current().max_envelope_bytes
        else:
            size = MAX_JSON_BYTES if row.name.startswith("api:") else 16 << 20
        return send(right(row), row, things.filled(row, names), body={"pad": "x" * size})

    assert different(rows, ask, lambda row: row.oversize) == {}

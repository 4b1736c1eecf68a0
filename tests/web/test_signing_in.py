"""Who gets in, and how far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests import factories
from tests.web.conftest import PASSWORD

PAGES = (
    "/",
    "/models",
    "/datasets",
    "/runs",
    "/hardware",
    "/attestations",
    "/keys",
    "/log",
    "/sources",
    "/sources/_new",
    "/search",
    "/refusals",
    "/tokens",
    "/graph/cypher",
)
OPERATORS_ONLY = ("/sources/_new", "/refusals", "/graph/cypher")


def sign_in(client: Client, email: str, password: str, **fields: str) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password, **fields})


def test_a_page_sends_strangers_to_the_sign_in_page_and_back(client: Client, log: None) -> None:
    for path in PAGES:
        answer = client.get(path + "?as_of=1")
        assert answer.status_code == 302
        assert answer["Location"] == f"/accounts/login/?next={path}%3Fas_of%3D1"


def test_an_e_mail_address_and_password_let_somebody_in(client: Client, log: None) -> None:
    person = factories.user("auditor", PASSWORD)
    answer = sign_in(client, person.email.upper(), PASSWORD, next="/keys")
    assert (answer.status_code, answer["Location"]) == (302, "/keys")
    page = client.get("/keys").content.decode()
    assert person.email in page
    assert "Successfully signed in" not in page


def test_the_form_never_sends_to_another_host(client: Client, log: None) -> None:
    person = factories.user("auditor", PASSWORD)
    assert sign_in(client, person.email, PASSWORD, next="https://evil.example/")["Location"] == "/"


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " "])
def test_a_wrong_password_lets_nobody_in(client: Client, log: None, password: str) -> None:
    person = factories.user("operator", PASSWORD)
    answer = sign_in(client, person.email, password)
    assert answer.status_code == 200
    assert 'class="error"' in answer.content.decode() or 'role="alert"' in answer.content.decode()
    assert client.get("/").status_code == 302


def test_an_inactive_person_is_kept_out(client: Client, log: None) -> None:
    person = factories.user("operator", PASSWORD)
    person.is_active = False
    person.save()
    answer = sign_in(client, person.email, PASSWORD)
    assert client.get("/").status_code == 302
    if answer.status_code == 302:
        assert "inactive" in client.get(answer["Location"]).content.decode()


def test_guessing_is_slowed_down_for_one_address_and_not_for_others(client: Client, log: None) -> None:
    person, other = factories.user("auditor", PASSWORD), factories.user("auditor", PASSWORD)
    for _ in range(5):
        sign_in(client, person.email, "wrong")
    assert "Too many failed" in sign_in(client, person.email, PASSWORD).content.decode()
    assert sign_in(Client(), other.email, PASSWORD).status_code == 302


def test_many_attempts_from_one_place_get_a_page_that_says_so(client: Client, log: None) -> None:
    answers = [sign_in(client, f"nobody-{number}@example.com", "wrong") for number in range(31)]
    assert answers[-1].status_code == 429
    assert "Too many attempts" in answers[-1].content.decode()


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/password/reset/", "/accounts/email/"])
def test_nobody_signs_up_or_resets_by_themselves(client: Client, log: None, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post(path, {"email": "a@example.com", "password1": PASSWORD}).status_code == 404


def test_signing_out_takes_a_post(auditor: Client) -> None:
    assert "Sign out?" in auditor.get("/accounts/logout/").content.decode()
    assert auditor.get("/keys").status_code == 200
    answer = auditor.post("/accounts/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert auditor.get("/keys").status_code == 302


def test_a_person_changes_their_own_password(client: Client, log: None) -> None:
    person = factories.user("auditor", PASSWORD)
    sign_in(client, person.email, PASSWORD)
    new = "another long passphrase"
    page = client.get("/accounts/password/change/")
    assert page.status_code == 200
    assert b"Forgot" not in page.content  # an operator makes accounts, and nobody can ask for a reset
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert sign_in(Client(), person.email, PASSWORD).status_code == 200
    assert sign_in(Client(), person.email, new).status_code == 302


@pytest.mark.parametrize("role", ["auditor", "officer", "operator"])
def test_roles_open_what_they_should(person: Callable[[str], Client], role: str) -> None:
    client = person(role)
    for path in PAGES:
        answer = client.get(path)
        refused = path in OPERATORS_ONLY and role != "operator"
        assert (path, answer.status_code) == (path, 403 if refused else 200)
        assert ("This page is for operators." in answer.content.decode()) == refused


def test_only_operators_see_links_to_their_pages(person: Callable[[str], Client]) -> None:
    for role, seen in (("auditor", False), ("officer", False), ("operator", True)):
        page = person(role).get("/keys").content.decode()
        assert ('href="/tokens"' in page, 'href="/refusals"' in page) == (seen, seen)


@pytest.mark.parametrize("role", ["auditor", "officer"])
def test_nobody_else_makes_or_revokes_api_keys(person: Callable[[str], Client], role: str) -> None:
    from lineage.db.models import ApiToken

    client = person(role)
    assert client.post("/tokens", {"name": "mine", "scopes": ["operate"]}).status_code == 403
    assert client.post("/tokens/00000000/revoke").status_code == 403
    assert not ApiToken.objects.exists()

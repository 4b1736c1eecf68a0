"""Second factors from the first form to the last: an app, recovery codes, roles that need one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client

from lineage import config
from lineage.db.models import User
from tests import factories
from tests.web.conftest import PASSWORD
from tests.web.test_frame import POLICY, policy

SECRET = re.compile(r'id="authenticator_secret">([A-Z2-7]{32})<')
PAGES = ("/accounts/2fa/", "/accounts/2fa/webauthn/", "/accounts/2fa/authenticate/", "/accounts/login/")


def code(secret: str, steps: int = 0) -> str:
    """The code of now or of some steps later; there are seconds left to use it in."""
    left = 30 - time.time() % 30
    if left < 5:
        time.sleep(left)
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def wrong(secret: str) -> str:
    """A code that is none of now, nor of the next steps."""
    near = {code(secret, steps) for steps in range(-3, 4)}
    return next(text for text in ("000000", "111111", "222222", "333333") if text not in near)


def give_password(client: Client, person: User) -> Any:
    return client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})


@pytest.fixture
def anna(log: None) -> User:
    return factories.user("operator", PASSWORD)  # type: ignore[no-any-return]


@pytest.fixture
def secret(client: Client, anna: User) -> str:
    """Of the app that Anna sets up, through the forms; `client` is signed in as her."""
    give_password(client, anna)
    assert "/accounts/reauthenticate/" in client.get("/accounts/2fa/totp/activate/")["Location"]
    again = client.post(
        "/accounts/reauthenticate/", {"password": PASSWORD, "next": "/accounts/2fa/totp/activate/"}
    )
    assert again["Location"] == "/accounts/2fa/totp/activate/"
    found = SECRET.search(client.get("/accounts/2fa/totp/activate/").content.decode())
    assert found
    assert "Incorrect code" in activate(client, wrong(found[1])).content.decode()
    assert activate(client, code(found[1])).status_code == 302
    cache.clear()  # a code is used once: the tests are faster than the clock
    return found[1]


def activate(client: Client, text: str) -> Any:
    return client.post("/accounts/2fa/totp/activate/", {"code": text})


def test_signing_in_needs_the_apps_code(secret: str, anna: User) -> None:
    browser = Client()
    answer = give_password(browser, anna)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert browser.get("/keys").status_code == 302  # not in yet
    page = browser.get("/accounts/2fa/authenticate/")
    assert "Your second factor" in page.content.decode()
    answer = browser.post("/accounts/2fa/authenticate/", {"code": wrong(secret)})
    assert "Incorrect code" in answer.content.decode()
    assert browser.get("/keys").status_code == 302
    answer = browser.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert browser.get("/keys").status_code == 200


def test_a_code_is_used_once(secret: str, anna: User) -> None:
    used = code(secret)
    for expected in (302, 200):
        browser = Client()
        give_password(browser, anna)
        assert browser.post("/accounts/2fa/authenticate/", {"code": used}).status_code == expected


def test_guessing_codes_is_slowed_down(secret: str, anna: User) -> None:
    browser = Client()
    give_password(browser, anna)
    for _ in range(6):
        answer = browser.post("/accounts/2fa/authenticate/", {"code": wrong(secret)})
    assert "Too many failed" in answer.content.decode()
    browser.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert browser.get("/keys").status_code == 302


def test_the_second_page_is_nothing_without_the_first(log: None, client: Client) -> None:
    assert client.get("/accounts/2fa/authenticate/")["Location"].startswith("/accounts/login/")
    assert client.post("/accounts/2fa/authenticate/", {"code": "123456"}).status_code == 302


def test_a_recovery_code_signs_in_once(secret: str, client: Client, anna: User) -> None:
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    codes = re.findall(r"^(?:.*recovery_codes\">)?([0-9a-f]{8})$", page, re.M)
    assert len(codes) == 10
    for expected in ("/", None):
        browser = Client()
        give_password(browser, anna)
        answer = browser.post("/accounts/2fa/authenticate/", {"code": codes[3]})
        assert answer.headers.get("Location") == expected
    assert "9 of 10" in client.get("/accounts/2fa/").content.decode()
    assert codes[4] in client.get("/accounts/2fa/recovery-codes/download/").content.decode()
    client.post("/accounts/2fa/recovery-codes/generate/")
    browser = Client()
    give_password(browser, anna)
    assert "Location" not in browser.post("/accounts/2fa/authenticate/", {"code": codes[5]})


def test_secrets_are_encrypted_where_the_database_keeps_them(secret: str, anna: User) -> None:
    app = Authenticator.objects.get(user=anna, type="totp")
    assert secret not in repr(app.data)
    assert app.data["secret"].startswith("gAAAA")
    assert Authenticator.objects.get(user=anna, type="recovery_codes").data["seed"].startswith("gAAAA")


def test_the_app_is_removed_only_after_the_password(secret: str, anna: User) -> None:
    browser = Client()
    give_password(browser, anna)
    browser.post("/accounts/2fa/authenticate/", {"code": code(secret)})
    assert "reauthenticate" in browser.post("/accounts/2fa/totp/deactivate/")["Location"]
    assert Authenticator.objects.filter(type="totp").exists()


def test_the_app_is_removed(secret: str, client: Client, anna: User) -> None:
    assert "Remove the authenticator app?" in client.get("/accounts/2fa/totp/deactivate/").content.decode()
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.filter(type="totp").exists()
    assert give_password(Client(), anna)["Location"] == "/"


def test_the_picture_of_the_secret_is_for_who_sets_it_up(client: Client, anna: User) -> None:
    assert client.get("/accounts/2fa/totp/qr/").status_code == 404
    give_password(client, anna)
    assert client.get("/accounts/2fa/totp/qr/").status_code == 404
    client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/"})
    client.get("/accounts/2fa/totp/activate/")
    picture = client.get("/accounts/2fa/totp/qr/")
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/svg+xml")
    assert "no-store" in picture["Cache-Control"]
    assert b"<svg" in picture.content
    assert b'fill="white"' in picture.content  # on a dark page too


def test_nobody_confirms_with_a_wrong_password(client: Client, anna: User) -> None:
    give_password(client, anna)
    form = {"password": "wrong", "next": "/accounts/2fa/totp/activate/"}
    answer = client.post("/accounts/reauthenticate/", form)
    assert answer.status_code == 200
    assert "reauthenticate" in client.get("/accounts/2fa/totp/activate/")["Location"]


def test_nobody_is_sent_to_another_site_after_confirming(client: Client, anna: User) -> None:
    give_password(client, anna)
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "https://evil.example/"})
    assert not answer["Location"].startswith("https:")


def test_others_keys_are_not_touched(secret: str, client: Client) -> None:
    other = factories.user("operator", PASSWORD)
    theirs = Authenticator.objects.create(user=other, type="webauthn", data={"name": "x", "credential": {}})
    for act in ("edit", "remove"):
        answer = client.post(f"/accounts/2fa/webauthn/keys/{theirs.pk}/{act}/", {"name": "y"})
        assert answer.status_code == 404
    assert Authenticator.objects.get(pk=theirs.pk).data["name"] == "x"


@pytest.mark.parametrize(
    "body",
    ["", "{}", "[]", "null", '{"id": 1}', "x" * 9_999, '{"response": {}}', "[" * 9_999],
    ids=lambda body: body[:12],
)
def test_a_credential_that_is_none_lets_nobody_in(log: None, client: Client, body: str) -> None:
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    answer = client.post("/accounts/2fa/webauthn/login/", {"credential": body})
    assert answer.status_code == 302
    assert client.get("/keys").status_code == 302


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """Officers and operators need a second factor."""
    settings = config.current()
    changed = replace(settings, people=replace(settings.people, mfa_role="officer"))
    monkeypatch.setattr("lineage.services.second_factors.current", lambda: changed)


def test_a_role_that_needs_one_sets_it_up_first(required: None, person: Callable[[str], Client]) -> None:
    for role in ("officer", "operator"):
        client = person(role)
        assert client.get("/keys")["Location"] == "/accounts/2fa/"
        page = client.get("/accounts/2fa/").content.decode()
        assert "Your role needs a second factor" in page
        answer = client.get("/api/v1/keys")
        assert answer.status_code == 403
        assert "second factor" in answer.json()["detail"]
    assert person("auditor").get("/keys").status_code == 200


def test_with_one_the_pages_open(required: None, secret: str, client: Client) -> None:
    assert client.get("/keys").status_code == 200
    assert client.get("/api/v1/keys").status_code == 200


def test_who_comes_from_the_sign_in_service_needs_none_here(
    required: None, person: Callable[[str], Client]
) -> None:
    client = person("operator")
    session = client.session
    user = User.objects.get()
    session["account_authentication_methods"] = [{"method": "socialaccount", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    assert client.get("/keys").status_code == 200


def test_the_policy_holds_on_all_of_these_pages(secret: str, client: Client) -> None:
    for path in PAGES:
        answer = client.get(path, follow=True)
        assert policy(answer["Content-Security-Policy"]) == POLICY
        page = answer.content.decode()
        scripts = re.findall(r"<script[^>]*>", page)
        assert all("src=" in script or 'type="application/json"' in script for script in scripts), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), path

"""Passkeys and security keys in a real Chromium with a virtual authenticator, under the pages' own policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from tests import factories
from tests.web.conftest import PASSWORD, sign_in_by_form

pytestmark = pytest.mark.service


@pytest.fixture
def authenticator(watched: Any) -> Iterator[Any]:
    """A browser session that speaks for the authenticator: present, and unlocked by its owner."""
    session = watched.context.new_cdp_session(watched)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    assert added["authenticatorId"]
    yield session
    session.send("WebAuthn.disable")  # forgets the authenticator: the next test of this page has its own
    session.detach()


def confirm(page: Any) -> None:
    if "/reauthenticate/" in page.url:
        page.fill("#password", PASSWORD)
        page.click("button:has-text('Confirm')")


def add_key(page: Any, url: str, name: str, *, passkey: bool) -> None:
    page.goto(f"{url}/accounts/2fa/webauthn/add/")
    confirm(page)
    page.fill("#id_name", name)
    if passkey:
        page.check("#id_passwordless")
    page.click("#mfa_webauthn_add")
    page.wait_for_url(f"{url}/accounts/2fa/**codes/")


def sign_out(page: Any, url: str) -> None:
    page.goto(f"{url}/accounts/logout/")
    page.click("main button")
    page.wait_for_url(f"{url}/accounts/login/")


def test_a_passkey_is_added_and_signs_in_without_a_password(
    log: None, watched: Any, authenticator: Any, live_server: Any
) -> None:
    url, person = live_server.url, factories.user("operator", PASSWORD)
    sign_in_by_form(watched, url, person.email)
    add_key(watched, url, "Laptop", passkey=True)
    key = Authenticator.objects.get(type="webauthn")
    assert key.user == person
    assert key.wrap().is_passwordless
    watched.goto(f"{url}/accounts/2fa/webauthn/")
    assert "Laptop" in watched.content()
    sign_out(watched, url)
    watched.click("#passkey_login")
    watched.wait_for_url(f"{url}/")
    assert person.email in watched.content()


def test_a_security_key_comes_after_the_password(
    log: None, watched: Any, authenticator: Any, live_server: Any
) -> None:
    url, person = live_server.url, factories.user("auditor", PASSWORD)
    sign_in_by_form(watched, url, person.email)
    add_key(watched, url, "Key ring", passkey=False)
    sign_out(watched, url)
    watched.fill("#login", person.email)
    watched.fill("#password", PASSWORD)
    watched.click("button:has-text('Sign in'):not(#passkey_login)")
    watched.wait_for_url(f"{url}/accounts/2fa/authenticate/")
    watched.click("#mfa_webauthn_authenticate")
    watched.wait_for_url(f"{url}/")
    assert person.email in watched.content()


def test_a_removed_passkey_opens_nothing(
    log: None, watched: Any, authenticator: Any, live_server: Any
) -> None:
    url, person = live_server.url, factories.user("auditor", PASSWORD)
    sign_in_by_form(watched, url, person.email)
    add_key(watched, url, "Laptop", passkey=True)
    watched.goto(f"{url}/accounts/2fa/webauthn/keys/{Authenticator.objects.get(type='webauthn').pk}/remove/")
    watched.click("button:has-text('Remove it')")
    watched.wait_for_url(f"{url}/accounts/2fa/webauthn/")
    sign_out(watched, url)
    watched.click("#passkey_login")
    watched.wait_for_selector("text=Incorrect code")
    assert watched.goto(f"{url}/keys").url.startswith(f"{url}/accounts/login/")


def test_a_forged_signature_opens_nothing(
    log: None, watched: Any, authenticator: Any, live_server: Any
) -> None:
    """The answer of a real authenticator, with one byte of its signature changed on the way."""
    url, person = live_server.url, factories.user("auditor", PASSWORD)
    sign_in_by_form(watched, url, person.email)
    add_key(watched, url, "Laptop", passkey=True)
    sign_out(watched, url)
    sent: list[int] = []

    def forge(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        form = dict(part.split("=", 1) for part in (route.request.post_data or "").split("&"))
        from urllib.parse import quote_plus, unquote_plus

        credential = json.loads(unquote_plus(form["credential"]))
        signature = credential["response"]["signature"]
        changed = "A" if signature[20] != "A" else "B"
        credential["response"]["signature"] = signature[:20] + changed + signature[21:]
        form["credential"] = quote_plus(json.dumps(credential))
        sent.append(1)
        route.continue_(post_data="&".join(f"{name}={value}" for name, value in form.items()))

    watched.route("**/accounts/2fa/webauthn/login/**", forge)
    watched.click("#passkey_login")
    watched.wait_for_selector("text=Incorrect code")
    assert sent == [1]
    assert watched.goto(f"{url}/keys").url.startswith(f"{url}/accounts/login/")

"""The page of subscriptions: for officers and operators; a secret is shown once, and failures say why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from lineage import config
from lineage.db.models import Subscription
from lineage.services import subscriptions
from tests import factories
from tests.hostile_http import answer, hostile
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in
from tests.webhooks import verified

HOOK = {"kind": "webhook", "target": "https://hooks.example.com/lineage"}


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LINEAGE_PRIVATE_NETWORKS", "127.0.0.0/8")
    config.current.cache_clear()
    yield
    config.current.cache_clear()


@pytest.fixture
def officer(person: Callable[[str], Client]) -> Client:
    return person("officer")


def page(client: Client) -> str:
    answered = client.get("/subscriptions")
    assert answered.status_code == 200
    return answered.content.decode()


def test_an_auditor_neither_sees_nor_changes_them(auditor: Client) -> None:
    assert auditor.get("/subscriptions").status_code == 403
    assert auditor.post("/subscriptions", HOOK).status_code == 403
    assert "/subscriptions" not in auditor.get("/").content.decode()


def test_without_any_it_says_what_they_are(officer: Client) -> None:
    shown = page(officer)
    assert "Nobody is told yet" in shown
    assert "LINEAGE_EMAIL_URL is not set" in shown


def test_a_webhooks_secret_is_shown_once(officer: Client) -> None:
    made = officer.post("/subscriptions", HOOK)
    assert made.status_code == 200
    assert made["Cache-Control"] == "no-store"
    found = re.search(r"whsec_[A-Za-z0-9+/=]{44}", made.content.decode())
    assert found is not None
    shown = page(officer)
    assert found[0] not in shown
    assert "hooks.example.com" in shown
    number = Subscription.objects.get().pk
    another = officer.post(f"/subscriptions/{number}/new-secret").content.decode()
    assert "whsec_" in another
    assert found[0] not in another


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "webhook", "target": "nonsense"}, "This is no URL"),
        ({"kind": "email", "target": "team@example.com"}, "no mail server is configured"),
        ({"kind": "webhook", "target": ""}, "This field is required"),
        ({"kind": "pigeon", "target": "x"}, "Select a valid choice"),
    ],
    ids=["url", "mail", "empty", "kind"],
)
def test_what_is_wrong_stands_beside_its_field(officer: Client, values: dict[str, str], says: str) -> None:
    answered = officer.post("/subscriptions", values)
    assert answered.status_code == 422
    assert says in answered.content.decode()
    assert not Subscription.objects.exists()


def test_the_buttons_do_what_they_say(officer: Client) -> None:
    number = subscriptions.add("webhook", HOOK["target"], by="os:tests")[0].id
    for act, says in (("pause", "paused"), ("resume", "told again"), ("remove", "removed")):
        answered = officer.post(f"/subscriptions/{number}/{act}", follow=True)
        assert f"Subscription {number} is {says}." in answered.content.decode()
    assert not Subscription.objects.exists()
    for act in ("pause", "test"):
        assert officer.post(f"/subscriptions/{number}/{act}").status_code == 404


def test_an_unknown_act_is_refused(officer: Client) -> None:
    number = subscriptions.add("webhook", HOOK["target"], by="os:tests")[0].id
    assert officer.post(f"/subscriptions/{number}/explode").status_code == 400
    assert officer.get(f"/subscriptions/{number}/pause").status_code == 405


def test_acts_need_their_csrf_token(log: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("officer"), "allauth.account.auth_backends.AuthenticationBackend")
    assert client.post("/subscriptions", HOOK).status_code == 403
    assert not Subscription.objects.exists()


def test_a_failing_one_says_why(officer: Client) -> None:
    number = subscriptions.add("webhook", HOOK["target"], by="os:tests")[0].id
    Subscription.objects.filter(pk=number).update(failures=3, error="The receiver answered 500.", tried_us=1)
    shown = page(officer)
    assert "Failing" in shown
    assert "The receiver answered 500. 3 times in a row." in shown


def test_a_target_is_never_markup(officer: Client) -> None:
    subscriptions.add("webhook", "https://hooks.example.com/a?x=&lt;b&gt;", by="<b>os:tests</b>")
    shown = page(officer)
    assert "<b>" not in shown


@pytest.mark.service
def test_in_a_browser_from_the_form_to_a_test_message_without_a_complaint_of_axe(
    log: None, page: Any, live_server: Any
) -> None:
    browser = page
    browser.set_viewport_size({"width": 1280, "height": 800})
    sign_in(browser, live_server.url, factories.user("officer", PASSWORD).email)
    browser.goto(f"{live_server.url}/")
    browser.click("nav summary")
    browser.click("nav >> text=Subscriptions")
    browser.wait_for_url(f"{live_server.url}/subscriptions")
    with hostile(answer(b"")) as server:
        browser.select_option("#id_kind", "webhook")
        browser.fill("#id_target", f"{server.url}/hook")
        browser.keyboard.press("Enter")
        browser.wait_for_selector("section[aria-label='Secret']")
        secret = browser.locator("section[aria-label='Secret'] code").inner_text()
        browser.get_by_role("button", name="Test subscription").click()
        browser.wait_for_selector("section[aria-label='Test']:has-text('was taken')")
        assert verified(server.requests[0], secret)["type"] == "lineage.test"
    browser.locator("summary", has_text="More").click()
    assert browser.evaluate("document.documentElement.scrollWidth") == 1280
    assert violations(browser) == []

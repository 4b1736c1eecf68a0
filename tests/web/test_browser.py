"""The pages in a real Chromium: both themes, axe, keyboard, no complaint, nothing from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import factories
from tests.web import installation
from tests.web.conftest import PASSWORD, sign_in
from tests.web.installation import Installation

pytestmark = pytest.mark.service

THEMES = ("light", "dark")
VIEWPORT = {"width": 1440, "height": 900}
NARROW = {"width": 1280, "height": 800}


@pytest.fixture
def signed_in(installed: Installation, watched: Any, live_server: Any) -> Any:
    """The browser, with an operator signed in to a filled installation that has a checkpoint."""
    from lineage.services import publish

    publish.publish_once()
    watched.set_viewport_size(VIEWPORT)
    sign_in(watched, live_server.url, factories.user("operator", PASSWORD).email)
    return watched


@pytest.fixture
def unbound(new_context: Callable[..., Any], live_server: Any) -> Iterator[Any]:
    """A page in which axe may inject itself. Only here is the policy off."""
    page = new_context(bypass_csp=True, viewport=VIEWPORT).new_page()
    yield page
    page.close()


def addresses(made: Installation) -> dict[str, int]:
    """Every kind of page and the status that it answers with."""
    return {
        "/": 200,
        "/?as_of=5": 200,
        "/?as_of=never": 400,
        "/models": 200,
        "/datasets": 200,
        "/datasets?q=nothing-like-this": 200,
        "/runs": 200,
        "/hardware": 200,
        "/attestations": 200,
        "/changes?from=0": 200,
        f"/impact/sha256:{installation.CLAIMS}": 200,
        f"/completeness/sha256:{installation.CLAIMS}": 200,
        f"/artifacts/sha256:{installation.CLAIMS}/decide/incident": 200,
        "/incidents": 200,
        f"/keys/{made.revoked.key_id}": 200,
        "/keys": 200,
        "/log": 200,
        "/system": 200,
        "/jobs": 200,
        "/sources": 200,
        "/sources/_new": 200,
        "/search?q=claims": 200,
        "/refusals": 200,
        "/tokens": 200,
        "/subscriptions": 200,
        "/accesses": 200,
        "/proposals": 200,
        "/forgetting": 200,
        "/accounts/2fa/": 200,
        "/accounts/2fa/webauthn/": 200,
        "/graph/cypher": 200,
        "/accounts/password/change/": 200,
        "/nowhere": 404,
    }


def violations(page: Any) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['target']} {node.get('failureSummary')}" for v in found for node in v["nodes"]]


def test_axe_finds_nothing_on_any_page_in_either_theme(
    installed: Installation, unbound: Any, live_server: Any
) -> None:
    from lineage.services import publish

    publish.publish_once()
    found: list[tuple[str, str, list[str]]] = []

    def look(path: str) -> None:
        for theme in THEMES:
            unbound.emulate_media(color_scheme=theme)
            complaints = violations(unbound)
            if complaints:
                found.append((path, theme, complaints))

    unbound.goto(f"{live_server.url}/accounts/login/")
    look("/accounts/login/")
    sign_in(unbound, live_server.url, factories.user("operator", PASSWORD).email)
    for path, status in addresses(installed).items():
        answer = unbound.goto(live_server.url + path)
        assert (path, answer.status) == (path, status)
        look(path)
    assert found == []


def test_every_page_loads_without_complaint_and_without_the_outside(
    signed_in: Any, installed: Installation, live_server: Any
) -> None:
    for path, status in addresses(installed).items():
        if status == 200:
            assert signed_in.goto(live_server.url + path).status == 200
            fonts = signed_in.evaluate("document.fonts.ready.then(f => [...f].map(x => x.status))")
            assert "error" not in fonts


def test_no_page_scrolls_sideways_at_1280(signed_in: Any, installed: Installation, live_server: Any) -> None:
    signed_in.set_viewport_size(NARROW)
    for path, status in addresses(installed).items():
        if status == 200:
            signed_in.goto(live_server.url + path)
            width = signed_in.evaluate("document.documentElement.scrollWidth")
            assert (path, width) == (path, NARROW["width"])
            spilt = (
                "[...document.querySelectorAll('.card')].filter(c => c.scrollWidth > c.clientWidth).length"
            )
            assert (path, signed_in.evaluate(spilt)) == (path, 0)


def test_rows_are_36_pixels_high(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/keys")
    heights = signed_in.evaluate("[...document.querySelectorAll('tbody tr')].map(r => r.offsetHeight)")
    assert len(heights) == 7
    assert set(heights) <= {36, 37}, "a row is 36 px, the hairline included or not"


def test_the_theme_follows_the_system(signed_in: Any, live_server: Any) -> None:
    grounds = []
    for theme in THEMES:
        signed_in.emulate_media(color_scheme=theme)
        grounds.append(signed_in.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert grounds == ["rgb(246, 247, 249)", "rgb(17, 22, 29)"]


def test_the_slash_key_searches_from_anywhere_but_a_field(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/keys")
    signed_in.keyboard.press("/")
    signed_in.keyboard.type("work/station")
    assert signed_in.input_value("#search") == "work/station"
    signed_in.fill("#search", "4711")
    signed_in.keyboard.press("Enter")
    signed_in.wait_for_url("**/search?q=4711")
    assert signed_in.locator("h1").inner_text() == "Found for “4711”"


def test_the_copy_button_copies_the_whole_digest(signed_in: Any, live_server: Any) -> None:
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.goto(f"{live_server.url}/datasets?q=claims")
    button = signed_in.locator("tbody .copy").first
    button.focus()
    whole = signed_in.locator("tbody .digest .whole").first
    assert whole.is_visible(), "the focus shows the digest whole"
    button.press("Enter")
    signed_in.wait_for_function("document.getElementById('spoken').textContent === 'Copied'")
    assert signed_in.evaluate("navigator.clipboard.readText()") == f"sha256:{installation.CLAIMS}"


def test_the_link_button_copies_the_address(signed_in: Any, live_server: Any) -> None:
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.goto(f"{live_server.url}/models?as_of=9")
    signed_in.get_by_role("button", name="Copy link").click()
    signed_in.wait_for_function("document.getElementById('spoken').textContent === 'Copied'")
    assert signed_in.evaluate("navigator.clipboard.readText()") == f"{live_server.url}/models?as_of=9"


def test_a_model_is_reached_by_keyboard_alone(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/models")
    for _ in range(60):
        signed_in.keyboard.press("Tab")
        if signed_in.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    signed_in.keyboard.press("Enter")
    signed_in.wait_for_url(f"**/artifacts/sha256:{installation.TRIAGE}")


def test_the_past_is_entered_and_left_on_the_bar(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/datasets?q=claims")
    signed_in.fill("#as-of", "5")
    signed_in.keyboard.press("Enter")
    signed_in.wait_for_url("**/datasets?q=claims&as_of=5")
    signed_in.get_by_role("link", name="Models", exact=True).click()
    signed_in.wait_for_url("**/models?as_of=5")
    signed_in.get_by_role("link", name="Back to now").click()
    signed_in.wait_for_url("**/models")


def test_an_api_key_is_made_and_revoked(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/tokens")
    signed_in.get_by_label("Name", exact=True).fill("training-ci")
    signed_in.get_by_role("button", name="Make the key").click()
    assert signed_in.get_by_role("group", name="Secret").inner_text().startswith("lin_")
    signed_in.locator("summary", has_text="Revoke training-ci").click()
    signed_in.get_by_role("button", name="Revoke training-ci").click()
    signed_in.get_by_text("API key “training-ci” is revoked.").wait_for()


def test_signing_out_by_the_account_menu(signed_in: Any, live_server: Any) -> None:
    signed_in.locator("details.account summary").press("Enter")
    signed_in.get_by_role("button", name="Sign out").click()
    signed_in.wait_for_url("**/accounts/login/")

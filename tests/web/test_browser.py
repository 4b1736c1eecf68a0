"""The pages in a real Chromium: both themes, axe, keyboard, no complaint, nothing from outside."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests import factories
from tests.web import installation
from tests.web.axe import THEMES, violations
from tests.web.conftest import PASSWORD, sign_in, sign_in_by_form
from tests.web.installation import Installation
from tests.web.tab import NARROW, PATIENCE_MS

pytestmark = pytest.mark.service


@pytest.fixture
def operated(installed: Installation) -> str:
    """A filled installation that has a checkpoint; the address of its operator."""
    from lineage.services import publish

    publish.publish_once()
    return str(factories.user("operator", PASSWORD).email)


@pytest.fixture
def signed_in(operated: str, watched: Any, live_server: Any) -> Any:
    """The browser, with the operator signed in, on no page yet."""
    sign_in(watched, live_server.url, operated)
    return watched


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
        f"/compare/sha256:{installation.TRIAGE}?with=sha256:{installation.CLAIMS}": 200,
        f"/compare/sha256:{installation.TRIAGE}/common?with=sha256:{installation.CLAIMS}": 200,
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


FONTS = "document.fonts.ready.then(f => [...f].map(x => x.status))"
SPILT = "[...document.querySelectorAll('.card')].filter(c => c.scrollWidth > c.clientWidth).length"


def wrong(page: Any) -> list[str]:
    """What axe finds in either theme, a font that is missing, and what is wider than its place."""
    found = violations(page)
    if "error" in page.evaluate(FONTS):
        found.append("a font did not load")
    if (width := page.evaluate("document.documentElement.scrollWidth")) != NARROW["width"]:
        found.append(f"the page is {width} pixels wide")
    if spilt := page.evaluate(SPILT):
        found.append(f"{spilt} cards hold more than they show")
    return found


def test_every_page_at_1280_is_accessible_fits_and_needs_nothing_from_outside(
    operated: str, installed: Installation, watched: Any, live_server: Any
) -> None:
    watched.set_viewport_size(NARROW)
    watched.goto(f"{live_server.url}/accounts/login/")
    found = {"/accounts/login/": wrong(watched)}
    sign_in(watched, live_server.url, operated)
    for path, status in addresses(installed).items():
        if status == 200:
            assert (path, watched.goto(live_server.url + path).status) == (path, 200)
            found[path] = wrong(watched)
    assert {path: told for path, told in found.items() if told} == {}


def test_a_page_that_says_no_is_accessible_and_fits(
    operated: str, installed: Installation, page: Any, live_server: Any
) -> None:
    """Not watched: to the console of a browser such a status is an error."""
    page.set_viewport_size(NARROW)
    sign_in(page, live_server.url, operated)
    said = {path: status for path, status in addresses(installed).items() if status != 200}
    assert len(said) == 2
    for path, status in said.items():
        assert (path, page.goto(live_server.url + path).status) == (path, status)
        assert (path, wrong(page)) == (path, [])


def test_axe_sees_what_is_pale_in_one_theme_alone(log: None, page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/accounts/login/")
    page.evaluate(
        """colours => colours.forEach((colour) => {
          const line = document.createElement("p");
          line.textContent = `said in ${colour}`;
          line.style.color = colour;
          document.querySelector("main").append(line);
        })""",
        ["#dddddd", "#333333"],
    )
    found = [re.findall(r"^\w+: color-contrast|said in #\w+", each) for each in violations(page)]
    assert found == [
        ["light: color-contrast", "said in #dddddd"],
        ["dark: color-contrast", "said in #333333"],
    ]


def test_the_form_signs_in(operated: str, watched: Any, live_server: Any) -> None:
    sign_in_by_form(watched, live_server.url, operated)
    assert watched.inner_text("h1") == "Today"


def test_rows_are_36_pixels_high(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/keys")
    heights = signed_in.evaluate("[...document.querySelectorAll('tbody tr')].map(r => r.offsetHeight)")
    assert len(heights) == 7
    assert set(heights) <= {36, 37}, "a row is 36 px, the hairline included or not"


def test_the_theme_follows_the_system(signed_in: Any, live_server: Any) -> None:
    signed_in.goto(f"{live_server.url}/")
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


LISTEN = """() => {
  window.heard = [];
  const spoken = document.getElementById("spoken");
  new MutationObserver(() => heard.push(spoken.textContent)).observe(spoken, {childList: true});
}"""


def wait_to_hear(page: Any, words: str) -> None:
    """Wait until the page has said so to a screen reader since LISTEN; it does for a moment.

    Not by `wait_for_function`: where that asks a second time, it is an `eval` in the page, whose policy
    forbids it.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while words not in page.evaluate("heard"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_the_copy_button_copies_the_whole_digest(signed_in: Any, live_server: Any) -> None:
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.goto(f"{live_server.url}/datasets?q=claims")
    button = signed_in.locator("tbody .copy").first
    button.focus()
    whole = signed_in.locator("tbody .digest .whole").first
    assert whole.is_visible(), "the focus shows the digest whole"
    signed_in.evaluate(LISTEN)
    button.press("Enter")
    wait_to_hear(signed_in, "Copied")
    assert signed_in.evaluate("navigator.clipboard.readText()") == f"sha256:{installation.CLAIMS}"


def test_the_link_button_copies_the_address(signed_in: Any, live_server: Any) -> None:
    signed_in.context.grant_permissions(["clipboard-read", "clipboard-write"])
    signed_in.goto(f"{live_server.url}/models?as_of=9")
    signed_in.evaluate(LISTEN)
    signed_in.get_by_role("button", name="Copy link").click()
    wait_to_hear(signed_in, "Copied")
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
    signed_in.goto(f"{live_server.url}/")
    signed_in.locator("details.account summary").press("Enter")
    signed_in.get_by_role("button", name="Sign out").click()
    signed_in.wait_for_url("**/accounts/login/")

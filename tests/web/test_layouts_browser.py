"""A layout's story in a real Chromium: adopt it, check an artifact, read the verdict step by step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.services import decide, publish
from tests import factories
from tests import layouts as given
from tests.conftest import Api
from tests.integration.test_layouts import ARTIFACT, LINKS, adopt
from tests.layouts import CODE, PACKED, enveloped, metablock, two_steps
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in

pytestmark = pytest.mark.service


@pytest.fixture
def filled(api: Api, graph: Callable[[], int]) -> None:
    """Bob's and Carl's links are in the log; Carl's package is what is asked about."""
    for who, content in (("bob", CODE), ("carl", PACKED)):
        decide.register_key(given.key(who).public.pem(), who, LINKS, person=factories.PERSON)
        assert api.attest(enveloped(content, who)).status_code == 201
    graph()
    publish.publish_once()


def picture(page: Any, name: str) -> None:
    """Kept where `PICTURES_OF_TESTS` names a folder."""
    if folder := os.environ.get("PICTURES_OF_TESTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_the_story(filled: None, watched: Any, live_server: Any, tmp_path: Path) -> None:
    page, url = watched, live_server.url
    sign_in(page, url, factories.user("operator", PASSWORD).email)
    file = tmp_path / "demo.layout"
    file.write_bytes(metablock(two_steps(), "owner"))

    page.goto(f"{url}/layouts/_new")
    page.fill("#id_name", "release of foo")
    page.set_input_files("#id_layout", str(file))
    page.fill("#id_owners", given.key("owner").public.pem().decode())
    page.fill("#id_reason", "agreed with the owner in March")
    page.click("button:has-text('Adopt it')")
    page.wait_for_url(f"{url}/layouts/*")
    picture(page, "layout")

    page.fill("#id_artifact", ARTIFACT)
    page.click("button:has-text('Check it')")
    page.wait_for_url(f"{url}/layouts/*/verdicts/*")
    assert page.locator(".step").count() == 2
    assert page.locator("tr[data-rule=passed]").count() == 7
    assert page.locator("h1 + .status, .head .status").first.inner_text().strip() == "Verified"
    picture(page, "layout-verdict-verified")


def test_a_broken_rule(filled: None, watched: Any, live_server: Any) -> None:
    asked = two_steps()
    asked["steps"][1]["expected_products"] = [["CREATE", "foo.tar.gz"], ["DISALLOW", "*"], ["ALLOW", "x"]]
    sign_in(watched, live_server.url, factories.user("operator", PASSWORD).email)
    watched.goto(f"{live_server.url}/layouts/{adopt(asked)}?artifact={ARTIFACT}")
    watched.click("button:has-text('Check it')")
    watched.wait_for_url(f"{live_server.url}/layouts/*/verdicts/*")
    assert "Forbids foo.py" in watched.locator("tr[data-rule=failed]").inner_text()
    picture(watched, "layout-verdict-refuted")


def test_nothing_that_axe_finds(filled: None, page: Any, live_server: Any) -> None:
    from lineage.services import layout_verdicts

    layout_id = adopt()
    done = layout_verdicts.verify(layout_id, ARTIFACT, person=factories.PERSON)
    sign_in(page, live_server.url, factories.user("operator", PASSWORD).email)
    for address in (
        "/layouts",
        "/layouts/_new",
        f"/layouts/{layout_id}",
        f"/layouts/{layout_id}/verdicts/{done.receipt.digest}",
        f"/artifacts/{ARTIFACT}",
    ):
        page.goto(live_server.url + address)
        assert (address, violations(page)) == (address, [])

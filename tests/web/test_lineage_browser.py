"""The lineage pages in a real Chromium: first paint, keyboard, accessibility, size, both themes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests import factories
from tests.web import large_graph
from tests.web.conftest import PASSWORD, sign_in
from tests.web.large_graph import LargeGraph

pytestmark = pytest.mark.service

PAINT_MS = 800
DETAIL_MS = 300


@pytest.fixture
def large(live_server: Any, transactional_db: None) -> LargeGraph:
    return large_graph.save(2_000)


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    """A page in each theme. axe is injected as a script, which our policy forbids: only here it is off."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, color_scheme=request.param, bypass_csp=True
    )
    yield context.new_page()
    context.close()


def signed_in(page: Any, url: str) -> None:
    sign_in(page, url, factories.user("auditor", PASSWORD).email)


def assert_accessible(page: Any) -> None:
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in found] == []


def test_every_view_of_a_large_lineage_is_accessible(
    themed: Any, live_server: Any, large: LargeGraph
) -> None:
    signed_in(themed, live_server.url)
    far = min(key for key in large.ancestors if large.nodes[key].name.startswith("source"))
    for path in ("", "?depth=1", f"?focus={far}", "?lane=source-data&show=exceptions", "/all"):
        themed.goto(f"{live_server.url}/models/{large.root}/lineage{path}")
        assert_accessible(themed)


def test_first_paint_and_size_of_2000_nodes(watched: Any, live_server: Any, large: LargeGraph) -> None:
    signed_in(watched, live_server.url)
    times = []
    for _ in range(5):
        watched.goto(f"{live_server.url}/models/{large.root}/lineage")
        times.append(watched.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert sorted(times)[-2] <= PAINT_MS
    assert watched.evaluate("document.querySelectorAll('svg.lanes, svg.lanes *').length") <= 1_400


def test_a_box_opens_its_details_by_keyboard_in_place(
    watched: Any, live_server: Any, large: LargeGraph
) -> None:
    signed_in(watched, live_server.url)
    watched.goto(f"{live_server.url}/models/{large.root}/lineage")
    watched.evaluate("window.samePage = true")
    watched.locator("#picture a.box").first.focus()
    for _ in range(3):
        watched.keyboard.press("Tab")
    box = watched.evaluate("document.activeElement.id")
    assert box.startswith("box-")
    with watched.expect_response(lambda answer: "focus=" in answer.url) as waiting:
        watched.keyboard.press("Enter")
    key = box.removeprefix("box-")
    watched.locator(f'.detail code[title="{key}"]').first.wait_for()
    assert waiting.value.request.timing["responseEnd"] <= DETAIL_MS
    assert watched.evaluate("window.samePage") is True
    assert watched.evaluate("document.activeElement.id") == box
    assert f"focus={key.replace(':', '%3A')}" in watched.url
    watched.go_back()
    watched.wait_for_url(lambda url: "focus=" not in url)
    assert watched.locator(".lanes").count() == 1


def test_the_node_in_focus_is_in_view_however_wide_the_picture(
    watched: Any, live_server: Any, large: LargeGraph
) -> None:
    watched.set_viewport_size({"width": 1280, "height": 800})
    signed_in(watched, live_server.url)
    watched.goto(f"{live_server.url}/models/{large.root}/lineage")
    inside = watched.evaluate(
        """() => {
          const room = document.getElementById("picture").getBoundingClientRect();
          const box = document.querySelector("#picture [aria-current]").getBoundingClientRect();
          return box.left >= room.left && box.right <= room.right + 1;
        }"""
    )
    assert inside

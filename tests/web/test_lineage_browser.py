"""The lineage pages in a real Chromium: first paint, keyboard, accessibility, size, both themes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client

from tests import factories
from tests.web import large_graph
from tests.web.conftest import PASSWORD
from tests.web.large_graph import LargeGraph

pytestmark = pytest.mark.service

PAINT_MS = 800
DETAIL_MS = 300
SERVER_VERIFICATIONS = 1_400
"""What a closure of 2,000 nodes may cost the server: 150 ms where an Ed25519 verification takes 107 µs."""


FIRST_PAINT = """new Promise((done) => new PerformanceObserver((list) => {
  const found = list.getEntriesByName("first-contentful-paint");
  if (found.length) done(found[0].startTime);
}).observe({type: "paint", buffered: true}))"""


def crowding() -> float:
    """How many times longer than alone a computation takes on this machine just now; 1 on an idle one.

    Limits of elapsed time are multiplied by it: they are promises about an idle machine.
    """
    wall, own = time.perf_counter(), time.process_time()
    while time.process_time() - own < 0.1:
        pass
    return max(1.0, (time.perf_counter() - wall) / 0.1)


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


def reader() -> Client:
    client = Client()
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    client.force_login(factories.user("auditor", PASSWORD), backend)
    return client


def signed_in(page: Any, url: str) -> None:
    """By the session's cookie: the large graph has no log behind it, so no first page to land on."""
    page.context.add_cookies(
        [{"name": "sessionid", "value": reader().cookies["sessionid"].value, "url": url}]
    )


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
    times, crowd = [], [crowding()]
    for _ in range(5):
        watched.goto(f"{live_server.url}/models/{large.root}/lineage")
        times.append(watched.evaluate(FIRST_PAINT))
        crowd.append(crowding())
    assert min(times) <= PAINT_MS
    assert sorted(times)[-2] <= PAINT_MS * max(crowd)
    assert watched.evaluate("document.querySelectorAll('svg.lanes, svg.lanes *').length") <= 1_400


def test_a_box_opens_its_details_by_keyboard_in_place(
    watched: Any, live_server: Any, large: LargeGraph
) -> None:
    signed_in(watched, live_server.url)
    watched.goto(f"{live_server.url}/models/{large.root}/lineage")
    watched.evaluate("window.samePage = true")
    watched.locator("#picture a.box").first.focus()
    spent_ms, crowd = [], [crowding()]
    for _ in range(4):
        watched.keyboard.press("Tab")
        box = watched.evaluate("document.activeElement.id")
        assert box.startswith("box-")
        key = box.removeprefix("box-")
        start = time.perf_counter()
        watched.keyboard.press("Enter")
        watched.locator(f'.detail code[title="{key}"]').first.wait_for(state="attached")
        spent_ms.append((time.perf_counter() - start) * 1000)
        watched.wait_for_url(lambda url, key=key: f"focus={key.replace(':', '%3A')}" in url)
        assert watched.evaluate("document.activeElement.id") == box
        crowd.append(crowding())
    assert watched.evaluate("window.samePage") is True
    assert min(spent_ms) <= DETAIL_MS * max(crowd)
    for _ in range(4):
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


def test_the_server_spends_little_on_2000_nodes(large: LargeGraph) -> None:
    client, signer = reader(), factories.signer()
    signature = signer.private.sign(b"calibration")

    def cheapest(act: Callable[[], object], times: int) -> float:
        """Least processor time of one call, in seconds, over five rounds of `times` calls."""
        spent = []
        for _ in range(5):
            start = time.process_time()
            for _ in range(times):
                act()
            spent.append((time.process_time() - start) / times)
        return min(spent)

    verification = cheapest(lambda: signer.private.public.verify(b"calibration", signature), 200)
    page = cheapest(lambda: client.get(f"/models/{large.root}/lineage"), 1)
    assert page / verification <= SERVER_VERIFICATIONS

"""The Cypher page in a real Chromium: asking with and without JavaScript, mistakes, axe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lineage.db.models import GraphQuery
from lineage.service_urls import Bolt
from tests import factories
from tests.web.axe import violations
from tests.web.conftest import PASSWORD, sign_in
from tests.web.installation import TRIAGE
from tests.web.tab import NARROW, VIEWPORT

pytestmark = pytest.mark.service

PATIENCE = 90_000
"""Milliseconds for an answer on a machine that does other work too."""


@pytest.fixture
def asking(filled_neo4j: Bolt, watched: Any, live_server: Any) -> Any:
    """The browser on the page, with an operator signed in."""
    watched.set_default_timeout(PATIENCE)
    sign_in(watched, live_server.url, factories.user("operator", PASSWORD).email)
    watched.goto(f"{live_server.url}/graph/cypher")
    return watched


@pytest.fixture
def plain(new_context: Callable[..., Any], filled_neo4j: Bolt, live_server: Any) -> Iterator[Any]:
    """A browser without JavaScript."""
    page = new_context(java_script_enabled=False, viewport=VIEWPORT).new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def test_an_example_is_asked_and_leads_to_a_model(asking: Any, live_server: Any) -> None:
    asking.get_by_role("link", name="Who made each model").click()
    asking.wait_for_url("**/graph/cypher?example=made-models")
    asking.get_by_role("button", name="Ask").click()
    asking.get_by_role("region", name="Rows").wait_for()
    assert "1 row in" in asking.locator("#answer").get_by_role("status").inner_text()
    assert asking.input_value("#id_query").startswith("MATCH (m:Model)"), "the text stays"
    assert asking.url.endswith("?example=made-models"), "htmx changed the answer alone"
    assert asking.get_by_role("region", name="Recorded queries").locator("tbody tr").count() == 1
    asking.get_by_role("region", name="Rows").get_by_role("link", name="sha256").first.click()
    asking.wait_for_url(f"**/artifacts/sha256:{TRIAGE}")


def test_a_mistake_is_told_without_losing_the_text(filled_neo4j: Bolt, page: Any, live_server: Any) -> None:
    asking = page  # unwatched: a status of 422 is an error to the console
    asking.set_default_timeout(PATIENCE)
    sign_in(asking, live_server.url, factories.user("operator", PASSWORD).email)
    asking.goto(f"{live_server.url}/graph/cypher")
    asking.fill("#id_query", "MATCH (n)\nRETRUN n")
    asking.get_by_role("button", name="Ask").click()
    alert = asking.get_by_role("alert")
    alert.wait_for()
    assert "At line 2, column 1:" in alert.inner_text()
    assert asking.input_value("#id_query") == "MATCH (n)\nRETRUN n"
    asking.fill("#id_query", "MATCH (n) DETACH DELETE n")
    asking.get_by_role("button", name="Ask").click()
    asking.get_by_text("Refused: the operation DetachDelete").first.wait_for()


def test_it_works_without_javascript(plain: Any, live_server: Any) -> None:
    sign_in(plain, live_server.url, factories.user("operator", PASSWORD).email)
    plain.goto(f"{live_server.url}/graph/cypher?example=made-from-name")
    plain.get_by_role("button", name="Ask").click()
    plain.get_by_role("region", name="Rows").wait_for()
    assert plain.locator("tbody a", has_text="sha256").count() >= 1
    assert GraphQuery.objects.get().parameters == '{"name":"claims"}'


def test_axe_finds_nothing_whatever_is_shown(filled_neo4j: Bolt, page: Any, live_server: Any) -> None:
    page.set_default_timeout(PATIENCE)
    sign_in(page, live_server.url, factories.user("operator", PASSWORD).email)
    found: list[tuple[str, str]] = []
    for query in (
        "",
        "MATCH p = (:Model)-[*1..3]->(b) RETURN p, b.first, b",
        "RETRUN 1",
        "MATCH (n:X) RETURN n",
    ):
        page.goto(f"{live_server.url}/graph/cypher")
        if query:
            page.fill("#id_query", query)
            page.get_by_role("button", name="Ask").click()
            page.locator("#answer [role=status], #answer [role=alert]").first.wait_for()
        found += [(query, each) for each in violations(page)]
    assert found == []


def test_a_wide_answer_scrolls_in_its_own_place(asking: Any) -> None:
    asking.set_viewport_size(NARROW)
    asking.fill(
        "#id_query", "MATCH p = (:Model)-[*1..4]->(b) RETURN p, b.first, p AS again, b, properties(b) AS all"
    )
    asking.get_by_role("button", name="Ask").click()
    asking.get_by_role("region", name="Rows").wait_for()
    assert asking.evaluate("document.documentElement.scrollWidth") == NARROW["width"]

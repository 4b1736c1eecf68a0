"""The page of the system: for all who are signed in, true, and loud where something is wrong."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Job
from lineage.services import beats, graph_choice, publish, sightings
from lineage.services.graph_choice import BackendState
from tests import factories
from tests.web.conftest import PASSWORD, sign_in


@pytest.fixture
def well(graph: Callable[[], int]) -> None:
    """An installation in which everything works."""
    graph()
    publish.publish_once()
    beats._written.clear()
    for queue in ("graph", "short", "sync", "long"):
        beats.beat(queue)


def text(client: Client) -> str:
    answer = client.get("/system")
    assert answer.status_code == 200
    return answer.content.decode()


def test_everything_works(well: None, auditor: Client) -> None:
    page = text(auditor)
    assert "Everything works." in page
    assert "Questions about lineage are answered by the database." in page
    assert "Nobody" not in page
    assert "Not yet" in page, "the audit: nothing is known to be well"
    assert 'data-tone="bad"' not in page
    assert "None yet. It compares every node and edge with the log." in page


def test_it_is_in_the_navigation_of_all(well: None, auditor: Client) -> None:
    assert '<a href="/system">System</a>' in auditor.get("/").content.decode()
    assert Client().get("/system").status_code == 302


def test_workers_that_were_never_seen_are_an_alarm(graph: Callable[[], int], auditor: Client) -> None:
    graph()
    page = text(auditor)
    assert "Workers: down." in page
    assert "Nobody looks after: graph (never), short (never), sync (never), long (never)" in page


def test_who_answers_and_why(well: None, auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = BackendState("neo4j", True, False, 1, 7, 12.0, "It is 7 entries behind the log, for 12 s.")
    tables = sightings.look().backends[0]
    found = sightings.look()
    monkeypatch.setattr(
        sightings,
        "look",
        lambda: sightings.Found("", found.figures, [behind, tables], found.broker),
    )
    page = text(auditor)
    assert "Lineage graph, Neo4j: behind." in page
    assert "answered by the database" in page
    assert "It is 7 entries behind the log, for 12 s. Answers come from the database" in page
    assert graph_choice.LONGEST_LAG_SECONDS < 12


def ended_check(key: str, at_us: int, **ended: object) -> None:
    Job.objects.create(
        kind="graph-check",
        key=key,
        queue="long",
        due_us=0,
        max_attempts=2,
        created_us=0,
        finished_us=at_us,
        **ended,
    )


def test_the_last_graph_check_of_each_backend(well: None, auditor: Client) -> None:
    assert "None yet" in text(auditor)
    clean = {"backend": "sql", "size": 1200, "compared": {"node": 30, "edge": 12}, "differences": 0}
    clean |= {"kinds": {}, "examples": [], "repaired": False}
    ended_check("sql", 1_700_000_000_000_000, state="failed", error="no database")
    ended_check("sql", 1_800_000_000_000_000, state="done", result=clean)
    found = clean | {"backend": "neo4j", "differences": 1, "kinds": {"edge missing": 1}}
    found |= {"examples": ["edge missing: a USED b"]}
    ended_check("neo4j repair", 1_800_000_000_000_000, state="done", result=found)
    page = html.unescape(text(auditor))
    assert "The graph in the database is the log's: 42 rows of 1,200 entries compared, no difference." in page
    assert "differs from the log (42 rows of 1,200 entries compared): edge missing 1. They are still" in page
    assert "edge missing: a USED b" in page
    assert "2027" in page
    ended_check("neo4j", 1_900_000_000_000_000, state="failed", error="Neo4j can't be reached.")
    assert "The check of neo4j failed: Neo4j can't be reached." in html.unescape(text(auditor))


@pytest.mark.service
def test_in_a_browser(graph: Callable[[], int], watched: Any, live_server: Any) -> None:
    graph()
    publish.publish_once()
    watched.set_viewport_size({"width": 1440, "height": 900})
    sign_in(watched, live_server.url, factories.user("auditor", PASSWORD).email)
    watched.goto(f"{live_server.url}/")
    watched.click("nav summary")
    watched.click("nav >> text=System")
    watched.wait_for_url(f"{live_server.url}/system")
    assert watched.inner_text("h1") == "System"
    assert watched.locator("tr.barred").count() == 12
    assert watched.locator(".message").count() == 1
    width = watched.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0

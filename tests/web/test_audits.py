"""The audits on the first page: their age and result in words, and no wrong green: damage is the headline."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Job, LogAudit, WitnessState
from lineage.services import audit_condition, condition, jobs, sightings, today, witnesses
from lineage.services.clock import now_us
from lineage.witness_settings import Witness
from tests import factories
from tests.integration.projections import RandomLog
from tests.integration.test_log_audit_round import exchange, once
from tests.web.conftest import PASSWORD, sign_in

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def text(client: Client, address: str = "/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`later(us)`: it is so much later than it is."""

    def wait(us: int) -> None:
        for module in (today, condition):
            monkeypatch.setattr(module, "now_us", lambda: now_us() + us)

    return wait


@pytest.fixture
def damaged(graph: Callable[[], int]) -> Callable[[], None]:
    """A log with an altered entry, which an audit has found. What it gives puts the entry right again."""
    RandomLog(3).grow(20)
    graph()
    repair = exchange(10)
    assert once()["wrong"] != ""
    return repair


def test_a_new_log_waits_for_its_first_audit(graph: Callable[[], int], auditor: Client) -> None:
    page = text(auditor)
    assert "<h1>Today</h1>" in page
    assert "Not yet: the log is new, and is read again each hour." in page
    assert 'data-tone="bad"' not in page


def test_age_and_result_are_told(graph: Callable[[], int], auditor: Client) -> None:
    once()
    page = text(auditor)
    assert re.search(r"The log, read again \d+ seconds? ago", page)
    assert "Nothing is wrong in the" in page
    assert "It was read whole 0 minutes ago." in page


def test_never_and_long_ago_are_no_green(
    graph: Callable[[], int], auditor: Client, later: Callable[[int], None]
) -> None:
    later(DAY_US)
    page = text(auditor)
    assert "Never. Does a worker run?" in page
    assert page.count('<span class="status" data-status="expired">') >= 2
    once()
    assert "Nobody has read it for 24 hours. Does a worker run?" in text(auditor)
    found = {each.name: each for each in condition.services(sightings.look())}
    assert found["audit"].state == condition.DEGRADED


def test_damage_is_the_headline_until_it_is_gone(damaged: Callable[[], None], auditor: Client) -> None:
    page = text(auditor)
    assert "<h1>The log is damaged</h1>" in page
    assert "The log is damaged: the envelope of entry 10 is not the one that the log names." in page
    assert "Nothing that is shown as verified is sure now." in page
    assert page.count("rely on what stands here") == 0, "the headline says it"
    assert "Audits: down." in text(auditor, "/system")
    for address in ("/models", "/keys", f"/?as_of={_past()}"):
        assert "rely on what stands here as verified. The log is damaged: the envelope of" in re.sub(
            r"</?\w[^>]*>", "", text(auditor, address)
        )
    found = {each.name: each for each in condition.services(sightings.look())}
    assert found["audit"].state == condition.DOWN
    assert "<h1>Today</h1>" in text(auditor, f"/?as_of={_past()}"), "then nobody knew"
    for address in ("/log", "/attestations"):
        answer = auditor.get(address)
        assert answer.status_code == 500, "what somebody exchanged is not shown as an entry"
        assert "has other bytes in the database" in html.unescape(answer.content.decode())
    damaged()
    once()
    assert "rely on" not in text(auditor, "/models")
    page = text(auditor)
    assert "<h1>Today</h1>" in page
    assert 'data-tone="bad"' not in page


def _past() -> str:
    from lineage.trust.leaf import rfc3339

    return rfc3339(now_us() - HOUR_US)


def test_a_contradicting_witness_is_the_headline(
    graph: Callable[[], int], auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = witnesses.State(
        Witness("w.example+01020304+BA==", "https://w.example"), 7, 1, 1, 1, "it saw 9 entries", True
    )
    monkeypatch.setattr(witnesses, "states", lambda: [state])
    page = text(auditor)
    assert "<h1>A witness contradicts the log</h1>" in page
    assert "w.example contradicts this log: it saw 9 entries" in page
    assert WitnessState.objects.count() == 0


def test_a_graph_that_differs_is_an_alarm(graph: Callable[[], int], auditor: Client) -> None:
    from lineage.services import graph_check

    report = graph_check.Report("sql", 3, {}, 2, {"node": 2}, (), repaired=False)
    graph_check.keep(report, started_us=now_us(), by="os:test")
    page = text(auditor)
    assert "It differs from the log in 2 places: what pages say may be wrong." in page
    assert "<h1>Today</h1>" in page, "the log itself is well"


def test_an_operator_asks_for_an_audit(graph: Callable[[], int], auditor: Client, operator: Client) -> None:
    assert 'id="audit-now"' not in text(auditor, "/system")
    assert auditor.post("/system/audit").status_code == 403
    assert 'id="audit-now"' in text(operator, "/system")
    assert operator.post("/system/audit").status_code == 302
    asked = Job.objects.filter(requested_by__contains="@").values_list("kind", "key")
    assert sorted(asked) == [("graph-check", "sql"), ("log-audit", "")]
    jobs.drain("test", stop=lambda: False)
    assert LogAudit.objects.get(pk=1).wrong == ""


def test_the_metrics_tell_of_damage(damaged: Callable[[], None]) -> None:
    told = Client().get("/metrics").content.decode()
    assert "lineage_log_damaged 1.0" in told
    assert "lineage_log_audit_entries 0.0" in told, "no part was right"
    assert 'lineage_log_audit_age_seconds{what="run"}' in told
    assert audit_condition.damaged(audit_condition.standing()) != ""


def test_damage_in_a_browser(damaged: Callable[[], None], watched: Any, live_server: Any) -> None:
    watched.set_viewport_size({"width": 1280, "height": 900})
    sign_in(watched, live_server.url, factories.user("auditor", PASSWORD).email)
    watched.goto(f"{live_server.url}/")
    assert watched.inner_text("h1") == "The log is damaged"
    assert watched.locator("#content .message[data-tone=bad]").first.is_visible()
    assert watched.locator("section[aria-labelledby=audits] .status[data-status=failed]").count() == 1
    width = watched.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0

"""Decisions about an artifact on its pages: who may, what is said before and after, what is refused."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from lineage.db.models import Copy, Entry
from lineage.services import artifact_decided, as_of, decide_checks, decision_records
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339
from tests import factories
from tests.web import installation
from tests.web.axe import violations
from tests.web.conftest import sign_in

DIGEST = factories.sha256("decided about")
KEY = f"sha256:{DIGEST}"
PLACE = f"file://{installation.ROOT}/decided/model.pkl"
OTHER = f"file://{installation.ROOT}/decided/a%20b.pkl"
UNSAFE = "urn:lineage:predicate:inventory:v1"
ACTS = ("add-location", "withdraw-location", "waive", "criticality", "designate", "waive-taint")

pytestmark = pytest.mark.usefixtures("storage_root")


@pytest.fixture
def known(log: None, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """An artifact with one copy, unsafe to load. The graph follows as soon as a page waits for it."""
    who = factories.registered()
    subject = factories.artifact("model.pkl", DIGEST, downloadLocation=PLACE)
    findings = [{"path": "", "finding": "It calls os.system."}]
    inventory = {"size": 1, "files": [{"path": "", "size": 1}], "unsafe": findings}
    installation.send(who, factories.statement(subject))
    installation.send(who, factories.statement(subject, predicate_type=UNSAFE, predicate=inventory))
    graph()
    monkeypatch.setattr("lineage.web.artifact_decisions.graph_choice.followed", graph)


def url(act: str, location: str = "") -> str:
    return f"/artifacts/{KEY}/decide/{act}" + (f"?location={quote(location)}" if location else "")


def text_of(answer: Any) -> str:
    plain = re.sub(r"<[^>]+>", " ", re.sub("<wbr>", "", answer.content.decode()))
    return re.sub(r"\s+", " ", entities.unescape(plain))


def newest() -> tuple[str, dict[str, str]]:
    """Action and person of the newest entry, which is a decision."""
    found = decision_records.one(Entry.objects.order_by("-index")[0].index)
    return found.action, {"person": found.person}


def decided() -> artifact_decided.ArtifactDecided:
    return artifact_decided.of_node(KEY, as_of.resolve(None))


@pytest.mark.parametrize("act", ACTS)
def test_only_officers_and_operators_may(person: Callable[[str], Client], known: None, act: str) -> None:
    said = {"location": OTHER if act == "add-location" else PLACE, "reason": "told so", "level": "high"}
    said["for_ever"] = "on"
    before = Entry.objects.count()
    assert person("auditor").get(url(act)).status_code == 403
    assert person("auditor").post(url(act), said).status_code == 403
    assert Entry.objects.count() == before
    for number, role in enumerate(("officer", "operator")):
        client = person(role)
        assert client.get(url(act, PLACE)).status_code == 200
        if number == 0:
            answer = client.post(url(act), said)
            assert (answer.status_code, answer["Location"]) == (302, f"/artifacts/{KEY}")
            action, who = newest()
            assert action == act
            assert who["person"].startswith("officer-")


def test_the_artifacts_page_offers_them_to_who_may(person: Callable[[str], Client], known: None) -> None:
    for role, may in (("auditor", False), ("officer", True)):
        shown = person(role).get(f"/artifacts/{KEY}").content.decode()
        for act in ACTS:
            offered = may and act != "waive-taint"  # there is none
            assert (f"/artifacts/{KEY}/decide/{act}" in shown) is offered, (role, act)
    then = person("officer").get(f"/artifacts/{KEY}?as_of={as_of.resolve(None).size}").content.decode()
    assert "/decide/" not in then
    assert "Decided about it" in then


def test_without_its_token_a_form_is_refused(known: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("officer"), "allauth.account.auth_backends.AuthenticationBackend")
    before = Entry.objects.count()
    assert client.post(url("criticality"), {"level": "high", "reason": "x"}).status_code == 403
    assert Entry.objects.count() == before


def test_a_copy_is_added_and_withdrawn(officer: Client, known: None) -> None:
    before = text_of(officer.get(url("add-location")))
    assert f"Storages that are configured: file://{installation.ROOT}" in before
    said = {"location": OTHER, "reason": "copied to the second disk"}
    after = officer.post(url("add-location"), said, follow=True)
    assert "The copy is added" in text_of(after)
    assert f"decide/withdraw-location?location={quote(OTHER, safe='')}" in after.content.decode()
    assert set(Copy.objects.values_list("location", flat=True)) == {PLACE, OTHER}
    asked = officer.get(url("withdraw-location", OTHER))
    assert f'value="{OTHER}"' in asked.content.decode()
    assert "1 other copy of it is checked as before" in text_of(asked)
    gone = officer.post(url("withdraw-location"), {"location": OTHER, "reason": "disk broken"}, follow=True)
    assert "The copy is withdrawn" in text_of(gone)
    assert set(Copy.objects.values_list("location", flat=True)) == {PLACE}
    assert "It is the only copy." in text_of(officer.get(url("withdraw-location", PLACE)))
    again = officer.post(url("withdraw-location"), {"location": OTHER, "reason": "disk broken"})
    assert again.status_code == 422
    assert "is withdrawn already" in text_of(again)


def test_what_is_wrong_stands_beside_its_field(officer: Client, known: None) -> None:
    before = Entry.objects.count()
    for act, said, words in (
        ("add-location", {"location": "s3://elsewhere/x", "reason": "r"}, "lies in no storage that is"),
        ("add-location", {"location": "not a uri", "reason": "r"}, "A location is a URI"),
        ("add-location", {"location": OTHER, "reason": ""}, "This field is required"),
        ("withdraw-location", {"location": OTHER, "reason": "r"}, "Nobody has stated"),
        ("waive", {"reason": "r"}, "Name the last day"),
        ("waive", {"reason": "r", "until": "2099-01-01", "for_ever": "on"}, "not both"),
        ("waive", {"reason": "r", "until": "2020-01-01"}, "A waiver ends in the future"),
        ("waive", {"reason": "r", "until": "soon"}, "Enter a valid date"),
        ("criticality", {"level": "extreme", "reason": "r"}, "Select a valid choice"),
        ("criticality", {"level": "high", "reason": "two\nlines"}, "one printable line"),
    ):
        answer = officer.post(url(act), said)
        assert answer.status_code == 422, said
        assert words in text_of(answer), said
    assert Entry.objects.count() == before
    assert officer.get(url("nothing")).status_code == 404
    assert officer.get(f"/artifacts/sha256:{'0' * 64}/decide/waive").status_code == 404
    assert officer.get(f"{url('waive')}?as_of=1").status_code in (404, 409)


def test_a_finding_is_waived_through_a_day(officer: Client, known: None) -> None:
    assert "Waive the finding" in text_of(officer.get(f"/artifacts/{KEY}"))
    asked = text_of(officer.get(url("waive")))
    assert "It can run code when it is loaded" in asked
    assert "It calls os.system." in asked
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    answer = officer.post(url("waive"), {"until": day.isoformat(), "reason": "our own pickle"}, follow=True)
    text = text_of(answer)
    assert "The finding is waived" in text
    assert "our own pickle — officer-" in text
    assert "Change the waiver" in text
    waiver = decided().waiver
    assert waiver is not None
    assert waiver.until == f"{(day + timedelta(days=1)).isoformat()}T00:00:00.000000Z"
    assert not waiver.over
    officer.post(url("waive"), {"for_ever": "on", "reason": "we wrote it"})
    assert "Waived unsafe-format for ever" in text_of(officer.get(f"/artifacts/{KEY}"))


def test_what_is_not_known_to_be_unsafe_is_not_called_so(
    officer: Client, log: None, graph: Callable[[], int]
) -> None:
    installation.send(factories.registered(), factories.statement(factories.artifact("model.pkl", DIGEST)))
    graph()
    assert "/decide/waive" not in officer.get(f"/artifacts/{KEY}").content.decode()
    assert "Nothing is known of it that is unsafe to load." in text_of(officer.get(url("waive")))


def test_a_waiver_that_is_over_is_told_as_such(
    officer: Client, known: None, graph: Callable[[], int]
) -> None:
    soon = now_us() + 200_000
    decide_checks.waive(KEY, "unsafe-format", soon, "for a moment", person=factories.PERSON)
    graph()
    while now_us() <= soon:
        pass
    waiver = decided().waiver
    assert waiver is not None
    assert (waiver.until, waiver.over, waiver.by.reason) == (rfc3339(soon), True, "for a moment")
    assert "Was waived" in text_of(officer.get(f"/artifacts/{KEY}"))


def test_how_critical_it_is_is_told_with_who_says_so(officer: Client, known: None) -> None:
    assert "Normal nobody has decided it" in text_of(officer.get(f"/artifacts/{KEY}"))
    said = {"level": "critical", "reason": "it decides about loans"}
    text = text_of(officer.post(url("criticality"), said, follow=True))
    assert "Critical it decides about loans — officer-" in text
    form = officer.get(url("criticality")).content.decode()
    assert '<option value="critical" selected>' in form
    assert decided().level == "critical"


def test_a_graph_that_lags_is_told(officer: Client, known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage.web.artifact_decisions.FOLLOW_SECONDS", 0.0)
    monkeypatch.setattr("lineage.web.artifact_decisions.graph_choice.followed", lambda: 0)
    said = {"level": "low", "reason": "a test"}
    assert "once the graph has followed" in text_of(officer.post(url("criticality"), said, follow=True))


def test_in_a_browser_each_form_can_be_used_and_read(watched: Any, live_server: Any, known: None) -> None:
    officer = factories.user("officer", "correct horse battery")
    sign_in(watched, live_server.url, officer.email)
    for act in ACTS:
        watched.goto(live_server.url + url(act, PLACE))
        assert (act, violations(watched)) == (act, [])
    watched.goto(live_server.url + url("criticality"))
    watched.select_option("#id_level", "high")
    watched.fill("#id_reason", "it decides about loans")
    watched.get_by_role("button", name="Decide it").click()
    watched.wait_for_url(f"{live_server.url}/artifacts/{KEY}")
    assert "it decides about loans" in watched.inner_text("aside")


def test_what_is_designated_as_bad_is_shown_with_who_and_why(officer: Client, known: None) -> None:
    page = f"/artifacts/{KEY}"
    assert "Designate as bad" in text_of(officer.get(page))
    assert "It and all that was made from it is tainted" in text_of(officer.get(url("designate")))
    done = officer.post(url("designate"), {"reason": "its labels were poisoned", "incident": "INC-7"})
    assert done.status_code == 302
    told = text_of(officer.get(page))
    assert "Designated as bad until it is cleared its labels were poisoned" in told
    assert "It is designated as bad. It is tainted itself" in told
    assert "Clear the designation" in told
    assert newest()[0] == "designate"
    assert officer.post(url("clear"), {"reason": "it was another one"}).status_code == 302
    assert "Designated as bad until" not in text_of(officer.get(page))
    again = officer.post(url("clear"), {"reason": "again"})
    assert again.status_code == 422
    assert "nothing to clear" in text_of(again)


def test_a_waiver_of_taint_names_its_last_day(officer: Client, known: None) -> None:
    assert officer.post(url("designate"), {"reason": "bad"}).status_code == 302
    assert officer.post(url("waive-taint"), {"reason": "looked through"}).status_code == 422
    assert officer.post(url("waive-taint"), {"reason": "looked through", "for_ever": "on"}).status_code == 302
    told = text_of(officer.get(f"/artifacts/{KEY}"))
    assert "Taint waived for ever looked through" in told
    assert "Why it is tainted" not in told

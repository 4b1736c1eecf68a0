"""Who looked at, exported, decided what: what is recorded, what never is, and the operators' page of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from lineage import config
from lineage.db.models import AccessRecord
from lineage.services import access_records
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api
from tests.web import installation
from tests.web.installation import Installation

SECRET = "lin_0123abcd_not-to-be-kept"
DAY_US = 86_400_000_000


def recorded(**wanted: Any) -> list[tuple[str, str, str, str, int]]:
    """(who, action, route, subject, status), oldest first, but for signing in."""
    access_records.write()
    rows = AccessRecord.objects.filter(**wanted).exclude(action__in=["sign-in", "sign-out"]).order_by("pk")
    return [(row.who, row.action, row.route, row.subject, row.status) for row in rows]


@pytest.fixture
def anna(log: None) -> tuple[Client, str]:
    """Somebody signed in, and her address."""
    user = factories.user("operator")
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client, user.email


def test_a_page_is_a_record_of_who_looked_at_what(installed: Installation, anna: tuple[Client, str]) -> None:
    client, email = anna
    key = f"sha256:{installation.TRIAGE}"
    client.get(f"/models/{key}/lineage", REMOTE_ADDR="192.0.2.7")
    client.get(f"/keys/{installed.revoked.key_id}")
    found = recorded()
    assert [(row[0], row[1], row[3], row[4]) for row in found] == [
        (email, "look", key, 200),
        (email, "look", installed.revoked.key_id, 200),
    ]
    assert found[1][2] == "key"
    assert AccessRecord.objects.get(subject=key).address == "192.0.2.7"


def test_downloads_are_exports(installed: Installation, anna: tuple[Client, str]) -> None:
    client, email = anna
    client.get("/keys?format=csv")
    client.get(f"/attestations/{installed.sealed}/envelope")
    assert {(row[1], row[2]) for row in recorded(who=email)} == {
        ("export", "keys"),
        ("export", "attestation-envelope"),
    }


def test_programs_are_recorded_by_name_and_prefix(installed: Installation) -> None:
    api = Api(factories.token("read"))
    key = f"sha256:{installation.TRIAGE}"
    api.get(f"/api/v1/nodes/{key}")
    api.get(f"/api/v1/attestations/{installed.sealed}/envelope")
    api.get("/api/v1/refusals")
    first, second, third = recorded()
    assert first[0].startswith("token:token-")
    assert "(lin_" in first[0]
    assert first[1:] == ("look", "api:node", key, 200)
    assert second[1:] == ("export", "api:envelope", installed.sealed, 200)
    assert third[1:] == ("refused", "api:refusals", "", 403)


def test_a_decision_is_recorded_with_its_entry(graph: Callable[[], int], api: Api) -> None:
    signer = factories.signer()
    form = {"name": "ci", "public_key": signer.private.public.pem().decode(), "scopes": {"any": True}}
    index = api.post("/api/v1/keys", form).json()["decision"]["index"]
    assert [row[1:3] for row in recorded()] == [("decide", "api:keys")]
    assert AccessRecord.objects.get(action="decide").entry_index == index
    api.get("/api/v1/keys")
    assert [row[1] for row in recorded()] == ["decide", "look"]


def test_what_pipelines_send_is_in_the_log_alone(graph: Callable[[], int], api: Api) -> None:
    who = factories.registered()
    access_records.forget_waiting()
    assert api.attest(who.envelope(factories.statement())).status_code == 201
    assert api.attest(b"{").status_code == 400
    assert recorded() == []


def test_nothing_of_a_query_or_body_is_ever_kept(log: None, anna: tuple[Client, str]) -> None:
    client, _ = anna
    client.get("/search", {"q": SECRET})
    client.get("/accesses", {"who": SECRET})
    client.post("/tokens", {"name": SECRET, "scopes": ["read"]})
    Api(factories.token("read")).get("/api/v1/nodes", name=SECRET)
    access_records.write()
    assert AccessRecord.objects.count() >= 4
    assert not [row for row in AccessRecord.objects.values_list() if SECRET in repr(row)]


def test_strangers_are_shown_nothing_and_not_recorded(log: None, client: Client) -> None:
    client.get("/keys")
    client.get("/api/v1/keys")
    client.get("/api/v1/keys", HTTP_AUTHORIZATION="Bearer lin_00000000_nothing")
    assert recorded() == []


def test_the_same_look_within_a_minute_is_one_record(
    log: None, anna: tuple[Client, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = anna
    for _ in range(3):
        client.get("/keys")
    client.get("/keys?format=csv")
    client.get("/keys?format=csv")
    assert [row[1] for row in recorded()] == ["look", "export", "export"]
    monkeypatch.setattr(access_records, "REPEAT_SECONDS", 0.0)
    client.get("/keys")
    assert len(recorded()) == 4


def test_a_page_costs_no_query_more(
    log: None, anna: tuple[Client, str], django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(0):
        access_records.note("a@example.com", "GET", "keys", "x", 200, "")
    assert access_records.write() >= 1


def test_records_that_nobody_writes_are_written_by_the_next_request(
    log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_records, "MAX_WAITING", 5)
    for number in range(6):
        access_records.note("a@example.com", "GET", "key", str(number), 200, "")
    assert AccessRecord.objects.count() == 6


@pytest.mark.parametrize("count", [3, 45, 1201])
def test_what_the_database_refuses_waits_on(log: None, count: int) -> None:
    """All of it, in its order, whichever row it was: nothing is written twice."""
    for number in range(count):
        access_records.note("a@example.com", "GET", "key", str(number), 200, "192.0.2.1")
    access_records.add(AccessRecord.Action.DECIDE, "a@example.com", "x", "last", 201, "", entry_index=1 << 63)
    with pytest.raises((DatabaseError, OverflowError)):
        access_records.write()
    assert not AccessRecord.objects.exists()
    access_records._waiting.pop()
    access_records.add(AccessRecord.Action.DECIDE, "a@example.com", "x", "last", 201, "", entry_index=7)
    assert access_records.write() == count + 1
    rows = list(AccessRecord.objects.order_by("pk"))
    assert [row.subject for row in rows] == [*map(str, range(count)), "last"]
    assert (rows[0].status, rows[0].entry_index, rows[0].address) == (200, None, "192.0.2.1")
    assert (rows[-1].action, rows[-1].entry_index) == ("decide", 7)
    assert access_records.write() == 0


def test_signing_in_failing_and_out(log: None, client: Client) -> None:
    person = factories.user("auditor")
    form = {"login": person.email, "password": "correct horse battery"}
    client.post("/accounts/login/", {**form, "password": "wrong"}, REMOTE_ADDR="192.0.2.9")
    client.post("/accounts/login/", {"login": "my-password@example.com", "password": SECRET})
    client.post("/accounts/login/", form)
    client.post("/accounts/logout/")
    access_records.write()
    rows = AccessRecord.objects.order_by("pk").values_list("who", "action")
    assert list(rows) == [
        (person.email, "refused"),
        ("somebody unknown", "refused"),
        (person.email, "sign-in"),
        (person.email, "sign-out"),
    ]
    assert AccessRecord.objects.earliest("pk").address == "192.0.2.9"


def add(count: int = 1, **members: Any) -> None:
    usual = {"who": "a@example.com", "action": "look", "route": "key", "status": 200, "at_us": now_us()}
    AccessRecord.objects.bulk_create(AccessRecord(**{**usual, **members}) for _ in range(count))


def test_the_page_filters_and_pages(operator: Client) -> None:
    add(60, who="ben@example.com", subject="sha256:aa")
    add(who="token:ci (lin_1)", action="export")
    add(at_us=now_us() - 40 * DAY_US, who="long-ago@example.com")
    page = operator.get("/accesses", {"who": "BEN@"}).content.decode()
    assert page.count("<code>sha256:aa</code>") == 50
    assert 'rel="next"' in page
    assert operator.get("/accesses", {"action": "export"}).content.decode().count('scope="row"') == 1
    assert operator.get("/accesses", {"subject": "sha256:aa"}).content.decode().count('scope="row"') == 50
    today = operator.get("/accesses", {"from_day": "2000-01-01", "to_day": "2001-01-01"}).content.decode()
    assert "No record" in today


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"action": "steal"}, 422),
        ({"from_day": "soon"}, 422),
        ({"to_day": "9999-12-31"}, 422),
        ({"who": "x" * 301}, 422),
        ({"after": "x"}, 400),
        ({"after": "9" * 19}, 400),
    ],
)
def test_a_filter_that_is_none(operator: Client, query: dict[str, str], status: int) -> None:
    assert operator.get("/accesses", query).status_code == status
    assert operator.get("/accesses", {**query, "format": "csv"}).status_code == status or "after" in query


def test_only_operators_see_it(auditor: Client, officer: Client) -> None:
    assert auditor.get("/accesses").status_code == officer.get("/accesses").status_code == 403
    assert [row[1:3] for row in recorded()] == [("refused", "accesses")] * 2


def test_the_csv_runs_nothing_in_a_spreadsheet(operator: Client) -> None:
    add(who='=HYPERLINK("x")', subject="+1", route="@x")
    answer = operator.get("/accesses", {"format": "csv", "who": "HYPERLINK"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    header, row = csv.reader(io.StringIO(text))
    assert header[:3] == ["at", "who", "action"]
    assert (row[1], row[3], row[4]) == ('\'=HYPERLINK("x")', "'@x", "'+1")


def test_names_are_shown_and_never_run(operator: Client) -> None:
    add(who="<script>alert(1)</script>", subject="<img src=x>")
    page = operator.get("/accesses").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page


def test_records_go_when_their_time_is_over(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    people = replace(config.current().people, access_days=30)
    settings = replace(config.current(), people=people)
    monkeypatch.setattr(access_records, "current", lambda: settings)
    monkeypatch.setattr(access_records, "_CHUNK", 2)
    add(5, at_us=now_us() - 31 * DAY_US)
    add(2, at_us=now_us() - 29 * DAY_US)
    assert access_records.forget_old() == 5
    assert AccessRecord.objects.count() == 2

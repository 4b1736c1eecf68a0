"""Taking a statement back on its page: who may, asked for twice, and what the page says from then on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from lineage.db.models import Entry
from tests import factories
from tests.factories import PERSON
from tests.integration.projections import send

URL = "/attestations/{}"


@pytest.fixture
def sent(log: None) -> str:
    """The digest of an attestation's envelope."""
    index = send(factories.registered(), factories.statement(factories.artifact("model")))
    return f"sha256:{Entry.objects.get(pk=index).envelope_digest}"


def page(client: Client, digest: str, at: str = "") -> str:
    answer = client.get(URL.format(digest) + (f"?as_of={at}" if at else ""))
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_officer_withdraws_and_the_page_says_who_and_why(
    officer: Client, auditor: Client, sent: str
) -> None:
    before = Entry.objects.count()
    assert "Withdraw this statement" in page(officer, sent)
    answer = officer.post(
        f"{URL.format(sent)}/withdraw", {"reason": "wrong <b>dataset</b>", "confirm": "yes"}
    )
    assert (answer.status_code, answer["Location"]) == (302, URL.format(sent))
    assert Entry.objects.count() == before + 1
    decided = f"sha256:{Entry.objects.get(pk=before).envelope_digest}"
    for text in (page(officer, sent), page(auditor, sent)):
        for words in (
            "Withdrawn by",
            "wrong &lt;b&gt;dataset&lt;/b&gt;",
            f"entry {before}",
            URL.format(decided),
        ):
            assert words in text, words
        assert "Withdraw this statement" not in text
    then = page(officer, sent, str(before))
    assert "Withdrawn by" not in then
    assert "Withdraw this statement" not in then, "nobody decides in the past"
    told = page(auditor, decided)
    assert "withdraw-statement" in told
    assert "Withdraw this statement" not in told


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": "why"}, "Tick that you are sure"),
        ({"reason": "", "confirm": "yes"}, "A reason is one printable line"),
        ({"reason": "x" * 2_001, "confirm": "yes"}, "A reason is one printable line"),
        ({"confirm": "yes"}, "A reason is one printable line"),
    ],
    ids=["not sure", "no reason", "too long", "no field"],
)
def test_what_is_refused_is_said_on_the_page(
    officer: Client, sent: str, fields: dict[str, str], words: str
) -> None:
    before = Entry.objects.count()
    answer = officer.post(f"{URL.format(sent)}/withdraw", fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert fields.get("reason", "")[:50] in answer.content.decode()
    assert Entry.objects.count() == before


def test_twice_is_refused(officer: Client, sent: str) -> None:
    fields = {"reason": "why", "confirm": "yes"}
    assert officer.post(f"{URL.format(sent)}/withdraw", fields).status_code == 302
    answer = officer.post(f"{URL.format(sent)}/withdraw", fields)
    assert answer.status_code == 422
    assert "is withdrawn already" in answer.content.decode()


def test_an_auditor_and_a_foreign_page_may_not(person: Callable[[str], Client], sent: str) -> None:
    fields = {"reason": "why", "confirm": "yes"}
    before = Entry.objects.count()
    auditor = person("auditor")
    assert "Withdraw this statement" not in page(auditor, sent)
    assert auditor.post(f"{URL.format(sent)}/withdraw", fields).status_code == 403
    assert Client().post(f"{URL.format(sent)}/withdraw", fields).status_code == 302, "to the sign-in page"
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = person("officer").cookies
    assert strict.post(f"{URL.format(sent)}/withdraw", fields).status_code == 403
    assert Entry.objects.count() == before


def test_an_unknown_attestation_is_none(officer: Client, sent: str) -> None:
    answer = officer.post(f"{URL.format('sha256:' + '0' * 64)}/withdraw", {"reason": "x", "confirm": "yes"})
    assert answer.status_code == 404


def test_by_rest_and_at_the_command_line(log: None, sent: str) -> None:
    statement = f"sha256:{Entry.objects.get(envelope_digest=sent[7:]).statement_digest}"
    client = Client(headers={"authorization": f"Bearer {factories.token('read', 'decide')}"})
    body = {"action": "withdraw-statement", "statement": statement, "reason": "why"}
    answer = client.post("/api/v1/decisions", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    told = client.get(f"/api/v1/attestations/{sent}").json()
    assert (told["trust"], told["withdrawn"]["reason"]) == ("revoked", "why")
    assert told["withdrawn"]["digest"] == answer.json()["digest"]
    again = client.post("/api/v1/decisions", body, content_type="application/json")
    assert (again.status_code, again.json()["where"]) == (409, "statement")
    reader = Client(headers={"authorization": f"Bearer {factories.token('read')}"})
    assert reader.post("/api/v1/decisions", body, content_type="application/json").status_code == 403
    assert PERSON not in told["withdrawn"]["person"]

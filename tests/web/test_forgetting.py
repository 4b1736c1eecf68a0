"""The page of holds, retention and redactions, and redacting on an attestation's own page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from lineage.db.models import Entry, Envelope
from tests import factories
from tests.integration.projections import key_of, send

URL = "/attestations/{}"
HERE = "/forgetting"
MUCH = "\n".join(f"sha256:{number:064x}" for number in range(1_500))


@pytest.fixture
def sent(log: None, graph: Callable[[], int]) -> str:
    """The digest of an attestation's envelope."""
    who = factories.registered()
    send(who, factories.provenance([factories.artifact("next")], [factories.artifact("model")]))
    index = send(who, factories.statement(factories.artifact("model")))
    graph()
    return f"sha256:{Entry.objects.get(pk=index).envelope_digest}"


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_officer_redacts_and_pages_say_who_and_why(
    officer: Client, auditor: Client, sent: str, graph: Callable[[], int]
) -> None:
    decision = Entry.objects.count()
    assert "Erase what this entry says" in page(officer, URL.format(sent))
    assert "Erase what this entry says" not in page(auditor, URL.format(sent))
    answer = officer.post(f"{URL.format(sent)}/redact", {"reason": "names <b>Ada</b>", "confirm": "yes"})
    assert (answer.status_code, answer["Location"]) == (302, URL.format(sent))
    assert not Envelope.objects.filter(entry__envelope_digest=sent.removeprefix("sha256:")).exists()
    graph()
    for client in (officer, auditor):
        text = page(client, URL.format(sent))
        for words in ("Redacted by", "names &lt;b&gt;Ada&lt;/b&gt;", f"entry {decision}", "erased"):
            assert words in text, words
        for words in ("Erase what this entry says", "Download envelope", "Decoded statement", "Withdraw it"):
            assert words not in text, words
        node = page(client, f"/artifacts/{key_of('model')}")
        assert "A statement about it is redacted" in node
        assert "names &lt;b&gt;Ada&lt;/b&gt;" in node
        listed = page(client, "/attestations")
        assert "Redacted by" in listed
        assert "names &lt;b&gt;Ada&lt;/b&gt;" in page(client, HERE)
    gone = auditor.get(f"{URL.format(sent)}/envelope")
    assert gone.status_code == 410
    assert "redacted" in gone.content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": "why"}, "Tick that you are sure"),
        ({"reason": "", "confirm": "yes"}, "A reason is one printable line"),
    ],
    ids=["not sure", "no reason"],
)
def test_what_is_refused_is_said(officer: Client, sent: str, fields: dict[str, str], words: str) -> None:
    answer = officer.post(f"{URL.format(sent)}/redact", fields)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Not redacted." in text
    assert words in text
    assert Envelope.objects.filter(entry__envelope_digest=sent.removeprefix("sha256:")).exists()


def test_holds_on_the_page(officer: Client, auditor: Client, sent: str) -> None:
    index = Entry.objects.count()
    fields = {"act": "hold", "name": "case <7>", "named": f"{sent}\n\n", "reason": "a court"}
    assert officer.post(HERE, fields).status_code == 302
    for client in (officer, auditor):
        assert "case &lt;7&gt;" in page(client, HERE)
    refused = officer.post(f"{URL.format(sent)}/redact", {"reason": "why", "confirm": "yes"})
    assert (refused.status_code, f"The hold of entry {index} covers it" in refused.content.decode()) == (
        422,
        True,
    )
    assert officer.post(HERE, {"act": "release", "hold": str(index), "reason": "over"}).status_code == 302
    assert "case &lt;7&gt;" not in page(auditor, HERE).split("Redactions")[0]


def test_a_retention_policy_on_the_page(officer: Client, auditor: Client, log: None) -> None:
    assert "Everything is kept for ever" in page(auditor, HERE)
    classes = [{"name": "what was seen", "days": 30, "kinds": ["observation"]}]
    fields = {"act": "retention", "classes": json.dumps(classes), "reason": "the board"}
    assert officer.post(HERE, fields).status_code == 302
    text = page(auditor, HERE)
    assert "what was seen" in text
    assert "30 days" in text
    assert "&quot;days&quot;: 30" in page(officer, HERE), "the form begins with what is in force"
    assert officer.post(HERE, fields).status_code == 422, "it is in force already"


@pytest.mark.parametrize(
    "fields",
    [
        {"act": "hold", "name": "n", "named": "", "reason": "r"},
        {"act": "hold", "name": "n", "named": "nonsense", "reason": "r"},
        {"act": "hold", "name": "", "named": "everything", "reason": "r"},
        {"act": "hold", "name": "n", "named": "everything", "reason": ""},
        {"act": "hold", "name": "n", "named": MUCH, "reason": "r"},
        {"act": "release", "hold": "x", "reason": "r"},
        {"act": "release", "hold": "9" * 18, "reason": "r"},
        {"act": "retention", "classes": "[", "reason": "r"},
        {"act": "retention", "classes": '[{"name": "x", "days": 1, "other": 1}]', "reason": "r"},
        {"act": "retention", "classes": "[" * 100_000, "reason": "r"},
        {"act": "nothing"},
        {},
    ],
    ids=[
        "nothing held", "no digest", "no name", "no reason", "too much", "no hold", "unknown hold",
        "no JSON", "unknown member", "deep", "no such act", "no act",
    ],
)  # fmt: skip
def test_what_can_not_be_decided_is_said_on_the_page(
    officer: Client, log: None, fields: dict[str, str]
) -> None:
    before = Entry.objects.count()
    answer = officer.post(HERE, fields)
    assert answer.status_code == 422
    assert "Not decided." in answer.content.decode()
    assert Entry.objects.count() == before


def test_only_officers_decide(auditor: Client, sent: str) -> None:
    assert auditor.post(HERE, {"act": "hold"}).status_code == 403
    assert auditor.post(f"{URL.format(sent)}/redact", {"reason": "r", "confirm": "yes"}).status_code == 403

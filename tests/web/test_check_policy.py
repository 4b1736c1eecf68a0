"""The page of the check policy: in words, as of a moment, and decided by officers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import Entry
from lineage.graph import check_policy
from lineage.graph.check_policy import CheckPolicy, Limits, Rule, Schedule
from lineage.services import check_policies, decide_checks
from lineage.web.check_policy import EXAMPLE

URL = "/check-policy"
WHO = "officer@example.com"


def page(client: Client, address: str = URL) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def adopt(client: Client, policy: Any) -> Any:
    text = policy if isinstance(policy, str) else json.dumps(policy, indent=2)
    return client.post(URL, {"policy": text})


def test_without_a_decision_it_tells_the_default(auditor: Client) -> None:
    text = page(auditor)
    assert "Nobody has decided yet" in text
    assert "Every 7 days, the digest that names it is computed again." in text
    assert "No limits" in text
    assert "<textarea" not in text, "an auditor decides nothing"


def test_what_was_decided_is_told_in_words_as_of_its_moment(auditor: Client, log: None) -> None:
    policy = CheckPolicy(
        Schedule(full=30 * 86_400),
        (Rule("loans", Schedule(3600, None, 86_400), frozenset({"model"}), frozenset({"critical"})),),
        (Limits("s3://models", 50_000_000, 1, ((480, 1080),)),),
    )
    index = decide_checks.set_check_policy(policy, person=WHO).receipt.index
    text = page(auditor)
    for words in (WHO, f"entry {index}", "“loans”: copies of artifacts with the role model that are critical",
                  "Every day, the digest", "Every hour, some of its recorded shards",
                  "All other copies", "50,000,000 bytes a second", "one check at a time",
                  "no checks from 08:00 to 18:00 UTC"):  # fmt: skip
        assert words in text, words
    then = page(auditor, f"{URL}?as_of={index}")
    assert "Nobody has decided yet" in then
    assert "In force then" in then


def test_an_officer_adopts_one(person: Callable[[str], Client]) -> None:
    officer = person("officer")
    assert '"full": "7d"' in page(officer).replace("&quot;", '"')
    answer = officer.post(URL, {"policy": json.dumps(EXAMPLE)}, follow=True)
    assert answer.redirect_chain == [(URL, 302)]
    text = answer.content.decode()
    assert "The policy is in force from entry" in text
    assert "officer-" in text
    assert check_policies.current() == check_policy.parse(json.dumps(EXAMPLE).encode())
    assert "is in force already" in adopt(officer, EXAMPLE).content.decode()


@pytest.mark.parametrize(
    ("policy", "line", "complaint"),
    [
        ({"default": {"full": "1 week"}}, 3, "A period is a number"),
        ({"default": {"full": "7d"}, "rules": [{"name": "", "every": {"full": "1d"}}]}, 7, "has a name"),
        ({"default": {"full": "7d"}, "often": True}, None, "often"),
        ('{\n"default": {"full": "7d",}\n}', 2, "not valid JSON"),
        ("", 1, "not valid JSON"),
        ("<script>alert(1)</script>", 1, "not valid JSON"),
        ('{"default": {"full": "7d"}, "default": {"full": "8d"}}', None, "twice"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(
    person: Callable[[str], Client], policy: Any, line: int | None, complaint: str
) -> None:
    officer = person("officer")
    size = Entry.objects.count()
    answer = adopt(officer, policy)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert complaint in text
    assert (f"Line {line}: " in text) if line else ("Line " not in text)
    assert "<script>alert" not in text
    assert 'aria-invalid="true"' in text
    assert Entry.objects.count() == size


def test_auditors_decide_nothing(auditor: Client) -> None:
    assert adopt(auditor, EXAMPLE).status_code == 403
    assert check_policies.current() == check_policy.DEFAULT

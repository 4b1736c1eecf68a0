"""Decisions about artifacts and their checks, the whole way: decided, projected, judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lineage.db.models import Copy, Entry
from lineage.errors import ConflictError, LineageError, MalformedError, NotFoundError
from lineage.graph import check_policy
from lineage.graph.check_policy import CheckPolicy, Rule, Schedule
from lineage.services import as_of, check_policies, decision_records, lineage
from lineage.services import decide_checks as decide
from lineage.services.clock import now_us
from lineage.services.receipts import Submitted
from lineage.trust import canonical
from tests import factories
from tests.integration.projections import ROOT, check, key_of, observe, send, status_at

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
WHO = "officer@example.com"
PLACE = f"file://{ROOT}/m.bin"
DAY_US = 24 * 3600 * 1_000_000
ABSENT = "sha256:" + "0" * 64


def known(**members: Any) -> tuple[str, str]:
    """Node key and hex digest of an artifact that somebody signed for."""
    made = factories.artifact(**members)
    send(factories.registered(), factories.statement(made))
    return key_of(made["name"]), factories.sha256(made["name"])


def add(key: str, location: str = PLACE) -> Submitted:
    return decide.add_location(key, location, "found it there", person=WHO)


def test_a_location_that_is_decided_is_a_copy(graph: Follow) -> None:
    key, digest = known()
    before = graph()
    receipt = add(key).receipt
    size = graph()
    assert receipt.subjects[0].digest == {"sha256": digest}
    assert status_at(key, before) == ("verified", "")
    assert status_at(key, size) == ("unverified", "never-checked")
    (copy,) = lineage.node(key, as_of.resolve(None)).copies
    assert (copy.location, copy.trust, copy.outcome) == (PLACE, "asserted", "never-checked")
    assert Copy.objects.get().due_us == 0
    observe(check(digest, PLACE, "match", now_us()))
    assert status_at(key, graph()) == ("verified", "")


def test_a_withdrawn_location_is_judged_no_more_and_back_when_it_is_added_again(graph: Follow) -> None:
    key, digest = known(downloadLocation=PLACE)
    observe(check(digest, PLACE, "mismatch", now_us()))
    bad = graph()
    decide.withdraw_location(key, PLACE, "disk was replaced", person=WHO)
    gone = graph()
    assert status_at(key, bad) == ("failed", "copy-mismatch")
    assert status_at(key, gone) == ("verified", "")
    record = lineage.node(key, as_of.resolve(None))
    assert (record.copies, [one.withdrawn for one in record.mentions]) == ((), [True])
    assert not Copy.objects.exists()
    with pytest.raises(ConflictError):
        decide.withdraw_location(key, PLACE, "again", person=WHO)
    add(key)
    assert status_at(key, graph()) == ("failed", "copy-mismatch"), "what was found there counts again"
    assert status_at(key, gone) == ("verified", "")


def test_how_critical_it_is_decides_which_rule_is_its(graph: Follow) -> None:
    key, digest = known(downloadLocation=PLACE)
    hourly = Rule("critical", Schedule(full=3600), levels=frozenset({"critical"}))
    decide.set_check_policy(CheckPolicy(rules=(hourly,)), person=WHO)
    observe(check(digest, PLACE, "match", now_us()))
    normal = graph()
    first = Copy.objects.get()
    decide.set_criticality(key, "critical", "it is in production", person=WHO)
    size = graph()
    in_two_hours = now_us() + DAY_US // 12
    assert status_at(key, normal, in_two_hours) == ("verified", "")
    assert status_at(key, size, in_two_hours) == ("expired", "check-overdue")
    assert Copy.objects.get().due_us < first.due_us
    decide.set_criticality(key, "normal", "it was taken out", person=WHO)
    assert status_at(key, graph(), in_two_hours) == ("verified", "")
    assert status_at(key, size, in_two_hours) == ("expired", "check-overdue")


def test_a_policy_makes_matches_overdue_earlier_from_its_entry_on(graph: Follow) -> None:
    key, digest = known(downloadLocation=PLACE)
    observe(check(digest, PLACE, "match", now_us() - 2 * DAY_US))
    before = graph()
    policy = CheckPolicy(default=Schedule(quick=3600, full=DAY_US // 1_000_000))
    receipt = decide.set_check_policy(policy, person=WHO).receipt
    size = graph()
    assert status_at(key, before) == ("verified", "")
    assert status_at(key, size) == ("expired", "check-overdue")
    assert (check_policies.as_of(before), check_policies.current()) == (check_policy.DEFAULT, policy)
    assert check_policies.index_of(size) == receipt.index
    (subject,) = receipt.subjects
    assert (subject.name, subject.digest["sha256"]) == (
        "check policy", canonical.digest(check_policy.body(policy))
    )  # fmt: skip
    with pytest.raises(ConflictError, match=f"entry {receipt.index}"):
        decide.set_check_policy(policy, person=WHO)
    decide.set_check_policy(check_policy.DEFAULT, person=WHO)
    assert status_at(key, graph()) == ("verified", "")


def test_the_entry_names_the_person_and_says_what(graph: Follow) -> None:
    key, _ = known()
    graph()
    decide.set_criticality(key, "high", "  a customer asked  ", person=WHO)
    newest = decision_records.listed(as_of.resolve(str(graph()))).decisions[0]
    assert (newest.action, newest.person) == ("criticality", WHO)
    assert msgspec.json.decode(newest.body) == {
        "artifact": key, "reason": "a customer asked", "level": "high"
    }  # fmt: skip
    assert Entry.objects.get(pk=newest.index).kind == Entry.Kind.DECISION
    assert Entry.objects.get(pk=newest.index).policy_index < newest.index, "no key's rights have changed"


def _add(key: str, location: str = PLACE, reason: str = "x") -> object:
    return decide.add_location(key, location, reason, person=WHO)


REFUSED: dict[str, tuple[Callable[[str], object], type[LineageError], str]] = {
    "unknown artifact": (lambda key: _add(ABSENT), NotFoundError, "artifact"),
    "a run": (lambda key: _add("run:" + "0" * 64), MalformedError, "artifact"),
    "what has no digest": (lambda key: _add("uri:" + "0" * 64), MalformedError, "artifact"),
    "no key at all": (lambda key: _add(""), MalformedError, "artifact"),
    "a path": (lambda key: _add(key, "/srv/models/a"), MalformedError, "location"),
    "a space": (lambda key: _add(key, f"{PLACE} b"), MalformedError, "location"),
    "half an escape": (lambda key: _add(key, f"{PLACE}%4"), MalformedError, "location"),
    "a line break": (lambda key: _add(key, f"{PLACE}\nx"), MalformedError, "location"),
    "another letter": (lambda key: _add(key, f"{PLACE}ü"), MalformedError, "location"),
    "U+0000": (lambda key: _add(key, f"{PLACE}\0"), MalformedError, "location"),
    "out of the root": (lambda key: _add(key, f"file://{ROOT}/../x"), MalformedError, "location"),
    "out of the root, encoded": (
        lambda key: _add(key, f"file://{ROOT}/%2e%2e/x"), MalformedError, "location"
    ),
    "another root": (lambda key: _add(key, "file:///etc/passwd"), MalformedError, "location"),
    "a query": (lambda key: _add(key, f"{PLACE}?x"), MalformedError, "location"),
    "no such storage": (lambda key: _add(key, "s3://bucket/a"), MalformedError, "location"),
    "too long": (lambda key: _add(key, f"{PLACE}{'a' * 2000}"), MalformedError, "location"),
    "no reason": (lambda key: _add(key, reason=" "), MalformedError, "reason"),
    "reason of two lines": (lambda key: _add(key, reason="a\nb"), MalformedError, "reason"),
    "endless reason": (lambda key: _add(key, reason="a" * 2001), MalformedError, "reason"),
    "never stated": (
        lambda key: decide.withdraw_location(key, PLACE, "x", person=WHO), NotFoundError, ""
    ),
    "no finding": (
        lambda key: decide.waive(key, "copy-mismatch", None, "x", person=WHO), MalformedError, "finding"
    ),
    "a past end": (
        lambda key: decide.waive(key, "unsafe-format", now_us(), "x", person=WHO), MalformedError, "until"
    ),
    "no level": (
        lambda key: decide.set_criticality(key, "urgent", "x", person=WHO), MalformedError, "level"
    ),
    "seconds": (
        lambda key: decide.set_check_policy(CheckPolicy(Schedule(full=90)), person=WHO),
        MalformedError,
        "",
    ),
    "no full check": (
        lambda key: decide.set_check_policy(CheckPolicy(Schedule(full=None)), person=WHO),
        MalformedError,
        "$.default.full",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_is_refused_and_leaves_nothing(graph: Follow, what: str) -> None:
    key, _ = known()
    graph()
    size = Entry.objects.count()
    attempt, error, where = REFUSED[what]
    with pytest.raises(error) as found:
        attempt(key)
    assert found.value.where == where
    assert Entry.objects.count() == size

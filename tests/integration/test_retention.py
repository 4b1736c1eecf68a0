"""What a retention policy no longer keeps is redacted by decisions that name it; what must stay, stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.db.models import Entry, Envelope, Job
from lineage.errors import ConflictError, MalformedError, UnavailableError
from lineage.services import (
    erasing,
    forgetting,
    holds,
    job_kinds,
    jobs,
    log_head,
    project,
    redactions,
    retention,
)
from lineage.services.clock import now_us
from lineage.services.retention import DAY_US
from lineage.trust.forgetting_decisions import Hold, Redact, Retention, RetentionClass
from tests import factories
from tests.factories import GENERIC, PERSON, SLSA_V1
from tests.integration.projections import ROOT, check, observe, send, send_envelope, the_same_after_a_rebuild
from tests.integration.redacting import stored

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
GENERIC_ALONE = (RetentionClass("anything", 30, predicate_types=(GENERIC,)),)


def adopted(*classes: RetentionClass) -> int:
    return retention.adopt(Retention(classes, "a rule of the house"), person=PERSON).receipt.index


def enforce(at_us: int) -> tuple[int, int]:
    return retention.enforce(at_us, log_head.size())


def after(days: int) -> int:
    return now_us() + days * DAY_US


def test_what_is_older_goes_by_a_decision_that_names_the_policy(graph: Follow) -> None:
    who = factories.registered()
    gone = send(who, factories.statement(factories.artifact("old")))
    kept = send(who, factories.provenance([factories.artifact("model")], invocation="r"))
    policy = adopted(*GENERIC_ALONE)
    graph()
    assert enforce(after(29)) == (0, 0)
    assert enforce(after(31)) == (1, 0)
    assert erasing.carry_out() == 1
    assert [stored(gone), stored(kept)] == [False, True]
    (told,) = redactions.among([Entry.objects.get(pk=gone).envelope_digest]).values()
    assert (told.policy, told.person, told.reason) == (
        policy,
        f"policy:{policy} ({PERSON})",
        retention.REASON,
    )
    graph()
    assert enforce(after(31)) == (0, 0), "once"
    the_same_after_a_rebuild()


def test_the_first_class_counts_and_what_belongs_to_none_stays(graph: Follow) -> None:
    who = factories.registered()
    provenance = send(who, factories.provenance([factories.artifact("model")], invocation="r"))
    generic = send(who, factories.statement())
    seen = observe(check(factories.sha256("m"), f"file://{ROOT}/m.bin", "match", now_us()))
    adopted(
        RetentionClass("for ever", None, predicate_types=(SLSA_V1,)),
        RetentionClass("what pipelines say", 10, kinds=("attestation",)),
    )
    graph()
    assert enforce(after(11)) == (1, 0)
    erasing.carry_out()
    assert [stored(index) for index in (provenance, generic, seen)] == [True, False, True]
    adopted(RetentionClass("all", 20))
    graph()
    assert enforce(after(21)) == (2, 0)
    assert Entry.objects.filter(kind="decision").count() == sum(
        Envelope.objects.filter(entry__envelope_digest=digest).exists()
        for digest in Entry.objects.filter(kind="decision").values_list("envelope_digest", flat=True)
    )


def test_bad_news_and_holds_stay_however_old(graph: Follow) -> None:
    place = f"file://{ROOT}/m.bin"
    who = factories.registered()
    said = send(who, factories.statement(factories.artifact("model", downloadLocation=place)))
    held = send(who, factories.statement(factories.artifact("held")))
    free = send(who, factories.statement(factories.artifact("free")))
    bad = observe(check(factories.sha256("model"), place, "mismatch", now_us()))
    holds.place(Hold("case", "a court", subjects=(f"sha256:{factories.sha256('held')}",)), person=PERSON)
    adopted(RetentionClass("all", 1))
    graph()
    assert enforce(after(2)) == (1, 3)
    erasing.carry_out()
    assert [stored(index) for index in (said, held, free, bad)] == [True, True, False, True]


def test_two_pages_hide_nothing_together(graph: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two say where the bad copy lies: one of them stays, though each alone could go."""
    monkeypatch.setattr(retention, "_PAGE", 1)
    place = f"file://{ROOT}/m.bin"
    model = factories.artifact("model", downloadLocation=place)
    both = [
        send(factories.registered(), factories.statement(model, predicate={"by": number}))
        for number in (1, 2)
    ]
    observe(check(factories.sha256("model"), place, "mismatch", now_us()))
    adopted(RetentionClass("all", 1))
    graph()
    decided, _ = enforce(after(2))
    assert decided == 1
    erasing.carry_out()
    assert [stored(index) for index in both].count(True) == 1


def test_a_statement_that_was_sent_again_counts_by_its_newest_entry(graph: Follow) -> None:
    who = factories.registered()
    made = factories.statement(factories.artifact("model"))
    first = send(who, made)
    middle = now_us()
    again = send_envelope(who.envelope(made, keyid=None))
    adopted(*GENERIC_ALONE)
    graph()
    between = middle + 30 * DAY_US + 1
    assert Entry.objects.get(pk=first).received_us < between - 30 * DAY_US
    assert enforce(between) == (0, 0)
    assert enforce(after(31)) == (2, 0)
    erasing.carry_out()
    assert [stored(first), stored(again)] == [False, False]


def test_the_job_does_it_once_the_graph_is_level(graph: Follow) -> None:
    kinds = [each for each in job_kinds.KINDS if each.name in ("retention", "redact")]
    send(factories.registered(), factories.statement())
    adopted(*GENERIC_ALONE)
    with pytest.raises(UnavailableError):
        enforce(after(31))
    graph()
    assert jobs.enqueue_recurring(kinds) == 1, "nothing is pending, so only the policy is looked at"
    assert jobs.drain("w", kinds=kinds) == 1
    job = Job.objects.get()
    assert (job.state, job.result) == ("done", {"decided": 0, "kept_all_the_same": 0, "erased": 0})


def test_what_a_dead_process_left_is_carried_out_by_a_job(graph: Follow) -> None:
    kinds = [each for each in job_kinds.KINDS if each.name == "redact"]
    index = send(factories.registered(), factories.statement())
    adopted(*GENERIC_ALONE)
    graph()
    enforce(after(31))
    assert stored(index)
    assert jobs.enqueue_recurring(kinds) == 1
    assert jobs.drain("w", kinds=kinds) == 1
    assert not stored(index)
    assert Job.objects.get().result == {"erased": 1}
    assert jobs.enqueue_recurring(kinds) == 0


def test_a_policy_is_adopted_once_and_says_why() -> None:
    index = adopted(*GENERIC_ALONE)
    in_force = retention.current()
    assert in_force is not None
    assert (in_force.decided.index, in_force.policy.classes) == (index, GENERIC_ALONE)
    with pytest.raises(ConflictError, match="in force already"):
        adopted(*GENERIC_ALONE)
    assert retention.current(index) is None
    assert adopted() == index + 1, "none: everything is kept"
    assert [each.index for each in forgetting.below() if isinstance(each.body, Redact)] == []
    assert project.rules().fingerprint() == project.fingerprint()


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        (Retention((RetentionClass("", 1),), "why"), "name"),
        (Retention((RetentionClass("x", 0),), "why"), "days"),
        (Retention((RetentionClass("x", 10**6),), "why"), "days"),
        (Retention((RetentionClass("x", 1, predicate_types=("",)),), "why"), "predicateTypes"),
        (Retention((RetentionClass("x", 1),), ""), "reason"),
        (Retention((RetentionClass("x", 1),) * 101, "why"), "classes"),
    ],
    ids=["no name", "no days", "many days", "no type", "no reason", "many classes"],
)
def test_a_policy_that_is_none(policy: Retention, where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        retention.adopt(policy, person=PERSON)
    assert caught.value.where.endswith(where)

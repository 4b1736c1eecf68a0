"""From the log to the graph tables: whose facts count, in which order, once, and again after any crash."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from lineage.config import current
from lineage.db.models import LogHead, Node, SkippedEntry, StatusInterval, Support
from lineage.graph import sql
from lineage.graph.model import deployment_key, run_key
from lineage.services import keyring, platform_keys, project
from lineage.services.clock import now_us
from lineage.services.trust_cutoffs import cutoffs
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from lineage.trust.policy import Scopes
from tests import factories
from tests.integration.projections import (
    DEPLOYMENT,
    ROOT,
    TRAINING_RUN,
    RandomLog,
    check,
    deployment,
    dump,
    fresh_timelines,
    observe,
    send,
    send_envelope,
    status_at,
    timelines,
)

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]


@pytest.fixture
def storage_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files under `ROOT` are copies."""
    rooted = replace(current(), storage_roots=(Path(ROOT),))
    monkeypatch.setattr(project, "current", lambda: rooted)


def follow(limit: int) -> None:
    while project.project_pending(limit):
        pass


def key_of(name: str) -> str:
    return f"sha256:{factories.sha256(name)}"


def test_entry_0_makes_the_platforms_keys(graph: Follow) -> None:
    assert graph() == 1
    assert Node.objects.filter(kind="signer").count() == 4
    assert set(StatusInterval.objects.values_list("status", flat=True)) == {"verified"}


def test_nothing_pending_is_no_work(graph: Follow) -> None:
    graph()
    assert project.project_pending() == 0
    assert project.watermark() == LogHead.objects.get(pk=1).size


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_size_of_batches_makes_no_difference(seed: int) -> None:
    grown = RandomLog(seed)
    for _ in range(6):
        grown.grow(20)
        follow(1)
    one_by_one = dump()
    assert len({row[5] for row in one_by_one["statuses"]}) == 4, "the log reaches every status"
    for limit in (7, 500):
        project._reset(project._state())
        follow(limit)
        assert dump() == one_by_one
    seen: list[tuple[int, int]] = []
    size = LogHead.objects.get(pk=1).size
    assert project.rebuild(lambda done, total: seen.append((done, total))) == size
    assert dump() == one_by_one
    assert seen[-1] == (size, size)


@pytest.mark.parametrize("seed", [4, 9])
def test_statuses_are_what_the_rows_below_each_size_say(seed: int) -> None:
    """At each tree size: every node has one gapless timeline, the one that its rows up to there make."""
    RandomLog(seed).grow(120)
    follow(50)
    rows = dump()
    for size in range(1, project.watermark() + 1):
        believed = {f"key:{key_id}": index for key_id, index in cutoffs(keyring.as_of(size)).items()}
        assert timelines(rows, size) == fresh_timelines(rows, size, believed, project.rules()), size


def test_an_entry_that_changes_no_status_writes_none() -> None:
    who = factories.registered()
    subject = factories.artifact()
    send(who, factories.statement(subject))
    follow(500)
    before = dump()["statuses"]
    send(who, factories.statement(subject, predicate={"again": 1}))
    follow(500)
    assert dump()["statuses"] == before


def test_a_crash_inside_a_batch_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    RandomLog(5).grow(40)
    follow(10)
    expected = dump()
    project._reset(project._state())
    apply, calls = sql.apply, []

    def apply_and_die(cursor: Any, rows: sql.Rows) -> None:
        apply(cursor, rows)
        calls.append(rows)
        if len(calls) % 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(sql, "apply", apply_and_die)
    for _ in range(100):
        before = project.watermark()
        try:
            if not project.project_pending(10):
                break
        except KeyboardInterrupt:
            assert project.watermark() == before
    assert dump() == expected
    assert len(calls) > 6


def test_projectors_at_the_same_time_do_each_entry_once() -> None:
    RandomLog(6).grow(60)
    follow(5)
    expected = dump()
    project._reset(project._state())
    barrier = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            barrier.wait()
            follow(5)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert dump() == expected


def test_a_statement_that_cannot_be_digested_is_marked_and_skipped(graph: Follow) -> None:
    who = factories.registered()
    bad = send(who, factories.statement(predicate_type=TRAINING_RUN, predicate={"activity": 7}))
    good = factories.artifact()
    send(who, factories.statement(good))
    size = graph()
    assert [(row.index, bool(row.reason)) for row in SkippedEntry.objects.all()] == [(bad, True)]
    assert not Support.objects.filter(index=bad).exists()
    assert status_at(key_of(good["name"]), size) == ("verified", "")


def test_a_revocation_in_the_past_is_told_from_its_entry_on(graph: Follow) -> None:
    lost, kept = factories.registered(), factories.registered()
    alone, both = factories.artifact(), factories.artifact()
    early = factories.artifact()
    send(lost, factories.statement(early))
    from_us = now_us()
    send(lost, factories.statement(alone))
    send(lost, factories.statement(both))
    send(kept, factories.statement(both))
    before = graph()
    factories.revoke(lost, from_us, compromised=True)
    after = graph()
    assert status_at(key_of(alone["name"]), before) == ("verified", "")
    assert status_at(key_of(alone["name"]), after) == ("unverified", "signer-revoked")
    assert status_at(key_of(both["name"]), after) == ("verified", "")
    assert status_at(key_of(early["name"]), after) == ("verified", "")
    assert status_at(f"key:{lost.key_id}", before) == ("verified", "")
    assert status_at(f"key:{lost.key_id}", after) == ("failed", "key-compromised")
    assert status_at(f"key:{lost.key_id}", after, from_us - 1) == ("verified", "")


def test_a_revocation_reaches_deployments_of_what_it_disbelieves(graph: Follow) -> None:
    lost, kept = factories.registered(), factories.registered()
    deployed = factories.artifact()
    send(lost, factories.statement(deployed))
    observe(check(factories.sha256(deployed["name"]), f"file://{ROOT}/x", "match", now_us()))
    send(kept, deployment("shop", deployed) | {"predicateType": DEPLOYMENT})
    own = deployment_key(kept.key_id, "shop")
    before = graph()
    assert status_at(own, before) == ("verified", "")
    factories.revoke(kept)
    after = graph()
    assert status_at(own, after) == ("unverified", "signer-revoked")
    assert status_at(key_of(deployed["name"]), after) == ("verified", ""), "the other signer still attests it"


def test_checks_of_a_revoked_key_are_forgotten_and_earlier_ones_come_back(graph: Follow) -> None:
    owner, checker = factories.registered(), factories.registered()
    place = f"file://{ROOT}/m.bin"
    model = factories.artifact(downloadLocation=place)
    digest = factories.sha256(model["name"])
    send(owner, factories.statement(model))
    send(checker, check(digest, place, "match", now_us()))
    from_us = now_us()
    send(checker, check(digest, place, "mismatch", now_us()))
    size = graph()
    assert status_at(f"sha256:{digest}", size) == ("failed", "copy-mismatch")
    factories.revoke(checker, from_us)
    assert status_at(f"sha256:{digest}", graph()) == ("verified", "")


def test_of_one_outcome_too_the_earlier_check_comes_back(graph: Follow) -> None:
    owner, checker = factories.registered(), factories.registered()
    place, day_us = f"file://{ROOT}/m.bin", 24 * 3600 * 1_000_000
    model = factories.artifact(downloadLocation=place)
    digest = factories.sha256(model["name"])
    send(owner, factories.statement(model))
    send(checker, check(digest, place, "match", now_us() - 5 * day_us))
    from_us = now_us()
    send(checker, check(digest, place, "match", now_us()))
    in_three_days = now_us() + 3 * day_us
    assert status_at(f"sha256:{digest}", graph(), in_three_days) == ("verified", "")
    factories.revoke(checker, from_us)
    size = graph()
    assert status_at(f"sha256:{digest}", size) == ("verified", "")
    assert status_at(f"sha256:{digest}", size, in_three_days) == ("expired", "check-overdue")


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_run_remembers_what_had_no_digest(graph: Follow, side: str) -> None:
    """The later statement says nothing of it, so it must be found in the tables."""
    one, two = factories.registered(), factories.registered()
    model, weak = factories.artifact(), {"name": "glossary", "digest": {"md5": "0" * 32}}
    invocation = factories.fresh("run")
    outputs, inputs = ([model, weak], []) if side == "output" else ([model], [weak])
    send(one, factories.provenance(outputs, inputs, invocation=invocation))
    run = run_key(factories.BUILDER, invocation, "")
    assert status_at(run, graph()) == ("unverified", "input-undigested")
    send(two, factories.provenance([model], invocation=invocation))
    assert status_at(run, graph()) == ("unverified", "input-undigested")
    factories.revoke(one)
    assert status_at(run, graph()) == ("verified", "")


def test_a_deployment_follows_its_artifact(graph: Follow) -> None:
    who = factories.registered()
    place = f"file://{ROOT}/m.bin"
    model = factories.artifact(downloadLocation=place)
    digest = factories.sha256(model["name"])
    send(who, deployment("shop", model))
    own = deployment_key(who.key_id, "shop")
    sizes = [graph()]
    for outcome in ("match", "mismatch", "match"):
        observe(check(digest, place, outcome, now_us()))
        sizes.append(graph())
    assert [status_at(own, size) for size in sizes] == [
        ("unverified", "never-checked"),
        ("verified", ""),
        ("failed", "copy-mismatch"),
        ("verified", ""),
    ]
    week_us = 7 * 24 * 3600 * 1_000_000
    assert status_at(own, sizes[-1], now_us() + week_us) == ("expired", "check-overdue")


def test_the_same_statement_by_the_same_signer_counts_once(graph: Follow) -> None:
    one, two = factories.registered(), factories.registered()
    made = factories.provenance([factories.artifact()])
    first = send(one, made)
    again = send_envelope(one.envelope(made, keyid=None))
    other = send(two, made)
    graph()
    assert set(Support.objects.values_list("index", flat=True)) == {first, other}
    assert again == first + 1


def test_a_second_signer_in_a_repeated_statement_counts_for_itself(graph: Follow) -> None:
    one, two = factories.registered(), factories.registered()
    made = factories.provenance([factories.artifact()])
    send(one, made)
    payload = factories.as_payload(made)
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [one.signature(payload), two.signature(payload)])
    )
    graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{two.key_id}"}


def test_a_signer_that_may_not_say_it_gives_no_facts(graph: Follow) -> None:
    wide = factories.registered()
    narrow = factories.registered(Scopes(predicate_types=("https://example.com/other",)))
    made = factories.provenance([factories.artifact()])
    payload = factories.as_payload(made)
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [narrow.signature(payload), wide.signature(payload)])
    )
    graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{wide.key_id}"}


def test_a_key_that_is_not_in_force_gives_no_facts(graph: Follow) -> None:
    wide = factories.registered()
    ended = factories.registered(not_after_us=now_us() - 1)
    payload = factories.as_payload(factories.provenance([factories.artifact()]))
    both = send_envelope(
        factories.pack(payload, INTOTO_PAYLOAD_TYPE, [ended.signature(payload), wide.signature(payload)])
    )
    size = graph()
    signers = Support.objects.filter(index=both).values_list("signer__key", flat=True)
    assert set(signers) == {f"key:{wide.key_id}"}
    assert status_at(f"key:{ended.key_id}", size) == ("expired", "key-ended")


def test_trust_is_by_the_kind_of_entry(graph: Follow) -> None:
    seen = factories.artifact()
    observe(factories.statement(seen), platform_keys.load().collector)
    assert status_at(key_of(seen["name"]), graph()) == ("unverified", "observed-only")


def test_a_check_from_the_future_counts_as_of_its_log_time(graph: Follow) -> None:
    who = factories.registered()
    place = f"file://{ROOT}/m.bin"
    model = factories.artifact(downloadLocation=place)
    digest = factories.sha256(model["name"])
    send(who, factories.statement(model))
    year_us = 365 * 24 * 3600 * 1_000_000
    send(who, check(digest, place, "match", now_us() + year_us))
    send(who, check(digest, place, "mismatch", now_us()))
    assert status_at(f"sha256:{digest}", graph()) == ("failed", "copy-mismatch")


def test_other_rules_rebuild_the_graph(
    graph: Follow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    who = factories.registered()
    model = factories.artifact(downloadLocation="file:///elsewhere/m.bin")
    send(who, factories.statement(model))
    assert status_at(key_of(model["name"]), graph()) == ("verified", "")
    moved = replace(current(), storage_roots=(Path("/elsewhere"),))
    monkeypatch.setattr(project, "current", lambda: moved)
    size = graph()
    assert size == LogHead.objects.get(pk=1).size
    assert status_at(key_of(model["name"]), size) == ("unverified", "never-checked")
    assert "rebuilt" in caplog.text


def test_a_projector_that_a_rebuild_overtook_writes_nothing() -> None:
    RandomLog(7).grow(10)
    follow(5)
    state = project._state()
    with connection.cursor() as cursor:
        assert not sql.advance(cursor, replace(state, generation=state.generation + 1), 0)
        assert not sql.advance(cursor, replace(state, projected=state.projected + 1), 0)
    assert project.watermark() == state.projected

"""Statuses along the log: revocations in the past, checks in any order, deployments that follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.graph.model import deployment_key, run_key
from lineage.services.clock import now_us
from tests import factories
from tests.integration.projections import ROOT, check, deployment, key_of, observe, send, status_at

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]


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
    send(kept, deployment("shop", deployed))
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
    send(who, factories.statement(model))
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

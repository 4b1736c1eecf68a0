"""What went wrong can't be redacted away: failures, contested origins and taints stay as they were shown."""

from __future__ import annotations

import pytest

from lineage.db.models import Entry
from lineage.errors import ConflictError
from lineage.graph.model import place_key, supplier_key
from lineage.services import as_of, decide_taint, gate, lineage
from lineage.services.clock import now_us
from tests import factories
from tests.integration.projections import (
    ROOT,
    RandomLog,
    check,
    deployment,
    key_of,
    machine_in,
    observe,
    send,
    status_at,
    the_same_after_a_rebuild,
    trained_on,
)
from tests.integration.redacting import Follow, fetched, redacted, stored

DATASET = "urn:lineage:predicate:dataset:v1"
PLACE = "urn:lineage:predicate:place:v1"

pytestmark = pytest.mark.usefixtures("log", "storage_root")


def test_what_went_wrong_and_what_was_decided_stays(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    stated = send(
        factories.registered(), factories.statement(factories.artifact("model", downloadLocation=place))
    )
    good = observe(check(digest, place, "match", now_us()))
    bad = observe(check(digest, place, "mismatch", now_us()))
    lost = observe(check(digest, place, "inconclusive", now_us()))
    for index, says in (
        (0, "decision"),
        (stated - 1, "decision"),
        (bad, "not as expected"),
        (lost, "not as"),
    ):
        with pytest.raises(ConflictError, match=f"Entry {index} can't be redacted. .*{says}"):
            redacted(index)
        with pytest.raises(ConflictError):
            redacted(good, index)
    assert all(stored(index) for index in (good, bad, lost))
    redacted(good)
    assert not stored(good)
    assert status_at(f"sha256:{digest}", graph()) == ("failed", "copy-mismatch")
    the_same_after_a_rebuild()


def test_a_statement_that_says_where_a_bad_copy_lies_stays(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    model = factories.artifact("model", downloadLocation=place)
    said = send(factories.registered(), factories.statement(model))
    observe(check(digest, place, "mismatch", now_us()))
    with pytest.raises(ConflictError, match=r"no longer be shown as failed \(copy-mismatch\)"):
        redacted(said)
    again = send(factories.registered(), factories.statement(model, predicate={"by": "another"}))
    redacted(said)
    assert status_at(f"sha256:{digest}", graph()) == ("failed", "copy-mismatch")
    with pytest.raises(ConflictError):
        redacted(again)


def test_a_statement_that_binds_a_bad_digest_to_another_stays(graph: Follow) -> None:
    """Where only the other is asked for, nobody would know that its bytes have failed."""
    place, model = f"file://{ROOT}/m.bin", factories.artifact("model")
    both = {**model, "digest": {**model["digest"], "sha512": "5" * 128}}
    bound = send(factories.registered(), factories.statement(both))
    send(factories.registered(), factories.statement(factories.artifact("model", downloadLocation=place)))
    observe(check(factories.sha256("model"), place, "match", now_us()))
    graph()
    good = send(factories.registered(), factories.statement(both, predicate={"by": "one more"}))
    redacted(good)
    observe(check(factories.sha256("model"), place, "mismatch", now_us()))
    with pytest.raises(ConflictError, match="went wrong under another digest"):
        redacted(bound)
    again = send(factories.registered(), factories.statement(both, predicate={"by": "another"}))
    redacted(bound)
    with pytest.raises(ConflictError):
        redacted(again)
    graph()
    answer = gate.judge(f"sha512:{'5' * 128}", accept_unchecked=True)
    assert (answer.verdict, [each.slug for each in answer.reasons]) == ("closed", ["same-bytes"])


def test_a_contested_origin_stays_contested(graph: Follow) -> None:
    made = factories.artifact("model")
    first, second = (
        send(factories.registered(), factories.provenance([made], invocation=run)) for run in ("one", "two")
    )
    for index in (first, second):
        with pytest.raises(ConflictError, match="contested-origin"):
            redacted(index)
    assert status_at(key_of("model"), graph()) == ("unverified", "contested-origin")


def test_what_a_deployment_runs_stays_while_it_has_failed(graph: Follow) -> None:
    place, digest = f"file://{ROOT}/m.bin", factories.sha256("model")
    who = factories.registered()
    send(who, factories.statement(factories.artifact("model", downloadLocation=place)))
    deployed = send(who, deployment("production", factories.artifact("model")))
    observe(check(digest, place, "mismatch", now_us()))
    with pytest.raises(ConflictError, match=r"runs what is wrong|turned failed"):
        redacted(deployed)
    observe(check(digest, place, "match", now_us()))
    redacted(deployed)


def test_a_taint_stays(graph: Follow) -> None:
    thief, who, other = (factories.registered() for _ in range(3))
    data, model, final = (factories.artifact(name) for name in ("data", "model", "final"))
    stolen = send(thief, factories.statement(data))
    link = send(who, factories.provenance([model], [data], invocation="a"))
    on = send(who, factories.provenance([final], [model], invocation="b"))
    free = send(who, factories.statement(factories.artifact("free")))
    factories.revoke(thief, compromised=True)
    graph()
    for index in (stolen, link, on):
        with pytest.raises(ConflictError, match="tainted"):
            redacted(index)
    redacted(free)
    twin = factories.provenance([model], [data], invocation="a")
    twin["predicate"]["note"] = "without the person's name"
    send(other, twin)
    redacted(link)
    size = as_of.resolve(str(graph()))
    assert lineage.node(key_of("final"), size).tainted
    the_same_after_a_rebuild()


def test_a_taint_by_a_supplier_a_machine_or_a_place_stays(graph: Follow) -> None:
    """What alone says that something came from there, ran there, or lies there."""
    who, machine, data = factories.registered(), factories.artifact("gpu"), factories.artifact("data")
    named = {"name": "data", "version": "1", "license": "internal"}
    supplied = send(
        who, factories.statement(data, predicate_type=DATASET, predicate=named | {"supplier": {"name": "S"}})
    )
    stands = send(who, machine_in(machine, "hall"))
    where = {"name": "hall", "country": "DE"}
    lies = send(who, factories.statement(factories.artifact("hall"), predicate_type=PLACE, predicate=where))
    ran = send(who, trained_on(machine, "made"))
    graph()
    for bad in (place_key("DE"), supplier_key("S")):
        decide_taint.designate(bad, "as the auditors found", person=factories.PERSON)
    graph()
    assert wrong()["tainted"] >= {key_of("data"), key_of("made"), place_key("hall")}
    for index in (supplied, stands, lies, ran):
        with pytest.raises(ConflictError, match="tainted"):
            redacted(index)
    for bad in (place_key("DE"), supplier_key("S")):
        decide_taint.clear(bad, "they were wrong", person=factories.PERSON)
    graph()
    for index in (supplied, stands, lies, ran):
        redacted(index)


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 8))]
)
def test_nothing_that_went_wrong_is_hidden_whatever_is_redacted(graph: Follow, seed: int) -> None:
    """Of a random log all is redacted that may be: who had failed, was contested or tainted, still is."""
    RandomLog(seed).grow(40)
    graph()
    before = wrong()
    assert any(before.values())
    gone, order = 0, ("index", "-index")[seed % 2]
    for index in Entry.objects.exclude(kind="decision").order_by(order).values_list("index", flat=True):
        if stored(index):
            try:
                redacted(index)
                gone += 1
            except ConflictError:
                continue
    assert gone
    graph()
    after = wrong()
    for reason, keys in before.items():
        assert keys <= after[reason], reason
    the_same_after_a_rebuild()


def wrong() -> dict[str, set[str]]:
    """Keys of nodes by what is wrong with them now."""
    now = as_of.resolve(None)
    found: dict[str, set[str]] = {reason: set() for reason in ("failed", "contested-origin", "tainted")}
    for (key,) in fetched("SELECT key FROM graph_node WHERE kind <> 'signer'"):
        node = lineage.node(key, now)
        if node.status == "failed":
            found["failed"].add(key)
        if "contested-origin" in node.reasons:
            found["contested-origin"].add(key)
        if node.tainted:
            found["tainted"].add(key)
    return found

"""Statements that are taken back: what was believed of them stays as of before, and counts nowhere after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lineage.db.models import Entry
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph.model import run_key
from lineage.predicates.inventory import Inventory, InventoryFile
from lineage.services import (
    append,
    as_of,
    decision_records,
    inventories,
    lineage,
    records,
    withdraw,
)
from lineage.services.clock import now_us
from tests import factories
from tests.factories import BUILDER, PERSON
from tests.integration.projections import (
    ROOT,
    check,
    deployment,
    key_of,
    observe,
    send,
    send_envelope,
    status_at,
    the_same_after_a_rebuild,
)

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
WHY = "signed by mistake"


def taken_back(index: int) -> int:
    """Withdraw the statement of an entry; returns the decision's index."""
    digest = Entry.objects.values_list("statement_digest", flat=True).get(pk=index)
    return withdraw.withdraw(f"sha256:{digest}", WHY, person=PERSON).receipt.index


def record(index: int, size: int) -> records.AttestationRecord:
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)
    return records.attestation(f"sha256:{digest}", as_of.resolve(str(size)))


def test_what_it_said_is_not_believed_from_the_decision_on(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    made, data = factories.artifact("model"), factories.artifact("data")
    said = send(who, factories.provenance([made], [data], invocation="r"))
    both = factories.artifact("both")
    twice = send(who, factories.statement(both))
    send(other, factories.statement(both, predicate={"by": "somebody else"}))
    before = graph()
    decided, also = taken_back(said), taken_back(twice)
    after = graph()
    run = run_key(BUILDER, "r", "")
    for key in (key_of("model"), run):
        assert status_at(key, before) == ("verified", "")
        assert status_at(key, after) == ("unverified", "statement-withdrawn")
    assert status_at(key_of("both"), after) == ("verified", ""), "somebody else says so too"
    then, now = as_of.resolve(str(before)), as_of.resolve(str(after))
    for moment, trust in ((then, "signed"), (now, "revoked")):
        node = lineage.node(key_of("model"), moment)
        assert (node.trust, [name.trust for name in node.names]) == (trust, [trust])
        assert [origin.trust for origin in node.origins] == [trust]
        found = lineage.closure(key_of("model"), "ancestors", moment)
        assert {edge.trust for edge in found.edges} == {trust}
        assert {node.key for node in found.nodes} == {run, key_of("data")}, "edges fade, and stay"
        (path,) = lineage.paths(key_of("model"), key_of("data"), moment)
        assert {edge.trust for edge in path.edges} == {trust}
    assert record(said, before).trust == "signed"
    assert record(said, before).withdrawn is None
    told = record(said, after)
    assert told.trust == "revoked"
    assert told.withdrawn is not None
    assert (told.withdrawn.index, told.withdrawn.person, told.withdrawn.reason) == (decided, PERSON, WHY)
    revoked = records.listed(now, trust="revoked").attestations
    assert [entry.index for entry in revoked] == [twice, said]
    assert also == decided + 1
    the_same_after_a_rebuild()


def test_it_holds_for_other_signers_and_for_entries_to_come(graph: Follow) -> None:
    first, second, third = (factories.registered() for _ in range(3))
    made = factories.statement(factories.artifact("model"))
    indexes = [send(first, made), send(second, made)]
    taken_back(indexes[0])
    middle = graph()
    indexes += [send(third, made), send_envelope(first.envelope(made, keyid=None))]
    after = graph()
    for size in (middle, after):
        assert status_at(key_of("model"), size) == ("unverified", "statement-withdrawn")
    assert [record(index, after).trust for index in indexes] == ["revoked"] * 4
    assert record(indexes[1], indexes[1] + 1).trust == "signed", "below the decision it was believed"
    assert lineage.node(key_of("model"), as_of.resolve(str(after))).support == (*indexes[:2],)
    send(second, factories.statement(factories.artifact("model"), predicate={"again": True}))
    assert status_at(key_of("model"), graph()) == ("verified", "")
    the_same_after_a_rebuild()


def test_an_observation_can_be_taken_back_and_the_earlier_one_counts(graph: Follow) -> None:
    who, place = factories.registered(), f"file://{ROOT}/m.bin"
    model = factories.artifact("model", downloadLocation=place)
    digest = factories.sha256("model")
    stated = send(who, factories.statement(model))
    observe(check(digest, place, "match", now_us()))
    wrong = observe(check(digest, place, "mismatch", now_us()))
    before = graph()
    assert status_at(f"sha256:{digest}", before) == ("failed", "copy-mismatch")
    taken_back(wrong)
    after = graph()
    assert status_at(f"sha256:{digest}", after) == ("verified", "")
    (copy,) = lineage.node(f"sha256:{digest}", as_of.resolve(str(after))).copies
    assert copy.outcome == "match"
    (bad,) = lineage.node(f"sha256:{digest}", as_of.resolve(str(before))).copies
    assert bad.outcome == "mismatch"
    taken_back(stated)
    end = graph()
    node = lineage.node(f"sha256:{digest}", as_of.resolve(str(end)))
    assert (node.copies, [mention.trust for mention in node.mentions]) == ((), ["revoked"])
    the_same_after_a_rebuild()


def test_an_inventory_that_was_taken_back_is_no_ground_for_comparing(graph: Follow) -> None:
    send(factories.registered(), factories.statement(factories.artifact("model")))
    files = tuple(InventoryFile(f"{number}.bin", number) for number in (1, 2))
    indexes = [
        append.raise_first(
            append.append([inventories.prepare(key_of("model"), Inventory(file.size, (file,)))])
        ).index
        for file in files
    ]
    before = graph()
    assert inventories.sizes([key_of("model")]) == {key_of("model"): 2}
    taken_back(indexes[1])
    after = graph()
    for size, path in ((before, "2.bin"), (after, "1.bin")):
        found = inventories.of_node(key_of("model"), as_of.resolve(str(size)))
        assert found is not None
        assert [file.path for file in found.files] == [path]
    assert inventories.sizes([key_of("model")]) == {key_of("model"): 1}


def test_deployments_follow(graph: Follow) -> None:
    who, other = factories.registered(), factories.registered()
    model = factories.artifact("model")
    said = send(who, factories.statement(model))
    again = send(other, factories.statement(model, predicate={"by": "somebody else"}))
    send(other, deployment("shop", model))
    (shop,) = [node.key for node in lineage.search(as_of.resolve(str(graph())), kind="deployment").nodes]
    assert status_at(shop, graph()) == ("verified", "")
    taken_back(said)
    assert status_at(shop, graph()) == ("verified", ""), "another's word for the model is left"
    taken_back(again)
    assert status_at(shop, graph()) == ("unverified", "statement-withdrawn")


def test_withdrawing_what_a_thief_signed_clears_no_taint(graph: Follow) -> None:
    thief, other = factories.registered(), factories.registered()
    said = send(thief, factories.statement(factories.artifact("bad")))
    send(other, factories.provenance([factories.artifact("child")], [factories.artifact("bad")]))
    factories.revoke(thief, compromised=True)
    taken_back(said)
    size = graph()
    assert lineage.node(key_of("child"), as_of.resolve(str(size))).tainted
    assert status_at(key_of("bad"), size) == ("unverified", "statement-withdrawn")


@pytest.mark.parametrize(
    ("digest", "reason", "error"),
    [
        ("sha256:" + "0" * 64, "why", NotFoundError),
        ("0" * 64, "why", MalformedError),
        ("sha256:" + "A" * 64, "why", MalformedError),
        ("", "why", MalformedError),
        ("known", "", MalformedError),
        ("known", "two\nlines", MalformedError),
        ("known", "x" * 2_001, MalformedError),
        ("decision", "why", ConflictError),
    ],
    ids=["unknown", "bare", "capitals", "empty", "no reason", "lines", "long", "decision"],
)
def test_what_is_refused(digest: str, reason: str, error: type[Exception]) -> None:
    index = send(factories.registered(), factories.statement())
    digests: dict[Any, Any] = dict(Entry.objects.values_list("index", "statement_digest"))
    named = {"known": f"sha256:{digests[index]}", "decision": f"sha256:{digests[0]}"}
    with pytest.raises(error):
        withdraw.withdraw(named.get(digest, digest), reason, person=PERSON)
    assert Entry.objects.count() == index + 1


def test_once_is_enough() -> None:
    index = send(factories.registered(), factories.statement())
    decided = taken_back(index)
    with pytest.raises(ConflictError, match=f"by entry {decided}"):
        taken_back(index)
    with pytest.raises(ConflictError, match="A decision can't be withdrawn"):
        taken_back(decided)
    told = decision_records.one(decided)
    assert (told.action, told.person) == ("withdraw-statement", PERSON)

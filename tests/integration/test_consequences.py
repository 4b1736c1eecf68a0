"""What an entry changed: the nodes that it turned, with their reasons, and the edges that faded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lineage.db.models import Entry
from lineage.errors import MalformedError, NotFoundError
from lineage.graph.model import run_key
from lineage.services import as_of, consequences, lineage, withdraw
from lineage.services.clock import now_us
from lineage.services.consequences import Consequences
from tests import factories
from tests.factories import BUILDER, PERSON
from tests.integration.projections import RandomLog, deployment, key_of, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]


@pytest.fixture(autouse=True)
def nothing_remembered(log: None) -> Iterator[None]:
    consequences.forget()
    yield
    consequences.forget()


def of(index: int, **more: object) -> Consequences:
    found = consequences.of_entry(index, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_revocation_turns_nodes_and_fades_edges(graph: Follow) -> None:
    lost, kept = factories.registered(name="lost"), factories.registered(name="kept")
    made = factories.artifact("model")
    first = send(lost, factories.provenance([made], [factories.artifact("data")], invocation="r"))
    send(kept, deployment("shop", factories.artifact("other")))
    send(lost, factories.provenance([made], [factories.artifact("data")], invocation="late"))
    send(kept, factories.provenance([made], [factories.artifact("data")], invocation="late"))
    factories.revoke(lost)
    decided = graph() - 1
    found = of(decided)
    told = {node.key: (node.before, node.after, node.reasons_after) for node in found.nodes}
    revoked = ("verified", "unverified", ("signer-revoked",))
    assert told[run_key(BUILDER, "r", "")] == revoked
    assert told[f"key:{lost.key_id}"] == ("verified", "expired", ("key-ended",))
    assert told[key_of("model")] == ("unverified", "verified", ()), "its origin is contested no more"
    assert {node.name for node in found.nodes} >= {"lost"}
    assert found.total == len(found.nodes) == sum(count.count for count in found.statuses)
    faded = {(edge.source, edge.type, edge.target): (edge.before, edge.after) for edge in found.edges}
    run = run_key(BUILDER, "r", "")
    assert faded[key_of("model"), "WAS_GENERATED_BY", run] == ("signed", "revoked")
    assert faded[run, "USED", key_of("data")] == ("signed", "revoked")
    assert all("late" not in edge.source and edge.after == "revoked" for edge in found.edges)
    assert (key_of("model"), "WAS_GENERATED_BY", run_key(BUILDER, "late", "")) not in faded
    (count,) = found.trusts
    assert (count.before, count.after, count.count) == ("signed", "revoked", len(found.edges))
    assert of(first).statuses == (), "what is new was nothing else before"


def test_a_withdrawal_and_what_makes_up_for_it(graph: Follow) -> None:
    who = factories.registered()
    said = send(who, factories.provenance([factories.artifact("model")], invocation="r"))
    digest = Entry.objects.values_list("statement_digest", flat=True).get(pk=said)
    decided = withdraw.withdraw(f"sha256:{digest}", "wrong", person=PERSON).receipt.index
    again = send(who, factories.statement(factories.artifact("model")))
    graph()
    found = of(decided)
    told = {node.key: node.reasons_after for node in found.nodes}
    assert told == {
        key_of("model"): ("statement-withdrawn",),
        run_key(BUILDER, "r", ""): ("statement-withdrawn",),
    }
    assert sorted((edge.type, edge.before, edge.after) for edge in found.edges) == [
        ("WAS_ATTRIBUTED_TO", "signed", "revoked"),
        ("WAS_GENERATED_BY", "signed", "revoked"),
    ]
    (back,) = of(again).nodes
    assert (back.key, back.before, back.after) == (key_of("model"), "unverified", "verified")
    assert of(again).edges == ()


def test_pages_hold_each_change_once(graph: Follow) -> None:
    who = factories.registered()
    for number in range(12):
        send(who, factories.provenance([factories.artifact(f"m{number}")], invocation=f"r{number}"))
    factories.revoke(who)
    index = graph() - 1
    whole = of(index)
    nodes: list[object] = []
    edges: list[object] = []
    node, edge = None, None
    for _ in range(20):
        page = of(index, after_node=node, after_edge=edge, limit=5)
        assert (page.total, page.edges_total) == (whole.total, whole.edges_total)
        if node or not nodes:
            nodes += page.nodes
        if edge or not edges:
            edges += page.edges
        node, edge = page.next_node, page.next_edge
        if node is None and edge is None:
            break
    assert len(nodes) == whole.total == 25
    assert tuple(nodes) == whole.nodes
    assert tuple(edges) == whole.edges
    assert len(edges) == whole.edges_total == 24


def test_it_is_the_difference_between_two_moments(graph: Follow) -> None:
    """Of a random log with revocations: every node and every edge, read as of before and after."""
    drawn = RandomLog(11)
    drawn.grow(50)
    factories.revoke(drawn._signers[0], now_us() - 1)
    size = graph()
    for index in range(1, size):
        at = Entry.objects.values_list("received_us", flat=True).get(pk=index)
        found = of(index, limit=10_000)
        before, after = (as_of.AsOf(n, at, n, size, live=False) for n in (index, index + 1))
        known = {node.key: (node.status, node.reasons) for node in lineage.search(before, limit=10_000).nodes}
        now = {node.key: (node.status, node.reasons) for node in lineage.search(after, limit=10_000).nodes}
        expected = {key: now[key] for key, was in known.items() if now[key] != was}
        assert {node.key: (node.after, node.reasons_after) for node in found.nodes} == expected


def test_what_there_is_not(graph: Follow) -> None:
    size = graph()
    with pytest.raises(NotFoundError):
        consequences.of_entry(size)
    index = send(factories.registered(), factories.statement())
    assert consequences.of_entry(index) is None, "the graph is behind"
    graph()
    for cursor in ("x", "-1", "1" * 30):
        with pytest.raises(MalformedError):
            consequences.of_entry(index, after_node=cursor)

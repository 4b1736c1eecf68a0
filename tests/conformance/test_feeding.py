"""How a backend is fed makes no difference: in batches of any size, or with some of it twice."""

from __future__ import annotations

import pytest

from lineage.graph.neo4j.store import OvertakenError
from tests.conformance.cases import CASES, Case
from tests.conformance.stores import Neo4jStore, SqlStore, Store, fill

FED = [case for case in CASES if 0 < len(case.entries) <= 60]


def batches_make_no_difference(store: Store, case: Case, *, batches: tuple[int, ...] = (1, 2, 7)) -> None:
    fill(store, case.entries)
    at_once = store.dump()
    for batch in batches:
        fill(store, case.entries, batch=batch)
        assert store.dump() == at_once, batch


def twice_is_once(store: Store, case: Case) -> None:
    """Each batch again, and one that reaches back behind the watermark."""
    fill(store, case.entries)
    once = store.dump()
    store.feed(case.entries)
    assert store.dump() == once
    store.wipe()
    for end in range(1, len(case.entries) + 1):
        store.feed(case.entries[:end])
    assert store.dump() == once


@pytest.mark.parametrize("case", FED, ids=repr)
def test_sql_in_batches(sql_store: SqlStore, case: Case) -> None:
    batches_make_no_difference(sql_store, case)


@pytest.mark.parametrize("case", FED[:6], ids=repr)
def test_sql_twice(sql_store: SqlStore, case: Case) -> None:
    twice_is_once(sql_store, case)


@pytest.mark.parametrize("case", FED[1:6], ids=repr)
def test_neo4j_in_batches(neo4j_store: Neo4jStore, case: Case) -> None:
    batches_make_no_difference(neo4j_store, case, batches=(1, 3))


@pytest.mark.parametrize("case", FED[:3], ids=repr)
def test_neo4j_twice(neo4j_store: Neo4jStore, case: Case) -> None:
    twice_is_once(neo4j_store, case)


def test_neo4j_takes_a_batch_whose_answer_was_lost_once(neo4j_store: Neo4jStore) -> None:
    """The same entries, applied again by somebody who has not seen that they are in; and by one too late."""
    entries = FED[2].entries
    neo4j_store.wipe()
    seen = neo4j_store.state()
    after = neo4j_store.graph.apply(entries[:3], seen=seen, leaf="aa")
    once = neo4j_store.dump()
    assert neo4j_store.graph.apply(entries[:3], seen=seen, leaf="aa") == after
    assert neo4j_store.dump() == once
    for late in (entries[:2], entries):
        with pytest.raises(OvertakenError):
            neo4j_store.graph.apply(late, seen=seen, leaf="bb")
    assert neo4j_store.dump() == once
    assert neo4j_store.backend.projected() == 3

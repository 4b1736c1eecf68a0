"""Every case against every backend, each answer compared with the reference's."""

from __future__ import annotations

import pytest

from tests.conformance.cases import CASES, Case
from tests.conformance.questions import Comparison
from tests.conformance.report import recorded
from tests.conformance.stores import IndexedStore, Neo4jStore, SqlStore, Store, fill


def answers_agree(store: Store, case: Case) -> None:
    fill(store, case.entries)
    comparison = Comparison(store.backend, case.entries, store.status_of(), case.references)
    with recorded(case.name, store.name, comparison):
        comparison.everything(roots=case.roots, sizes=case.sizes, pairs=case.pairs, filtered=case.filtered)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_sql(sql_store: SqlStore, case: Case) -> None:
    assert sql_store.backend.name == "sql"
    answers_agree(sql_store, case)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_index(indexed_store: IndexedStore, case: Case) -> None:
    answers_agree(indexed_store, case)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_neo4j(neo4j_store: Neo4jStore, case: Case) -> None:
    answers_agree(neo4j_store, case)

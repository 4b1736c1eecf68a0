"""Random graphs against every backend, at every prefix of their entries."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.graph.backend import GraphEntry
from tests.conformance.questions import Comparison
from tests.conformance.report import recorded
from tests.conformance.stores import IndexedStore, Neo4jStore, SqlStore, Store, fill
from tests.conformance.strategies import stories
from tests.soak import SOAK

CASE = "random graphs"
shared = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""The store is emptied for each example; the fixture may be shared."""


def answers_agree(store: Store, entries: Sequence[GraphEntry], seed: int) -> None:
    fill(store, entries, batch=1 + seed % 4)
    comparison = Comparison(store.backend, entries, store.status_of())
    with recorded(CASE, store.name, comparison):
        comparison.everything(seed=seed)


@settings(max_examples=40, suppress_health_check=shared)
@given(stories(), st.integers(0, 1_000))
def test_sql(sql_store: SqlStore, entries: list[GraphEntry], seed: int) -> None:
    answers_agree(sql_store, entries, seed)


@settings(max_examples=20, suppress_health_check=shared)
@given(stories(), st.integers(0, 1_000))
def test_index(indexed_store: IndexedStore, entries: list[GraphEntry], seed: int) -> None:
    answers_agree(indexed_store, entries, seed)


@settings(max_examples=8 if SOAK else 3, suppress_health_check=shared)
@given(stories(), st.integers(0, 1_000))
def test_neo4j(neo4j_store: Neo4jStore, entries: list[GraphEntry], seed: int) -> None:
    answers_agree(neo4j_store, entries, seed)

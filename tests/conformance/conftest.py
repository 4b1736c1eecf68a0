"""Fixtures of the conformance suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.localservices.service import LocalService
from tests.conformance.stores import Neo4jStore, SqlStore, assert_tables_empty
from tests.services import wipe_neo4j


@pytest.fixture
def sql_store(db: None) -> SqlStore:
    """The graph tables, emptied by the end of the test's transaction."""
    return SqlStore()


@pytest.fixture(scope="session")
def _neo4j(neo4j_service: LocalService) -> Iterator[Neo4jStore]:
    yield Neo4jStore(neo4j_service.url)
    wipe_neo4j(neo4j_service.url)


@pytest.fixture
def neo4j_store(db: None, _neo4j: Neo4jStore) -> Iterator[Neo4jStore]:
    """Neo4j, while the graph tables of the database are and stay empty."""
    assert_tables_empty()
    assert _neo4j.backend.name == "neo4j"
    yield _neo4j
    assert_tables_empty()

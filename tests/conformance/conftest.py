"""Fixtures of the conformance suite."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lineage.graph import sql_paths, sql_walk
from lineage.graph.index import door, live
from lineage.graph.neo4j import driver
from lineage.localservices.service import LocalService
from tests.conformance.stores import IndexedStore, Neo4jStore, SqlStore, assert_tables_empty
from tests.services import wipe_neo4j


@pytest.fixture
def sql_store(db: None) -> SqlStore:
    """The graph tables, emptied by the end of the test's transaction."""
    return SqlStore()


@pytest.fixture
def indexed_store(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IndexedStore:
    """The same with a closure index of its own, however small the graph is."""
    monkeypatch.setattr(door, "LEAST_EDGES", 0)
    monkeypatch.setattr(live, "index", cache(lambda: live.Index(tmp_path)))
    monkeypatch.delattr(sql_walk, "in_tables")  # so that nothing else can answer
    monkeypatch.delattr(sql_paths, "shortest")
    return IndexedStore(tmp_path)


@pytest.fixture(scope="session")
def _neo4j(neo4j_service: LocalService) -> Iterator[Neo4jStore]:
    yield Neo4jStore(neo4j_service.url)
    driver.close()
    wipe_neo4j(neo4j_service.url)


@pytest.fixture
def neo4j_store(db: None, _neo4j: Neo4jStore) -> Iterator[Neo4jStore]:
    """Neo4j, while the graph tables of the database are and stay empty."""
    assert_tables_empty()
    assert _neo4j.backend.name == "neo4j"
    yield _neo4j
    assert_tables_empty()

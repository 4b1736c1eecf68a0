"""Fixtures for questions in Cypher: an empty Neo4j (`asked_neo4j`), one with a small installation's graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import neo4j
import pytest

from lineage import service_urls
from lineage.config import current
from lineage.graph.neo4j.store import Neo4jGraph
from lineage.service_urls import Bolt


@pytest.fixture
def asked_neo4j(fresh_neo4j: str, log: None, monkeypatch: pytest.MonkeyPatch) -> Bolt:
    """An empty Neo4j that questions go to."""
    found = service_urls.graph(fresh_neo4j)
    assert found is not None
    use(found, monkeypatch)
    return found


def use(found: Bolt | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have questions go to this Neo4j, or find none configured."""
    from lineage.services import graph_query

    configured = replace(current(), graph=found)
    monkeypatch.setattr(graph_query, "current", lambda: configured)


@pytest.fixture
def filled_neo4j(asked_neo4j: Bolt, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Bolt:
    """The installation of the web tests, in the database's tables and in Neo4j."""
    from lineage.services import project_neo4j
    from tests.web import installation

    store = Neo4jGraph(asked_neo4j)
    monkeypatch.setattr(project_neo4j, "graph", lambda: store)
    installation.fill(graph)
    while project_neo4j.project_pending():
        pass
    assert project_neo4j.watermark() == graph()
    return asked_neo4j


@pytest.fixture
def neo4j_driver(asked_neo4j: Bolt) -> Iterator[neo4j.Driver]:
    """Neo4j itself, past every rule of ours."""
    auth = (asked_neo4j.user, asked_neo4j.password)
    with neo4j.GraphDatabase.driver(asked_neo4j.uri, auth=auth) as driver:
        yield driver


def contents(driver: neo4j.Driver) -> dict[str, Any]:
    """Everything that a question could have changed."""
    texts = {
        "nodes": "MATCH (n) WITH n ORDER BY elementId(n) RETURN elementId(n), labels(n), properties(n)",
        "edges": "MATCH ()-[r]->() WITH r ORDER BY elementId(r) RETURN elementId(r), type(r), properties(r)",
        "labels": "CALL db.labels() YIELD label RETURN label ORDER BY label",
        "types": "CALL db.relationshipTypes() YIELD relationshipType AS t RETURN t ORDER BY t",
        "properties": "CALL db.propertyKeys() YIELD propertyKey AS k RETURN k ORDER BY k",
        "constraints": "SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name",
        "indexes": "SHOW INDEXES YIELD name RETURN name ORDER BY name",
        "users": "SHOW USERS YIELD user RETURN user ORDER BY user",
        "databases": "SHOW DATABASES YIELD name, currentStatus RETURN name, currentStatus ORDER BY name",
    }
    return {name: driver.execute_query(text, database_="neo4j").records for name, text in texts.items()}

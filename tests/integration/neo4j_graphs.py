"""What the tests of Neo4j's projector share: its graph as plain rows, and those of the graph tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import neo4j
import pytest

from lineage import service_urls
from lineage.config import current
from lineage.graph.neo4j import driver
from lineage.service_urls import Bolt
from lineage.services import project, project_neo4j
from tests.integration.projections import dump

Rows = dict[str, list[tuple[Any, ...]]]


def bolt_of(url: str) -> Bolt:
    bolt = service_urls.graph(url)
    assert bolt is not None
    return bolt


@contextmanager
def projecting_into(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bolt]:
    """The projector of this process follows the log into the Neo4j of `url`."""
    bolt = bolt_of(url)
    configured = replace(current(), graph=bolt)
    monkeypatch.setattr(project_neo4j, "current", lambda: configured)
    project_neo4j.graph.cache_clear()
    yield bolt
    project_neo4j.graph.cache_clear()
    driver.close()


def follow(limit: int = 500) -> int:
    """Bring Neo4j level; returns how many entries it took."""
    total = 0
    while done := project_neo4j.project_pending(limit):
        total += done
    return total


def by_hand(bolt: Bolt, cypher: str, **parameters: object) -> list[list[Any]]:
    """What somebody with a Cypher prompt does."""
    with (
        neo4j.GraphDatabase.driver(bolt.uri, auth=(bolt.user, bolt.password)) as prompt,
        prompt.session() as session,
    ):
        return session.run(cypher, parameters).values()


def stored(bolt: Bolt) -> Rows:
    """The graph in Neo4j; `SAME_AS` once, as it was stated."""
    edges = by_hand(
        bolt,
        "MATCH (a:Node)-[r]->(b:Node) WHERE NOT coalesce(r.mirror, false) "
        "RETURN a.key, type(r), b.key, r.first, r.indexes, r.signers, r.trusts",
    )
    return {
        "nodes": sorted(tuple(row) for row in by_hand(bolt, "MATCH (n:Node) RETURN n.key, n.kind, n.first")),
        "edges": sorted(tuple(row[:4]) for row in edges),
        "support": sorted(
            (*row[:3], *said) for row in edges for said in zip(row[4], row[5], row[6], strict=True)
        ),
    }


def expected() -> Rows:
    """The same of the graph tables, brought level first."""
    while project.project_pending():
        pass
    rows = dump()
    return {name: rows[name] for name in ("nodes", "edges", "support")}

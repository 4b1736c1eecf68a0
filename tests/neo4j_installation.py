"""This process as one that is configured with a Neo4j: by its setting, as any other would be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lineage import config
from lineage.graph.neo4j import driver
from lineage.services import graph_choice, project_neo4j

_CACHES = (config.current, graph_choice.neo4j, project_neo4j.graph)


@contextmanager
def configured(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """LINEAGE_GRAPH_URL is `url` inside the block."""
    monkeypatch.setenv("LINEAGE_GRAPH_URL", url)
    _forget()
    try:
        yield
    finally:
        monkeypatch.delenv("LINEAGE_GRAPH_URL")
        _forget()
        driver.close()


def _forget() -> None:
    for cached in _CACHES:
        cached.cache_clear()

"""Every Cypher text that the code has, as Neo4j plans it: no scan, no enumeration of trails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage import service_urls
from lineage.graph.neo4j import driver, queries
from lineage.graph.neo4j.driver import Client
from lineage.graph.neo4j.queries import Query
from lineage.graph.neo4j.store import Neo4jGraph

ROOM = Path(queries.__file__).parent
WHOLE_SCANS = {queries.CLEAR_EDGES, queries.CLEAR_NODES}
"""What deletes everything reads everything; its LIMIT ends it."""

PARAMETERS = dict.fromkeys(("root", "key", "cause", "leaf"), "sha256:00") | {
    **dict.fromkeys(("size", "limit", "most", "skip", "generation", "projected", "nodes", "edges"), 1),
    **{name: list[str]() for name in ("keys", "kinds", "roles", "machines", "rows")},
    "values": {},
}


@pytest.fixture
def client(fresh_neo4j: str) -> Iterator[Client]:
    bolt = service_urls.graph(fresh_neo4j)
    assert bolt is not None
    Neo4jGraph(bolt).start("test", "test")
    yield Client(bolt)
    driver.close()


def test_no_text_is_made_elsewhere() -> None:
    for path in ROOM.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        if path.name != "queries.py":
            assert "Query" not in called, path.name
            assert "queries.Query" not in called, path.name
        if path.name != "driver.py":
            assert not {name for name in called if name.endswith(".run")}, path.name


def test_every_text_is_listed() -> None:
    """A constant is listed itself; of each function that makes texts at least one is."""
    listed = set(queries.every())
    constants = [value for value in vars(queries).values() if isinstance(value, Query)]
    assert constants
    assert set(constants) <= listed
    source = ast.parse((ROOM / "queries.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in source.body if isinstance(node, ast.FunctionDef)}
    makers = {name for name, node in functions.items() if ast.unparse(node.returns or node) == "Query"}
    calls = {ast.unparse(n.func) for n in ast.walk(functions["every"]) if isinstance(n, ast.Call)}
    assert makers
    assert makers <= calls


def test_plans(client: Client) -> None:
    bad, walks = [], 0
    for query in sorted(set(queries.every()) - set(queries.CONSTRAINTS), key=lambda query: query.text):
        operators = client.plan(query, **PARAMETERS)
        assert operators, query.text
        reaching = [name for name in operators if "VarLength" in name or "Trail" in name or "Path" in name]
        walks += len(reaching)
        wrong = [name for name in reaching if name != "VarLengthExpand(Pruning,BFS,All)"]
        if query not in WHOLE_SCANS:
            wrong += [name for name in operators if name.endswith("Scan")]
        if " p = (" in query.text and not reaching:
            wrong.append("no walk")
        if wrong:
            bad.append((query.text, wrong, operators))
    assert bad == []
    assert walks > 100


def test_counts_come_from_the_count_store(client: Client) -> None:
    assert "NodeCountFromCountStore" in client.plan(queries.COUNT_NODES)
    assert "RelationshipCountFromCountStore" in client.plan(queries.COUNT_EDGES)

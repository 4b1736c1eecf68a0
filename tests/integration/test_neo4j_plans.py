"""Every Cypher text that the code has, as Neo4j plans it: no scan, no enumeration of trails.

Plans depend on what is in the graph when a text is first seen, and stay while it grows. So each is planned
for an empty graph and for a small, dense one, where a look through all nodes seems cheapest. Of texts that
differ in one edge type or in a number one stands for the rest; `make soak` plans every one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lineage import service_urls
from lineage.graph.backend import GraphEntry
from lineage.graph.model import Edge, EdgeType, GraphDelta, NodeKind
from lineage.graph.neo4j import driver, queries
from lineage.graph.neo4j.driver import Client, Transaction
from lineage.graph.neo4j.queries import Query
from lineage.graph.neo4j.store import Neo4jGraph
from tests.soak import SOAK

ROOM = Path(queries.__file__).parent
WHOLE_SCANS = {queries.CLEAR_EDGES, queries.CLEAR_NODES}
"""What deletes everything reads everything; its LIMIT ends it."""

MAKERS = {"queries.py", "check_queries.py", "inspection.py"}
"""The last one's questions are about the server, not the graph."""

PARAMETERS = dict.fromkeys(("root", "key", "cause", "leaf"), "sha256:00") | {
    **dict.fromkeys(("size", "limit", "most", "skip", "generation", "projected", "nodes", "edges"), 1),
    **{name: list[str]() for name in ("keys", "kinds", "only", "places", "machines", "rows")},
    **dict.fromkeys(("any_kind", "any_role"), False),
    "values": {},
}


@pytest.fixture
def client(fresh_neo4j: str) -> Iterator[Client]:
    bolt = service_urls.graph(fresh_neo4j)
    assert bolt is not None
    Neo4jGraph(bolt).start("test", "test")
    yield Client(bolt)
    driver.close()


def grow(client: Client) -> None:
    """Ten nodes with each edge type between thirty pairs, and the planner knows nothing else."""
    keys = [f"sha256:{number:064x}" for number in range(10)]
    edges = tuple(Edge(keys[i % 10], kind, keys[(i * 7 + 1) % 10]) for i in range(30) for kind in EdgeType)
    nodes = dict.fromkeys(keys, NodeKind.ARTIFACT) | {"key:00": NodeKind.SIGNER}
    said = GraphEntry(0, "signed", (("key:00", GraphDelta(nodes, edges)),))
    Neo4jGraph(client.bolt).apply([said])


def test_no_text_is_made_elsewhere() -> None:
    for path in ROOM.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        if path.name not in MAKERS:
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


def alike(query: Query) -> str:
    """The same for texts that differ in the one type of their edges, or in how far a walk goes, alone."""
    one = re.sub(rf"\[(\w*):({'|'.join(EdgeType)})([\] *])", r"[\1:ONE\3", query.text)
    return re.sub(r"\*1\.\.\d+\]", "*1..N]", one)


def chosen() -> list[Query]:
    """What is planned, in one order."""
    texts = sorted(set(queries.every()) - set(queries.CONSTRAINTS), key=lambda query: query.text)
    return texts if SOAK else list({alike(query): query for query in texts}.values())


@pytest.mark.parametrize("small", [False, True])
def test_plans(client: Client, small: bool) -> None:
    if small:
        grow(client)
    bad, walks = [], 0
    for query in chosen():
        # Without this it would give the other graph's plan again. The text itself need not be read again.
        operators = client.plan(Query(f"CYPHER replan=force {query.text}"), **PARAMETERS)
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
    assert walks > 60


def test_a_text_is_planned_once_however_much_it_is_given(client: Client) -> None:
    """Of nothing, a little and a lot it would be planned each time, if these were parameters of their own."""
    forgotten(client)
    for count in (0, 1, 9, 90, 200):
        keys = [f"sha256:{number:064x}" for number in range(count)]
        client.read(partial(Transaction.rows, query=queries.NODES, keys=keys, size=1))
        client.read(partial(Transaction.rows, query=queries.NODE, key="".join(keys), size=1))
    assert forgotten(client) == 2


def forgotten(client: Client) -> int:
    """How many plans Neo4j had, which it has no longer."""
    row = client.read(lambda tx: tx.first(Query("CALL db.clearQueryCaches()")))
    assert row is not None
    return int(re.findall(r"\d+", row[0])[0])


def test_counts_come_from_the_count_store(client: Client) -> None:
    assert "NodeCountFromCountStore" in client.plan(queries.COUNT_NODES)
    assert "RelationshipCountFromCountStore" in client.plan(queries.COUNT_EDGES)

"""The backends under test, each fed in the way in which the product feeds it, and emptied between cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from django.db import connection

from lineage import service_urls
from lineage.graph import sql
from lineage.graph.backend import Backend, GraphEntry
from lineage.graph.index import door
from lineage.graph.index.live import make
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.driver import Client
from lineage.graph.neo4j.queries import Query
from lineage.graph.neo4j.store import Neo4jGraph, State
from lineage.graph.sql_backend import SqlBackend
from lineage.graph.status import Rules, Trust
from lineage.services.project_batch import Batch
from lineage.services.project_entries import Contribution, Judged
from lineage.trust.policy import KeyRing
from tests.conformance.questions import StatusOf
from tests.integration.projections import dump

RULES = Rules()


class Store(Protocol):
    """A backend with the projector's side of it. `feed` takes one batch."""

    name: str

    @property
    def backend(self) -> Backend: ...

    def wipe(self) -> None: ...

    def feed(self, entries: Sequence[GraphEntry]) -> None: ...

    def dump(self) -> object:
        """All that is stored, so that two ways of feeding can be compared."""

    def status_of(self) -> StatusOf | None:
        """How to look a status up; None where the store keeps none."""


def fill(store: Store, entries: Sequence[GraphEntry], *, batch: int = 500) -> None:
    """Empty the store, then feed it `batch` entries at a time."""
    store.wipe()
    for start in range(0, len(entries), batch):
        store.feed(entries[start : start + batch])


class SqlStore:
    """The graph tables of the test's database; statuses come with them, as they do in the product."""

    name = "sql"
    backend = SqlBackend()

    def wipe(self) -> None:
        with connection.cursor() as cursor:
            sql.start(cursor, RULES.fingerprint())
            sql.reset(cursor, self._state(), RULES.fingerprint())

    def feed(self, entries: Sequence[GraphEntry]) -> None:
        with connection.cursor() as cursor:
            seen = self._state()
            todo = [_judged(entry) for entry in entries if entry.index >= seen.projected]
            if todo:
                rows = Batch(cursor, todo, RULES, {}).fold()
                assert sql.advance(cursor, seen, todo[-1].index + 1)
                sql.apply(cursor, rows)

    def _state(self) -> sql.State:
        with connection.cursor() as cursor:
            state = sql.read_state(cursor)
        assert state is not None
        return state

    def dump(self) -> object:
        return dump()

    def status_of(self) -> StatusOf:
        """By all of the history at once: of these stories no time alone changes a status."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n.key, s.from_index, s.to_index, s.status FROM graph_status s "
                "JOIN graph_node n ON n.id = s.node_id"
            )
            rows: dict[str, list[tuple[int, int | None, str]]] = {}
            for node, *row in cursor.fetchall():
                rows.setdefault(node, []).append(tuple(row))

        def status(key: str, size: int) -> str:
            held = [
                status
                for first, until, status in rows.get(key, ())
                if first < size and (until is None or size <= until)
            ]
            assert len(held) <= 1, (key, size)
            return held[0] if held else "unverified"

        return status


class IndexedStore(SqlStore):
    """The same with the closure index, half of whose entries came after it was made."""

    name = "index"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def feed(self, entries: Sequence[GraphEntry]) -> None:
        half = len(entries) // 2
        super().feed(entries[:half])
        make(self._folder / "closure-index")
        super().feed(entries[half:])
        assert door.ready(self.backend.projected()) is not None


class Neo4jStore:
    """A Neo4j of the tests. The watermark names a log that is not there: the graph alone is under test."""

    name = "neo4j"

    def __init__(self, url: str) -> None:
        bolt = service_urls.graph(url)
        assert bolt is not None
        self.backend = Neo4jBackend(bolt)
        self.graph = Neo4jGraph(bolt)
        self._client = Client(bolt)

    def wipe(self) -> None:
        seen = self.graph.state()
        if seen is None:
            self.graph.start("conformance.example", "rules")
        else:
            self.graph.reset(seen, "conformance.example", "rules", "another case")

    def state(self) -> State:
        state = self.graph.state()
        assert state is not None
        return state

    def feed(self, entries: Sequence[GraphEntry]) -> None:
        seen = self.state()
        todo = [entry for entry in entries if entry.index >= seen.projected]
        if todo:
            self.graph.apply(todo, seen=seen, leaf=f"{todo[-1].index:064x}")

    def status_of(self) -> None:
        """Statuses are in the database's tables alone."""

    def dump(self) -> object:
        nodes, edges = self._client.read(lambda tx: (tx.rows(NODES), tx.rows(EDGES)))
        return sorted(map(_node, nodes)), sorted(map(_edge, edges))


NODES = Query("MATCH (n:Node) RETURN n.key, labels(n), properties(n)")
EDGES = Query("MATCH (a)-[r]->(b) RETURN a.key, type(r), b.key, properties(r)")


def _node(row: list[Any]) -> str:
    """Roles are a set: entries of one batch may bring them in another order than two batches."""
    key, labels, values = row
    roles = sorted(zip(values.pop("roles"), values.pop("role_first"), strict=True))
    return repr((key, sorted(labels), roles, sorted(values.items())))


def _edge(row: list[Any]) -> str:
    source, kind, target, values = row
    lists = (values.pop(name) for name in ("indexes", "signers", "trusts"))
    return repr((source, kind, target, sorted(zip(*lists, strict=True)), sorted(values.items())))


def _judged(entry: GraphEntry) -> Judged:
    contributions = tuple(Contribution(signer, delta) for signer, delta in entry.contributions)
    return Judged(entry.index, entry.index, Trust(entry.trust), contributions, KeyRing())


def assert_tables_empty() -> None:
    """Whatever answers, it is not the graph tables of the database."""
    with connection.cursor() as cursor:
        for table in ("node", "edge", "support", "claim", "check", "status"):
            cursor.execute(f"SELECT count(*) FROM graph_{table}")
            assert cursor.fetchone() == (0,), table

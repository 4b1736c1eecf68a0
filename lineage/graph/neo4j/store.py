"""Keeping the graph in Neo4j level with the log: its state, batches, and starting over.

Owns: the watermark and its compare-and-set, one transaction a batch, emptying. Does not own: which entries
there are, or whether what is stored belongs to this log (`services.project_neo4j`); reading (`backend`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lineage.errors import UnavailableError
from lineage.graph.backend import GraphEntry
from lineage.graph.neo4j import queries, rows
from lineage.graph.neo4j.driver import Client, ContradictedError, Transaction
from lineage.service_urls import Bolt

SCHEMA = 1
"""Raise it with every change of labels, properties or constraints: the graph is then rebuilt."""

CLEARED_AT_ONCE = 20_000
"""Nodes or relationships that one transaction deletes: what the server's memory surely holds."""


class OvertakenError(Exception):
    """Another process moved the watermark first, or emptied the graph. Its caller looks again."""


class EditedError(Exception):
    """The graph holds something else than was written: somebody changed it by hand."""


@dataclass(frozen=True, slots=True)
class State:
    """What the graph is of.

    Attributes:
        generation: another number each time the graph is emptied.
        projected: entries below this index are in it.
        leaf: lowercase hex leaf hash of entry `projected` - 1; empty before the first.
        nodes, edges: how many there are; relationships, so a `SAME_AS` counts twice.
        cleared: False while what was there before is still being deleted.
        reason: why it was emptied last.
    """

    schema: int
    origin: str
    rules: str
    generation: int
    projected: int
    leaf: str
    nodes: int
    edges: int
    cleared: bool
    reason: str


class Neo4jGraph:
    """The writing half. One process at a time gets a batch in; whoever was overtaken starts anew."""

    def __init__(self, bolt: Bolt) -> None:
        self._client = Client(bolt)
        self._constrained: int | None = None  # generation

    def state(self) -> State | None:
        """None where nothing was ever projected into this database. Raises: UnavailableError."""
        row = self._client.read(lambda tx: tx.first(queries.STATE))
        return None if row is None else State(*row)

    def start(self, origin: str, rules: str, reason: str = "") -> State:
        """A watermark where there is none, and constraints; what lies about without one is deleted."""
        self._client.define(queries.ONE_PROJECTION)
        values = _beginning(origin, rules, reason)
        self._client.write(lambda tx: tx.rows(queries.START, values=values))
        state = self._clear()
        self._constrain(state)
        return state

    def _constrain(self, state: State) -> None:
        """Once a generation and process, in case somebody dropped the constraints.

        Without them each row would look through all nodes.
        """
        if self._constrained == state.generation:
            return
        try:
            for constraint in queries.CONSTRAINTS:
                self._client.define(constraint)
        except ContradictedError as error:
            raise EditedError("it holds a node twice") from error
        self._constrained = state.generation

    def reset(self, seen: State, origin: str, rules: str, reason: str) -> State:
        """Empty the graph, unless somebody else has since `seen` was read.

        The new generation is committed before anything is deleted, so that readers notice.
        """
        values = _beginning(origin, rules, reason)
        self._client.write(lambda tx: tx.rows(queries.RESET, generation=seen.generation, values=values))
        return self.start(origin, rules, reason)

    def _clear(self) -> State:
        """Delete what an earlier generation left, in batches that each hold the watermark."""
        state = self._known()
        if state.cleared:
            return state
        for query in (queries.CLEAR_EDGES, queries.CLEAR_NODES):
            while self._delete_some(query, state.generation):
                pass
        self._client.write(lambda tx: tx.rows(queries.CLEARED, generation=state.generation))
        return self._known()

    def _delete_some(self, query: queries.Query, generation: int) -> int:
        row = self._client.write(lambda tx: tx.first(query, generation=generation, most=CLEARED_AT_ONCE))
        return int(row[0]) if row else 0

    def _known(self) -> State:
        state = self.state()
        if state is None:
            raise UnavailableError("The watermark in Neo4j vanished while the graph was started over.")
        return state

    def apply(self, entries: Sequence[GraphEntry], *, seen: State | None = None, leaf: str = "") -> State:
        """Write consecutive entries in one transaction; returns the state after them.

        Args:
            seen: the state that the entries continue; read where it is not given.
            leaf: lowercase hex leaf hash of the last entry.

        Raises:
            OvertakenError: the watermark is not where `seen` has it. Nothing was written.
            EditedError: the graph is not what was written before. Nothing was written.
            UnavailableError: whether it was written may be unknown; the watermark says it.
        """
        seen = seen or self._known()
        self._constrain(seen)
        folded = rows.fold(entries)
        projected = entries[-1].index + 1
        return self._client.write(lambda tx: _Batch(tx, seen, projected, leaf).write(folded))


def _beginning(origin: str, rules: str, reason: str) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "origin": origin,
        "rules": rules,
        "generation": secrets.randbits(62),
        "projected": 0,
        "leaf": "",
        "nodes": 0,
        "edges": 0,
        "cleared": False,
        "reason": reason,
    }


class _Batch:
    """One transaction, under the watermark's lock."""

    def __init__(self, tx: Transaction, seen: State, projected: int, leaf: str) -> None:
        self._tx = tx
        self._seen = seen
        self._after = replace(seen, projected=projected, leaf=leaf)
        self._nodes = 0
        self._edges = 0

    def write(self, folded: rows.Rows) -> State:
        if self._hold():
            return self._after
        for kind, node_rows in folded.nodes.items():
            _, counters = self._tx.change(queries.merge_nodes(kind), rows=node_rows)
            self._nodes += counters.nodes_created
        for role, keys in folded.roles.items():
            if role in queries.ROLE_LABELS:
                self._tx.rows(queries.label_role(role), keys=keys)
        for name, edge_rows in folded.edges.items():
            row, counters = self._tx.change(queries.merge_edges(name), rows=edge_rows)
            self._edges += counters.relationships_created
            if row != [len(edge_rows)]:
                raise EditedError(f"{name} edges found {row} of {len(edge_rows)} pairs of nodes")
        return self._advance()

    def _hold(self) -> bool:
        """Take the lock and compare; returns whether exactly this batch is in the graph already."""
        row = self._tx.first(queries.HOLD)
        if row is None:
            raise OvertakenError
        generation, projected, leaf, cleared, nodes, edges = row
        if generation != self._seen.generation or not cleared:
            raise OvertakenError
        if (projected, leaf) == (self._after.projected, self._after.leaf):
            # An earlier attempt was committed, though its answer was lost.
            self._after = replace(self._after, nodes=nodes, edges=edges)
            return True
        if projected != self._seen.projected:
            raise OvertakenError
        found = self._count(queries.COUNT_NODES), self._count(queries.COUNT_EDGES)
        if found != (nodes, edges):
            raise EditedError(
                f"it holds {found[0]} nodes and {found[1]} relationships, written were {nodes} and {edges}"
            )
        self._nodes, self._edges = nodes, edges
        return False

    def _count(self, query: queries.Query) -> int:
        row = self._tx.first(query)
        return int(row[0]) if row else 0

    def _advance(self) -> State:
        after = replace(self._after, nodes=self._nodes, edges=self._edges)
        self._tx.rows(
            queries.ADVANCE, projected=after.projected, leaf=after.leaf, nodes=after.nodes, edges=after.edges
        )
        return after

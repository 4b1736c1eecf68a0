"""Reading the graph tables for the projector: what statuses depend on, for many nodes at once.

Owns: `NodeState` and how it is filled. Queries are written once, in the fragments of `sql_dialect`.
Does not own: writing (`sql`), or reading for people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db.backends.utils import CursorWrapper

from lineage.graph import sql_dialect
from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, NodeKind
from lineage.graph.status import Facts, Piece, Status
from lineage.graph.status_facts import (
    ALWAYS_BELIEVED,
    CLAIMS_READ,
    DECIDED,
    EDGES_READ,
    NOTHING,
    ORIGINS_KEPT,
    CheckFact,
)

_KINDS = "('location', 'role', 'unsafe')"
"""As the condition of the index `claim_read` has them."""
_EDGE_TYPES = f"({', '.join(repr(kind.value) for kind in sorted(EDGES_READ))})"
_BY_KEY = "SELECT id, key, kind FROM graph_node WHERE key IN (SELECT value FROM {texts})"
_BY_ID = "SELECT id, key, kind FROM graph_node WHERE id IN (SELECT value FROM {ids})"

# These three step from group to group of a node's rows by an index whose first row of each group is the one
# that counts: a year of hourly checks then costs as little as one.
_ATTESTED = (
    "WITH RECURSIVE first (id) AS ("
    "SELECT (SELECT c.id FROM graph_claim c WHERE c.node_id = w.value AND c.kind = 'attested'{but_c}"
    ' ORDER BY c.signer_id, c.trust, c."index" LIMIT 1) FROM {ids}'
    " UNION ALL SELECT (SELECT n.id FROM graph_claim n WHERE n.node_id = c.node_id AND n.kind = 'attested'"
    " AND (n.signer_id, n.trust) > ({plain}c.signer_id, {plain}c.trust){but_n}"
    ' ORDER BY n.signer_id, n.trust, n."index" LIMIT 1)'
    " FROM first CROSS JOIN graph_claim c WHERE c.id = first.id"
    ') SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, c."index"'
    " FROM first CROSS JOIN graph_claim c WHERE c.id = first.id"
)
_SAID = (
    "WITH RECURSIVE first (id) AS ("  # noqa: S608 our own kinds
    f"SELECT (SELECT c.id FROM graph_claim c WHERE c.node_id = w.value AND c.kind IN {_KINDS}{{but_c}}"
    ' ORDER BY c.kind, c.value, c.signer_id, c.trust, c."index" LIMIT 1) FROM {ids}'
    f" UNION ALL SELECT (SELECT n.id FROM graph_claim n WHERE n.node_id = c.node_id AND n.kind IN {_KINDS}"
    " AND (n.kind, n.value, n.signer_id, n.trust) >"
    " ({plain}c.kind, {plain}c.value, {plain}c.signer_id, {plain}c.trust){but_n}"
    ' ORDER BY n.kind, n.value, n.signer_id, n.trust, n."index" LIMIT 1)'
    " FROM first CROSS JOIN graph_claim c WHERE c.id = first.id"
    ') SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, c."index"'
    " FROM first CROSS JOIN graph_claim c WHERE c.id = first.id"
)
_RETRACTED = (
    "SELECT DISTINCT c.node_id, c.trust FROM {ids} CROSS JOIN graph_claim c"
    " WHERE c.node_id = w.value AND c.kind = 'attested'{only_c}"
)
_DIGESTED = (
    'SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, MIN(c."index")'
    " FROM {ids} CROSS JOIN graph_claim c WHERE c.node_id = w.value AND c.kind = 'digested'{but_c}"
    " GROUP BY c.node_id, c.kind, c.value, c.signer_id, c.trust"
)
_DECIDED = (
    'SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, c."index"'  # noqa: S608 our own kinds
    " FROM {ids} CROSS JOIN graph_claim c WHERE c.node_id = w.value AND c.trust = 'asserted'"
    f" AND c.kind IN ({', '.join(repr(kind.value) for kind in sorted(DECIDED))})"
)
_CHECKS = (
    "WITH RECURSIVE newest (id) AS ("
    "SELECT (SELECT c.id FROM graph_check c WHERE c.node_id = w.value{but_c}"
    ' ORDER BY c.location, c.outcome, c.strength, c.signer_id, c.at_us DESC, c."index" DESC LIMIT 1)'
    " FROM {ids}"
    " UNION ALL SELECT (SELECT n.id FROM graph_check n WHERE n.node_id = c.node_id"
    " AND (n.location, n.outcome, n.strength, n.signer_id) >"
    " ({plain}c.location, {plain}c.outcome, {plain}c.strength, {plain}c.signer_id){but_n}"
    ' ORDER BY n.location, n.outcome, n.strength, n.signer_id, n.at_us DESC, n."index" DESC LIMIT 1)'
    " FROM newest CROSS JOIN graph_check c WHERE c.id = newest.id"
    ") SELECT c.node_id, c.location, c.outcome, c.strength, c.trust, c.bytes,"
    ' c.at_us, c."index", c.signer_id, c.signer_id'
    " FROM newest CROSS JOIN graph_check c WHERE c.id = newest.id"
)
# The same for groups whose newest row is not believed any more.
_EARLIER_CHECKS = (
    "SELECT c.node_id, c.location, c.outcome, c.strength, c.trust, c.bytes,"
    ' c.at_us, c."index", c.signer_id'
    " FROM {groups} CROSS JOIN graph_check c WHERE c.id = (SELECT e.id FROM graph_check e"
    " WHERE e.node_id = w.node AND e.location = w.location AND e.outcome = w.outcome"
    " AND e.strength = w.strength"
    ' AND e.signer_id = w.signer AND e."index" < w.cutoff{but_e}'
    ' ORDER BY e.at_us DESC, e."index" DESC LIMIT 1)'
)
_CAUSES = (
    'SELECT e.source_id, n.key, s.signer_id, s.trust, MIN(s."index")'
    " FROM {ids} CROSS JOIN graph_edge e CROSS JOIN graph_node n CROSS JOIN graph_support s"
    " WHERE e.source_id = w.value AND e.type = 'USED' AND n.id = e.target_id AND s.edge_id = e.id{but_s}"
    " GROUP BY e.id, n.key, s.signer_id, s.trust"
)
_ORIGINS = (
    "SELECT node, key, signer_id, trust, said FROM ("  # noqa: S608 our own number
    ' SELECT e.source_id AS node, n.key, s.signer_id, s.trust, MIN(s."index") AS said, ROW_NUMBER() OVER'
    ' (PARTITION BY e.source_id, s.signer_id, s.trust ORDER BY MIN(s."index"), n.key) AS place'
    " FROM {ids} CROSS JOIN graph_edge e CROSS JOIN graph_node n CROSS JOIN graph_support s"
    " WHERE e.source_id = w.value AND e.type = 'WAS_GENERATED_BY' AND n.id = e.target_id"
    " AND s.edge_id = e.id{but_s}"
    f" GROUP BY e.id, n.key, s.signer_id, s.trust) origins WHERE place <= {ORIGINS_KEPT}"
)
_OUTPUTS = (
    'SELECT e.target_id, n.key, s.signer_id, s.trust, MIN(s."index")'
    " FROM {ids} CROSS JOIN graph_edge e CROSS JOIN graph_node n CROSS JOIN graph_support s"
    " WHERE e.target_id = w.value AND e.type = 'WAS_GENERATED_BY'"
    " AND n.id = e.source_id AND s.edge_id = e.id{but_s}"
    " GROUP BY e.id, n.key, s.signer_id, s.trust"
)
_OPEN = (
    "SELECT s.node_id, s.from_index, s.status, s.reasons, s.from_us, s.until_us FROM {ids}"
    " CROSS JOIN graph_status s WHERE s.node_id = w.value AND s.to_index IS NULL"
    " ORDER BY s.node_id, s.from_us"
)
_EDGES = (
    "SELECT e.id, e.source_id, e.type, e.target_id FROM {edges} CROSS JOIN graph_edge e"
    " WHERE e.source_id = w.source AND e.type = w.type AND e.target_id = w.target"
)
_DEPLOYMENTS = (
    "SELECT DISTINCT d.key FROM {ids} CROSS JOIN graph_edge e CROSS JOIN graph_node d"
    " WHERE e.target_id = w.value AND e.type = 'USED' AND d.id = e.source_id AND d.kind = 'deployment'"
)
_WITH_COPIES = "SELECT DISTINCT node_id FROM graph_copy"
_SUPPORTED = (
    'SELECT node_id FROM graph_claim WHERE signer_id = %s AND "index" >= %s AND "index" < %s'  # noqa: S608
    f" AND kind IN ({', '.join(repr(kind.value) for kind in sorted(CLAIMS_READ))})"
    ' UNION SELECT node_id FROM graph_check WHERE signer_id = %s AND "index" >= %s AND "index" < %s'
    " UNION SELECT e.source_id FROM graph_support s CROSS JOIN graph_edge e"
    ' WHERE s.signer_id = %s AND s."index" >= %s AND s."index" < %s AND e.id = s.edge_id'
    f" AND e.type IN {_EDGE_TYPES}"
    " UNION SELECT e.target_id FROM graph_support s CROSS JOIN graph_edge e"
    ' WHERE s.signer_id = %s AND s."index" >= %s AND s."index" < %s AND e.id = s.edge_id'
    f" AND e.type IN {_EDGE_TYPES}"
)


class NodeState(msgspec.Struct):
    """A node while a batch is computed.

    `pieces` is its status as of the entry that was folded last, None where it has none yet; `opened` the
    log index that opened it; `stored` whether those rows are in the table already. `edges` are ids of edges
    that begin in it, by their `place`, as far as the batch needs them.
    """

    id: int
    facts: Facts
    pieces: tuple[Piece, ...] | None = None
    opened: int = -1
    stored: bool = False
    edges: dict[int, int] = NOTHING

    def leads(self, at: int, edge: int) -> None:
        """That the edge with that id begins here, and its place."""
        if self.edges:
            self.edges[at] = edge
        else:
            self.edges = {at: edge}


_NUMBERS: Mapping[str, int] = {kind.value: number for number, kind in enumerate(EdgeType)}


def place(kind: str, target: int) -> int:
    """What tells an edge from others that begin in its node: its type, and the id of the node it leads to."""
    return target << 4 | _NUMBERS[kind]


@dataclass(frozen=True, slots=True)
class Belief:
    """Whom to believe after a batch.

    `cutoffs` maps a revoked signer's node key to the first log index that it covers; `withdrawn` are the log
    indexes of statements that were taken back.
    """

    cutoffs: Mapping[str, int]
    withdrawn: frozenset[int] = frozenset()


def by_keys(cursor: CursorWrapper, keys: Iterable[str], belief: Belief) -> list[NodeState]:
    """The nodes that exist among `keys`, with their facts and open status."""
    return _states(cursor, _BY_KEY, list(keys), belief)


def by_ids(cursor: CursorWrapper, ids: Iterable[int], belief: Belief) -> list[NodeState]:
    """The nodes with these ids, with their facts and open status."""
    return _states(cursor, _BY_ID, list(ids), belief)


def edge_ids(cursor: CursorWrapper, edges: Iterable[tuple[int, str, int]]) -> dict[tuple[int, str, int], int]:
    """The ids of the edges that exist among (source id, type, target id)."""
    wanted = list(edges)
    if not wanted:
        return {}
    found = asked(cursor, _EDGES, wanted)
    return {(source, kind, target): edge for edge, source, kind, target in found}


def deployments_of(cursor: CursorWrapper, artifacts: Iterable[int]) -> list[str]:
    """Keys of the deployments that USED any of the nodes with these ids."""
    return [key for (key,) in asked(cursor, _DEPLOYMENTS, list(artifacts))]


def supported_by(cursor: CursorWrapper, signer: int, start: int, end: int = ALWAYS_BELIEVED) -> list[int]:
    """Ids of the nodes on whose status it may bear that the signer is not believed.

    That is for what they said at the log indexes from `start` to before `end`.
    """
    cursor.execute(_SUPPORTED, [signer, start, end] * 4)
    return [node for (node,) in cursor.fetchall()]


def with_copies(cursor: CursorWrapper) -> list[int]:
    """Ids of the artifacts that have copies."""
    cursor.execute(_WITH_COPIES)
    return [node for (node,) in cursor.fetchall()]


def asked(
    cursor: CursorWrapper, query: str, rows: Sequence[object], withdrawn: Collection[int] = ()
) -> list[tuple[Any, ...]]:
    """What the query finds for these rows (none for none); `withdrawn`: as `sql_dialect.query` tells."""
    if not rows:
        return []
    vendor = cursor.db.vendor
    params = sql_dialect.listed(rows, vendor)
    if withdrawn:
        params = [*sql_dialect.listed(sorted(withdrawn), vendor), *params]
    cursor.execute(sql_dialect.query(query, vendor, withdrawn=bool(withdrawn)), params)
    return list(cursor.fetchall())


def _states(
    cursor: CursorWrapper, query: str, wanted: list[str] | list[int], belief: Belief
) -> list[NodeState]:
    if not wanted:
        return []
    states = {
        node: NodeState(node, Facts(key, NodeKind(kind), belief.cutoffs))
        for node, key, kind in asked(cursor, query, wanted)
    }
    _Filling(cursor, states, belief).fill()
    return list(states.values())


class _Filling:
    """One load. Rows name signers by id; their keys are looked up once for each."""

    def __init__(self, cursor: CursorWrapper, states: Mapping[int, NodeState], belief: Belief) -> None:
        self._cursor = cursor
        self._states = states
        self._belief = belief
        self._signers: dict[int, str] = {}

    def fill(self) -> None:
        artifacts, runs = self._ids(NodeKind.ARTIFACT), self._ids(NodeKind.RUN)
        deployments = self._ids(NodeKind.DEPLOYMENT)
        attested = artifacts + runs + deployments + self._ids(NodeKind.HARDWARE)
        self._claims(_ATTESTED, attested)
        if self._belief.withdrawn:
            for node, trust in self._rows(_RETRACTED, attested):
                facts = self._states[node].facts
                facts.retracted |= {trust}
        self._claims(_SAID, artifacts)
        self._claims(_DECIDED, artifacts)
        self._claims(_DIGESTED, runs)
        self._origins(artifacts)
        self._causes(runs + deployments)
        self._outputs(runs)
        self._checks(artifacts)
        self._open_statuses()

    def _ids(self, kind: NodeKind) -> list[int]:
        return [node for node, state in self._states.items() if state.facts.kind is kind]

    def _rows(self, query: str, ids: Sequence[object], signer: int | None = None) -> list[tuple[Any, ...]]:
        """The rows for these ids; the signer's id in column `signer` becomes its node key."""
        rows = asked(
            self._cursor, query, ids, self._belief.withdrawn if sql_dialect.tells_withdrawn(query) else ()
        )
        if signer is None:
            return rows
        unknown = {row[signer] for row in rows} - self._signers.keys()
        if unknown:
            self._signers.update((node, key) for node, key, _ in self._rows(_BY_ID, list(unknown)))
        return [(*row[:signer], self._signers[row[signer]], *row[signer + 1 :]) for row in rows]

    def _claims(self, query: str, ids: list[int]) -> None:
        for node, kind, value, signer, trust, index in self._rows(query, ids, signer=3):
            facts = self._states[node].facts
            facts.add_claim(Claim(facts.key, ClaimKind(kind), value), signer, trust, index)

    def _origins(self, ids: list[int]) -> None:
        for node, run, signer, trust, index in self._rows(_ORIGINS, ids, signer=2):
            facts = self._states[node].facts
            facts.add_edge(Edge(facts.key, EdgeType.WAS_GENERATED_BY, run), signer, trust, index)

    def _causes(self, ids: list[int]) -> None:
        for node, other, signer, trust, index in self._rows(_CAUSES, ids, signer=2):
            facts = self._states[node].facts
            facts.add_edge(Edge(facts.key, EdgeType.USED, other), signer, trust, index)

    def _outputs(self, ids: list[int]) -> None:
        for node, other, signer, trust, index in self._rows(_OUTPUTS, ids, signer=2):
            facts = self._states[node].facts
            facts.add_edge(Edge(other, EdgeType.WAS_GENERATED_BY, facts.key), signer, trust, index)

    def _checks(self, ids: list[int]) -> None:
        cutoffs = self._belief.cutoffs
        earlier = []
        for row in self._rows(_CHECKS, ids, signer=9):
            node, location, outcome, weight, *_, index, signer_id, signer = row
            cutoff = cutoffs.get(signer)
            if cutoff is not None and cutoff <= index:
                earlier.append([node, location, outcome, weight, signer_id, cutoff])
            else:
                self._add_check(row[:-2], signer)
        for row in self._rows(_EARLIER_CHECKS, earlier, signer=8):
            self._add_check(row[:-1], row[-1])

    def _add_check(self, row: tuple[Any, ...], signer: str) -> None:
        node, location, outcome, weight, trust, size, at_us, index = row
        fact = CheckFact(at_us, index, outcome, weight, trust, size)
        self._states[node].facts.add_check(location, fact, signer)

    def _open_statuses(self) -> None:
        pieces: dict[int, list[Piece]] = {}
        for node, opened, status, reasons, from_us, until_us in self._rows(_OPEN, list(self._states)):
            slugs = tuple(reasons.split(",")) if reasons else ()
            pieces.setdefault(node, []).append(Piece(Status(status), slugs, from_us, until_us))
            self._states[node].opened = opened
        for node, found in pieces.items():
            self._states[node].pieces = tuple(found)
            self._states[node].stored = True

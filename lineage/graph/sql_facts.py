"""Reading the graph tables for the projector: what statuses depend on, for many nodes at once.

Owns: `NodeState` and how it is filled. Each query takes a JSON array, so that its text never changes.
Does not own: writing (`sql`), or reading for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from lineage.graph.model import Claim, ClaimKind, Edge, EdgeType, NodeKind
from lineage.graph.status import Facts, Piece, Status
from lineage.graph.status_facts import ORIGINS_KEPT

_BY_KEY = "SELECT id, key, kind FROM graph_node WHERE key IN (SELECT value FROM json_each(%s))"
_BY_ID = "SELECT id, key, kind FROM graph_node WHERE id IN (SELECT value FROM json_each(%s))"

# These three step from group to group of a node's rows by an index whose first row of each group is the one
# that counts: a year of hourly checks then costs as little as one. (The pluses take the columns' affinity
# away, without which SQLite would seek by the first column of the comparison alone.)
_ATTESTED = (
    "WITH RECURSIVE first (id) AS ("
    "SELECT (SELECT c.id FROM graph_claim c WHERE c.node_id = w.value AND c.kind = 'attested'"
    ' ORDER BY c.signer_id, c.trust, c."index" LIMIT 1) FROM json_each(%s) w'
    " UNION ALL SELECT (SELECT n.id FROM graph_claim n WHERE n.node_id = c.node_id AND n.kind = 'attested'"
    " AND (n.signer_id, n.trust) > (+c.signer_id, +c.trust)"
    ' ORDER BY n.signer_id, n.trust, n."index" LIMIT 1)'
    " FROM first CROSS JOIN graph_claim c ON c.id = first.id"
    ') SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, c."index"'
    " FROM first CROSS JOIN graph_claim c ON c.id = first.id"
)
_LOCATIONS = (
    "WITH RECURSIVE first (id) AS ("
    "SELECT (SELECT c.id FROM graph_claim c WHERE c.node_id = w.value AND c.kind = 'location'"
    " AND c.value >= 'file://' AND c.value < 'file:/0'"
    ' ORDER BY c.value, c.signer_id, c.trust, c."index" LIMIT 1) FROM json_each(%s) w'
    " UNION ALL SELECT (SELECT n.id FROM graph_claim n WHERE n.node_id = c.node_id AND n.kind = 'location'"
    " AND (n.value, n.signer_id, n.trust) > (+c.value, +c.signer_id, +c.trust) AND n.value < 'file:/0'"
    ' ORDER BY n.value, n.signer_id, n.trust, n."index" LIMIT 1)'
    " FROM first CROSS JOIN graph_claim c ON c.id = first.id"
    ') SELECT c.node_id, c.kind, c.value, c.signer_id, c.trust, c."index"'
    " FROM first CROSS JOIN graph_claim c ON c.id = first.id"
)
_CHECKS = (
    "WITH RECURSIVE newest (id) AS ("
    "SELECT (SELECT c.id FROM graph_check c WHERE c.node_id = w.value"
    ' ORDER BY c.location, c.outcome, c.signer_id, c.at_us DESC, c."index" DESC LIMIT 1) FROM json_each(%s) w'
    " UNION ALL SELECT (SELECT n.id FROM graph_check n WHERE n.node_id = c.node_id"
    " AND (n.location, n.outcome, n.signer_id) > (+c.location, +c.outcome, +c.signer_id)"
    ' ORDER BY n.location, n.outcome, n.signer_id, n.at_us DESC, n."index" DESC LIMIT 1)'
    " FROM newest CROSS JOIN graph_check c ON c.id = newest.id"
    ') SELECT c.node_id, c.location, c.outcome, c.at_us, c."index", c.signer_id, c.signer_id'
    " FROM newest CROSS JOIN graph_check c ON c.id = newest.id"
)
# The same for groups whose newest row is not believed any more: [node, location, outcome, signer, cutoff].
_EARLIER_CHECKS = (
    'SELECT c.node_id, c.location, c.outcome, c.at_us, c."index", c.signer_id'
    " FROM json_each(%s) w CROSS JOIN graph_check c ON c.id = (SELECT e.id FROM graph_check e"
    " WHERE e.node_id = json_extract(w.value, '$[0]') AND e.location = json_extract(w.value, '$[1]')"
    " AND e.outcome = json_extract(w.value, '$[2]') AND e.signer_id = json_extract(w.value, '$[3]')"
    ' AND e."index" < json_extract(w.value, \'$[4]\') ORDER BY e.at_us DESC, e."index" DESC LIMIT 1)'
)
_CAUSES = (
    'SELECT e.source_id, n.key, s.signer_id, s.trust, MIN(s."index")'
    " FROM json_each(%s) w CROSS JOIN graph_edge e ON e.source_id = w.value AND e.type = 'USED'"
    " CROSS JOIN graph_node n ON n.id = e.target_id CROSS JOIN graph_support s ON s.edge_id = e.id"
    " GROUP BY e.id, s.signer_id, s.trust"
)
_ORIGINS = (
    "SELECT node, key, signer_id, trust, said FROM ("  # noqa: S608 our own number
    ' SELECT e.source_id AS node, n.key, s.signer_id, s.trust, MIN(s."index") AS said, ROW_NUMBER() OVER'
    ' (PARTITION BY e.source_id, s.signer_id, s.trust ORDER BY MIN(s."index"), n.key) AS place'
    " FROM json_each(%s) w CROSS JOIN graph_edge e ON e.source_id = w.value AND e.type = 'WAS_GENERATED_BY'"
    " CROSS JOIN graph_node n ON n.id = e.target_id CROSS JOIN graph_support s ON s.edge_id = e.id"
    f" GROUP BY e.id, s.signer_id, s.trust) WHERE place <= {ORIGINS_KEPT}"
)
_UNDIGESTED_OUTPUTS = (
    'SELECT e.target_id, n.key, s.signer_id, s.trust, MIN(s."index")'
    " FROM json_each(%s) w CROSS JOIN graph_edge e ON e.target_id = w.value AND e.type = 'WAS_GENERATED_BY'"
    " CROSS JOIN graph_node n ON n.id = e.source_id AND n.key >= 'uri:' AND n.key < 'uri;'"
    " CROSS JOIN graph_support s ON s.edge_id = e.id"
    " GROUP BY e.id, s.signer_id, s.trust"
)
_OPEN = (
    "SELECT s.node_id, s.from_index, s.status, s.reasons, s.from_us, s.until_us FROM json_each(%s) w"
    " CROSS JOIN graph_status s ON s.node_id = w.value AND s.to_index IS NULL ORDER BY s.node_id, s.from_us"
)
_EDGES = (
    "SELECT e.id, e.source_id, e.type, e.target_id FROM json_each(%s) t CROSS JOIN graph_edge e"
    " WHERE e.source_id = json_extract(t.value, '$[0]') AND e.type = json_extract(t.value, '$[1]')"
    " AND e.target_id = json_extract(t.value, '$[2]')"
)
_DEPLOYMENTS = (
    "SELECT DISTINCT d.key FROM json_each(%s) w"
    " CROSS JOIN graph_edge e ON e.target_id = w.value AND e.type = 'USED'"
    " CROSS JOIN graph_node d ON d.id = e.source_id AND d.kind = 'deployment'"
)
_SUPPORTED = (
    'SELECT node_id FROM graph_claim WHERE signer_id = %s AND "index" >= %s'
    ' UNION SELECT node_id FROM graph_check WHERE signer_id = %s AND "index" >= %s'
    " UNION SELECT e.source_id FROM graph_support s JOIN graph_edge e ON e.id = s.edge_id"
    ' WHERE s.signer_id = %s AND s."index" >= %s'
    " UNION SELECT e.target_id FROM graph_support s JOIN graph_edge e ON e.id = s.edge_id"
    ' WHERE s.signer_id = %s AND s."index" >= %s'
)


@dataclass(slots=True)
class NodeState:
    """A node while a batch is computed.

    `pieces` is its status as of the entry that was folded last, None where it has none yet; `opened` the
    log index that opened it; `stored` whether those rows are in the table already.
    """

    id: int
    facts: Facts
    pieces: tuple[Piece, ...] | None = None
    opened: int = -1
    stored: bool = False


def by_keys(cursor: CursorWrapper, keys: Iterable[str], cutoffs: Mapping[str, int]) -> list[NodeState]:
    """The nodes that exist among `keys`, with their facts and open status."""
    return _states(cursor, _BY_KEY, list(keys), cutoffs)


def by_ids(cursor: CursorWrapper, ids: Iterable[int], cutoffs: Mapping[str, int]) -> list[NodeState]:
    """The nodes with these ids, with their facts and open status."""
    return _states(cursor, _BY_ID, list(ids), cutoffs)


def edge_ids(cursor: CursorWrapper, edges: Iterable[tuple[int, str, int]]) -> dict[tuple[int, str, int], int]:
    """The ids of the edges that exist among (source id, type, target id)."""
    wanted = list(edges)
    if not wanted:
        return {}
    cursor.execute(_EDGES, [json.dumps(wanted)])
    return {(source, kind, target): edge for edge, source, kind, target in cursor.fetchall()}


def deployments_of(cursor: CursorWrapper, artifacts: Iterable[int]) -> list[str]:
    """Keys of the deployments that USED any of the nodes with these ids."""
    cursor.execute(_DEPLOYMENTS, [json.dumps(list(artifacts))])
    return [key for (key,) in cursor.fetchall()]


def supported_by(cursor: CursorWrapper, signer: int, cutoff: int) -> list[int]:
    """Ids of the nodes of which this signer said anything at log index `cutoff` or later."""
    cursor.execute(_SUPPORTED, [signer, cutoff] * 4)
    return [node for (node,) in cursor.fetchall()]


def _states(
    cursor: CursorWrapper, query: str, wanted: list[str] | list[int], cutoffs: Mapping[str, int]
) -> list[NodeState]:
    if not wanted:
        return []
    cursor.execute(query, [json.dumps(wanted)])
    states = {
        node: NodeState(node, Facts(key, NodeKind(kind), cutoffs)) for node, key, kind in cursor.fetchall()
    }
    _Filling(cursor, states).fill(cutoffs)
    return list(states.values())


class _Filling:
    """One load. Rows name signers by id; their keys are looked up once for each."""

    def __init__(self, cursor: CursorWrapper, states: Mapping[int, NodeState]) -> None:
        self._cursor = cursor
        self._states = states
        self._signers: dict[int, str] = {}

    def fill(self, cutoffs: Mapping[str, int]) -> None:
        artifacts, runs = self._ids(NodeKind.ARTIFACT), self._ids(NodeKind.RUN)
        deployments = self._ids(NodeKind.DEPLOYMENT)
        self._claims(_ATTESTED, artifacts + runs + deployments + self._ids(NodeKind.HARDWARE))
        self._claims(_LOCATIONS, artifacts)
        self._origins(artifacts)
        self._causes(runs + deployments)
        self._undigested_outputs(runs)
        self._checks(artifacts, cutoffs)
        self._open_statuses()

    def _ids(self, kind: NodeKind) -> list[int]:
        return [node for node, state in self._states.items() if state.facts.kind is kind]

    def _rows(self, query: str, ids: Sequence[object], signer: int | None = None) -> list[tuple[Any, ...]]:
        """The rows for these ids; the signer's id in column `signer` becomes its node key."""
        if not ids:
            return []
        self._cursor.execute(query, [json.dumps(ids)])
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
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

    def _undigested_outputs(self, ids: list[int]) -> None:
        for node, other, signer, trust, index in self._rows(_UNDIGESTED_OUTPUTS, ids, signer=2):
            facts = self._states[node].facts
            facts.add_edge(Edge(other, EdgeType.WAS_GENERATED_BY, facts.key), signer, trust, index)

    def _checks(self, ids: list[int], cutoffs: Mapping[str, int]) -> None:
        earlier = []
        for node, location, outcome, at_us, index, signer_id, signer in self._rows(_CHECKS, ids, signer=6):
            cutoff = cutoffs.get(signer)
            if cutoff is not None and cutoff <= index:
                earlier.append([node, location, outcome, signer_id, cutoff])
            else:
                self._states[node].facts.add_check(location, outcome, at_us, signer, index)
        for node, location, outcome, at_us, index, signer in self._rows(_EARLIER_CHECKS, earlier, signer=5):
            self._states[node].facts.add_check(location, outcome, at_us, signer, index)

    def _open_statuses(self) -> None:
        pieces: dict[int, list[Piece]] = {}
        for node, opened, status, reasons, from_us, until_us in self._rows(_OPEN, list(self._states)):
            slugs = tuple(reasons.split(",")) if reasons else ()
            pieces.setdefault(node, []).append(Piece(Status(status), slugs, from_us, until_us))
            self._states[node].opened = opened
        for node, found in pieces.items():
            self._states[node].pieces = tuple(found)
            self._states[node].stored = True

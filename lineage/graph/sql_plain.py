"""Nodes whose status follows from who attested them alone, and those statuses: for very many nodes at once.

Owns: which nodes are plain, reading what little they need, and judging each kind of case once by the rules.
Does not own: the rules (`status`), or the facts of other nodes (`sql_facts`). A revocation reaches a hundred
thousand nodes, of which most are plain: they cost a tenth of what gathering all facts does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from lineage.graph import status
from lineage.graph.model import NodeKind
from lineage.graph.sql_facts import Belief, asked
from lineage.graph.sql_query import PROBE
from lineage.graph.status import Facts, Piece, Rules, Status
from lineage.graph.status_facts import ALWAYS_BELIEVED

_URI = "t.key >= 'uri:' AND t.key < 'uri;'"
# An artifact without locations, findings or a second origin (what is checked or decided of it bears on copies
# and findings alone); a run that names nothing undigested and of which nobody observed anything; any machine.
_PLAIN = (
    "SELECT n.id, n.kind, CASE WHEN n.key >= 'uri:' AND n.key < 'uri;' THEN 'uri:' ELSE '' END"  # noqa: S608
    " FROM {ids} CROSS JOIN graph_node n WHERE n.id = w.value AND (n.kind = 'hardware'"
    " OR (n.kind = 'artifact' AND NOT EXISTS (SELECT 1 FROM graph_claim c WHERE c.node_id = n.id"
    f" AND c.kind IN ('location', 'unsafe'){PROBE})"
    " AND NOT EXISTS (SELECT 1 FROM graph_edge e WHERE e.source_id = n.id AND e.type = 'WAS_GENERATED_BY'"
    " LIMIT 1 OFFSET 1))"
    " OR (n.kind = 'run'"
    " AND NOT EXISTS (SELECT 1 FROM graph_edge e CROSS JOIN graph_node t CROSS JOIN graph_support s"
    " WHERE e.source_id = n.id AND e.type = 'USED' AND t.id = e.target_id AND s.edge_id = e.id"
    f" AND (s.trust = 'observed' OR ({_URI})){PROBE})"
    " AND NOT EXISTS (SELECT 1 FROM graph_edge e CROSS JOIN graph_node t CROSS JOIN graph_support s"
    " WHERE e.target_id = n.id AND e.type = 'WAS_GENERATED_BY' AND t.id = e.source_id AND s.edge_id = e.id"
    f" AND (s.trust = 'observed' OR ({_URI})){PROBE})))"
)
_ATTESTED = (
    'SELECT c.node_id, c.signer_id, c.trust, c."index" FROM {ids} CROSS JOIN graph_claim c'
    " WHERE c.node_id = w.value AND c.kind = 'attested'{but_c}"
)
_RETRACTED = (
    "SELECT DISTINCT c.node_id, c.trust FROM {ids} CROSS JOIN graph_claim c"
    " WHERE c.node_id = w.value AND c.kind = 'attested'{only_c}"
)
_OPEN = (
    "SELECT s.node_id, s.from_us, s.until_us, s.status, s.reasons FROM {ids}"
    " CROSS JOIN graph_status s WHERE s.node_id = w.value AND s.to_index IS NULL"
    " ORDER BY s.node_id, s.from_us"
)
_SIGNERS = "SELECT id, key FROM graph_node WHERE key IN (SELECT value FROM {texts})"

_Case = tuple[str, str, frozenset[tuple[str, bool]], frozenset[str]]
"""Kind, `uri:` or "", (trust, whether believed) of the attestations, trusts of withdrawn ones."""
StatusRow = tuple[Any, ...]
"""From and until (µs), status, reasons as the table has them."""
_STATUS_TEXTS = {each: each.value for each in Status}  # `value` of an enumeration costs more than a look-up


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A plain node that has another status now. `rows`: its pieces as the table has them."""

    id: int
    kind: str
    pieces: tuple[Piece, ...]
    rows: tuple[StatusRow, ...]


class Plain:
    """Judges plain nodes under one belief."""

    def __init__(self, cursor: CursorWrapper, belief: Belief, rules: Rules) -> None:
        self._cursor, self._belief, self._rules = cursor, belief, rules
        self._cases: dict[_Case, tuple[tuple[Piece, ...], tuple[StatusRow, ...]]] = {}
        rows = asked(cursor, _SIGNERS, sorted(belief.cutoffs))
        self._cutoffs: Mapping[int, int] = {node: belief.cutoffs[key] for node, key in rows}

    def rejudge(self, ids: Sequence[int]) -> tuple[list[Rejudged], list[int]]:
        """Those of the nodes whose status is another now, and those that are not plain."""
        plain = {node: (kind, scheme) for node, kind, scheme in asked(self._cursor, _PLAIN, ids)}
        return list(self._changed(plain)), [node for node in ids if node not in plain]

    def _changed(self, plain: Mapping[int, tuple[str, str]]) -> Iterator[Rejudged]:
        ids = list(plain)
        said, retracted = self._attestations(ids), self._retracted(ids)
        held = self._open(ids)
        for node, (kind, scheme) in plain.items():
            case = (kind, scheme, frozenset(said.get(node, ())), frozenset(retracted.get(node, ())))
            if case not in self._cases:
                self._cases[case] = self._judged(case)
            pieces, rows = self._cases[case]
            if held[node] != rows:
                yield Rejudged(node, kind, pieces, rows)

    def _attestations(self, ids: list[int]) -> dict[int, set[tuple[str, bool]]]:
        """(trust, whether still believed) of all that was signed about each node, and not taken back."""
        cutoffs, found = self._cutoffs, dict[int, set[tuple[str, bool]]]()
        for node, signer, trust, index in asked(self._cursor, _ATTESTED, ids, self._belief.withdrawn):
            found.setdefault(node, set()).add((trust, index < cutoffs.get(signer, ALWAYS_BELIEVED)))
        return found

    def _retracted(self, ids: list[int]) -> dict[int, set[str]]:
        found = dict[int, set[str]]()
        if self._belief.withdrawn:
            for node, trust in asked(self._cursor, _RETRACTED, ids, self._belief.withdrawn):
                found.setdefault(node, set()).add(trust)
        return found

    def _open(self, ids: list[int]) -> dict[int, tuple[StatusRow, ...]]:
        """The pieces of each node's open status."""
        held = dict[int, tuple[StatusRow, ...]]()
        for node, *piece in asked(self._cursor, _OPEN, ids):
            held[node] = (*held.get(node, ()), tuple(piece))
        return held

    def _judged(self, case: _Case) -> tuple[tuple[Piece, ...], tuple[StatusRow, ...]]:
        """By the rules, of a node that stands for all of its case."""
        kind, scheme, said, retracted = case
        facts = Facts(f"{scheme}any", NodeKind(kind), {"gone": 0})
        facts.about = {("there" if believed else "gone", trust): 0 for trust, believed in said}
        facts.retracted = retracted
        pieces = status.evaluate(facts, self._rules, {})
        return pieces, tuple(status_row(piece) for piece in pieces)


def status_row(piece: Piece) -> StatusRow:
    return piece.from_us, piece.until_us, _STATUS_TEXTS[piece.status], ",".join(piece.reasons)

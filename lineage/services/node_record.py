"""One node with everything that is known of it, and the history of its checks.

Owns: putting the record together. Does not own: reading the tables (`graph.sql_…`), gaps or taint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.graph import sql_claims, sql_edges, sql_same
from lineage.graph.model import ClaimKind, EdgeType, NodeKind
from lineage.graph.sql_claims import ClaimRow
from lineage.graph.sql_moment import REVOKED
from lineage.graph.status import PRECEDENCE, Status
from lineage.services import copy_records, redactions, taint
from lineage.services.as_of import AsOf
from lineage.services.belief import registered_name
from lineage.services.gaps import gaps_of
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import (
    CheckRecord,
    Detail,
    NameClaim,
    Neighbour,
    NodeRecord,
    NodeSummary,
)
from lineage.services.node_names import short_key
from lineage.trust.leaf import rfc3339

MAX_NEIGHBOURS = 200
MAX_INDEXES = 1_000
_CAUSES = (
    EdgeType.USED,
    EdgeType.WAS_GENERATED_BY,
    EdgeType.WAS_DERIVED_FROM,
    EdgeType.WAS_ASSOCIATED_WITH,
    EdgeType.WAS_ATTRIBUTED_TO,
    EdgeType.AT_LOCATION,
    EdgeType.PART_OF,
)
_EFFECTS = _CAUSES[:-1]  # files of a folder are listed apart


def node(key: str, as_of: AsOf, *, gaps: bool = True) -> NodeRecord:
    """The node as it was believed at the moment. Raises: NotFoundError where it was not known then.

    `gaps`: whether to look through all that it was made from for what is missing; without, it has none.
    """
    number, kind = find(key, as_of)
    return _Record(number, kind, Reader(as_of), gaps).build()


def read(key: str, reader: Reader) -> NodeRecord:
    """The same without gaps, by a reader that its caller has."""
    number, kind = find(key, reader.as_of)
    return _Record(number, kind, reader, gaps=False).build()


def checks(key: str, as_of: AsOf, *, limit: int = 500) -> list[CheckRecord]:
    """What was found whenever the bytes at its locations were hashed again, newest first.

    Raises: NotFoundError where the node was not known at the moment.
    """
    number, _ = find(key, as_of)
    reader = Reader(as_of)
    rows = sql_claims.checks(number, reader.moment, limit)
    return [
        CheckRecord(
            location=row.location,
            method=row.method,
            expected=row.expected,
            observed=row.observed,
            outcome=row.outcome,
            reason=row.reason,
            at=rfc3339(row.at_us),
            index=row.index,
            signer=row.signer,
            signer_name=registered_name(row.signer, reader.ring) or short_key(row.signer),
            trust=row.trust if row.believed else REVOKED,
            bytes=row.bytes,
        )
        for row in rows
    ]


class _Record:
    """Gathers the parts of one node's record."""

    def __init__(self, number: int, kind: NodeKind, reader: Reader, gaps: bool) -> None:
        self.number, self.kind, self.reader, self.moment = number, kind, reader, reader.moment
        self.with_gaps = gaps
        self._files = self._edges((EdgeType.PART_OF,), causes=False)
        self._origins = self._edges((EdgeType.WAS_GENERATED_BY,), causes=True)
        self._causes, self._effects = self._edges(_CAUSES, causes=True), self._edges(_EFFECTS, causes=False)
        self._same = self._others() if kind is NodeKind.ARTIFACT else []
        ends = [
            end
            for edges in (self._files, self._origins, self._causes, self._effects)
            for edge in edges
            for end in (edge.source, edge.target)
        ]
        # One reading for all that are shown.
        self._nodes = reader.summaries(_distinct([number, *ends, *self._same]))

    def claims(self, kind: ClaimKind) -> list[ClaimRow]:
        return sql_claims.claims(self.number, kind, self.moment)

    def build(self) -> NodeRecord:
        summary = self._nodes[self.number]
        files, origins = self._neighbours(self._files), self._neighbours(self._origins)
        copies, mentions = copy_records.of_node(self.number, summary.key, self.reader)
        fields = {name: getattr(summary, name) for name in NodeSummary.__struct_fields__}
        return NodeRecord(
            **fields,
            names=self._names(),
            tainted_by=taint.tainted_by(self.number, self.moment, self.reader.ring, self.reader.roots),
            gaps=tuple(gaps_of(self.number, self.kind, self.reader)) if self.with_gaps else (),
            copies=copies,
            mentions=mentions,
            fingerprints=tuple(sorted({claim.value for claim in self.claims(ClaimKind.FINGERPRINT)})),
            files=tuple(file.node for file in files),
            file_count=sql_edges.count_touching(
                self.number, EdgeType.PART_OF, self.moment.size, causes=False
            ),
            assurance="none" if self.kind is NodeKind.HARDWARE else None,
            support=self._support(),
            attestations=tuple(self._indexes((ClaimKind.ATTESTED,))),
            details=self._details(),
            activity=self._first(ClaimKind.ACTIVITY),
            started=min(self._believed(ClaimKind.STARTED), default=""),
            ended=max(self._believed(ClaimKind.ENDED), default=""),
            aliases=self._aliases(),
            origins=origins,
            causes=self._neighbours(self._causes),
            effects=self._neighbours(self._effects),
            tree_size=self.moment.size,
            projected=self.reader.as_of.projected,
            backend="sql",
            redacted=tuple(map(redactions.record, redactions.about(summary.key, self.moment.size))),
        )

    def _indexes(self, kinds: Sequence[ClaimKind]) -> list[int]:
        return sql_claims.indexes(self.number, kinds, self.moment, MAX_INDEXES)

    def _support(self) -> tuple[int, ...]:
        """The entries that say anything of it; where none does, those of the edges that touch it."""
        found = set(self._indexes(tuple(ClaimKind)))
        if not found:
            edges = self._edges(tuple(EdgeType), causes=True) + self._edges(tuple(EdgeType), causes=False)
            found = {index for edge in edges for index in edge.support}
        return tuple(sorted(found))

    def _names(self) -> tuple[NameClaim, ...]:
        return tuple(
            NameClaim(
                claim.value,
                claim.index,
                claim.signer,
                registered_name(claim.signer, self.reader.ring) or short_key(claim.signer),
                claim.trust,
            )
            for claim in self.claims(ClaimKind.NAME)
        )

    def _believed(self, kind: ClaimKind) -> list[str]:
        return [claim.value for claim in self.claims(kind) if claim.trust != REVOKED]

    def _first(self, kind: ClaimKind) -> str:
        return next(iter(self._believed(kind)), "")

    def _details(self) -> tuple[Detail, ...]:
        found = [
            Detail(*_label(claim.value), index=claim.index, signer=claim.signer, trust=claim.trust)
            for claim in self.claims(ClaimKind.DETAIL)
        ]
        for kind in (ClaimKind.VERSION, ClaimKind.LICENSE):
            found += [
                Detail(kind.value.capitalize(), claim.value, claim.index, claim.signer, claim.trust)
                for claim in self.claims(kind)
            ]
        return tuple(found)

    def _edges(self, types: Sequence[EdgeType], *, causes: bool) -> list[sql_edges.EdgeRow]:
        return sql_edges.touching(self.number, types, self.moment, causes=causes, limit=MAX_NEIGHBOURS)

    def _far(self, edge: sql_edges.EdgeRow) -> int:
        """The other end: of an edge to the node itself, that."""
        return edge.target if edge.source == self.number else edge.source

    def _neighbours(self, edges: Iterable[sql_edges.EdgeRow]) -> tuple[Neighbour, ...]:
        return tuple(
            Neighbour(self._nodes[end], edge.type, edge.trust, edge.support, edge.first_index)
            for edge in edges
            if (end := self._far(edge)) in self._nodes
        )

    def _others(self) -> list[int]:
        """Ids of the same bytes under other digests."""
        found = sql_same.group(self.number, self.moment, sql_same.MOST) - {self.number}
        return sorted(found)[: sql_same.MOST]

    def _aliases(self) -> tuple[NodeSummary, ...]:
        """The same bytes under other digests, by who is believed: first those that speak against them."""
        found = [self._nodes[other] for other in self._same if other in self._nodes]
        found.sort(key=lambda node: (not node.tainted, PRECEDENCE.index(Status(node.status))))
        return tuple(found[:MAX_NEIGHBOURS])


def _distinct(ids: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(ids))


def _label(text: str) -> tuple[str, str]:
    label, _, value = text.partition(": ")
    return label, value

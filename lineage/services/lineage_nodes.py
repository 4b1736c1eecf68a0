"""Nodes as lists show them, and the search for them.

Owns: summaries, filters, cursors. Does not own: one node with everything about it (`node_record`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from lineage.errors import MalformedError
from lineage.graph import sql_find, sql_nodes, sql_search, sql_walk
from lineage.graph.backend import EdgeRef, NodeRef
from lineage.graph.locations import root_of
from lineage.graph.model import NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_nodes import NodeRow
from lineage.services import belief, storages, taint
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import EdgeRecord, NodePage, NodeSummary
from lineage.services.node_names import short_key, shown_name
from lineage.trust.policy import KeyRing

BYTES_NOT_CHECKED = "bytes-not-checked"
STATUS_UNKNOWN = "status-unknown"
"""The graph knows the node, the status tables don't yet: it is never shown as verified."""
STATUSES = ("verified", "unverified", "expired", "failed")
_KINDS = frozenset(NodeKind)
_COPY_REASONS = frozenset({"copy-mismatch", "check-overdue", "never-checked", "inconclusive"})
"""An artifact with one of these reasons has a copy."""


class Reader:
    """What every answer about one moment shares: whom to believe, and what is tainted."""

    def __init__(self, as_of: AsOf) -> None:
        self.as_of = as_of
        self.ring: KeyRing = belief.ring(as_of)
        self.moment: Moment = belief.moment(as_of, self.ring)
        self.roots = storages.roots()
        self.tainted = taint.tainted_ids(self.moment, self.roots)

    def summaries(self, ids: Sequence[int]) -> dict[int, NodeSummary]:
        """By node id, in the order of `ids`."""
        return {row.id: self.summary(row) for row in sql_nodes.load(ids, self.moment)}

    def of_refs(self, refs: Sequence[NodeRef]) -> dict[str, NodeSummary]:
        """By node key, in the order of `refs`; what the status tables lack is unverified, and says why."""
        rows = {ref.key: ref.row for ref in refs if ref.row is not None}
        missing = [ref.key for ref in refs if ref.row is None]
        if missing and belief.statuses_known(self.as_of.size):
            rows |= sql_nodes.rows_of(missing)
        known = {node.key: node for node in self.summaries(list(rows.values())).values()}
        return {ref.key: known.get(ref.key) or _unknown(ref) for ref in refs}

    @cached_property
    def _cutoffs(self) -> Mapping[str, int]:
        return belief.cutoffs(self.ring)  # by signer's node key

    def edge(self, ref: EdgeRef) -> EdgeRecord:
        """The edge with the trust of its best supporter who is still believed."""
        support = tuple(dict.fromkeys(supporter.index for supporter in ref.support))
        trust = belief.best_trust(ref.support, self._cutoffs, self.moment.withdrawn)
        return EdgeRecord(ref.source, ref.target, ref.type, trust, support, ref.first_index)

    def summary(self, row: NodeRow) -> NodeSummary:
        return NodeSummary(
            key=row.key,
            kind=row.kind,
            roles=row.roles,
            name=shown_name(row, self.ring),
            status=row.status,
            reasons=row.reasons,
            notes=self._notes(row),
            tainted=row.id in self.tainted,
            trust=row.trust,
            first_index=row.first_index,
        )

    def _notes(self, row: NodeRow) -> tuple[str, ...]:
        """An artifact without a copy is judged by what is signed alone, and has to say so.

        What has no digest has no bytes that could be compared with it: its reason says enough.
        """
        if (
            row.kind != NodeKind.ARTIFACT
            or row.key.startswith("uri:")
            or not _COPY_REASONS.isdisjoint(row.reasons)
        ):
            return ()
        if any(root_of(location, self.roots) for location in row.checked):
            return ()
        return (BYTES_NOT_CHECKED,)

    def cursor(self, after: str | None) -> int | None:
        """The node id that a page goes on after. Raises: MalformedError where `after` names no node."""
        if after is None:
            return None
        found = sql_walk.find(after, self.moment.size)
        if found is None:
            raise MalformedError("This cursor belongs to no page of this list.", where="after")
        return found[0]


def _unknown(ref: NodeRef) -> NodeSummary:
    return NodeSummary(
        key=ref.key,
        kind=ref.kind,
        roles=ref.roles,
        name=ref.name or short_key(ref.key),
        status="unverified",
        reasons=(STATUS_UNKNOWN,),
        notes=(),
        tainted=False,
        trust="unknown",
        first_index=ref.first_index,
    )


def search(
    as_of: AsOf,
    *,
    kind: str | None = None,
    text: str | None = None,
    status: str | None = None,
    digest: str | None = None,
    tainted: bool | None = None,
    after: str | None = None,
    limit: int = 50,
) -> NodePage:
    """Nodes that all given filters let through, newest first.

    Args:
        kind: a node kind, or a role of artifacts.
        text: a part of a name, a node key, a URI, a fingerprint, or the first digits of a digest.
        digest: the first digits of a digest or fingerprint, with or without `<algorithm>:` before them.
        after: `next` of the page before.

    Raises: MalformedError for an unknown status or cursor.
    """
    if status is not None and status not in STATUSES:
        raise MalformedError(
            f"There is no status {status!r}; there are {', '.join(STATUSES)}.", where="status"
        )
    reader = Reader(as_of)
    before = reader.cursor(after)
    wanted = sql_search.Filter(
        kind=NodeKind(kind) if kind in _KINDS else None,
        role=kind if kind and kind not in _KINDS else None,
        status=status,
        ids=_candidates(reader, text, digest, tainted),
        but=reader.tainted if tainted is False and reader.tainted else None,
    )
    ids = sql_search.page(wanted, reader.moment, before, limit + 1)
    nodes = tuple(reader.summaries(ids[:limit]).values())
    following = nodes[-1].key if len(ids) > limit and nodes else None
    return NodePage(nodes, following, sql_search.total(wanted, reader.moment))


def _candidates(
    reader: Reader, text: str | None, digest: str | None, tainted: bool | None
) -> set[int] | None:
    """The only nodes that can be meant, or None where that may be any."""
    size = reader.moment.size
    sources: list[Callable[[], set[int]]] = []
    if digest and digest.strip():
        sources.append(lambda: sql_find.by_digest(digest.strip(), size))
    if text and text.strip():
        sources.append(lambda: sql_find.by_text(text.strip(), size))
    if tainted:
        sources.append(lambda: set(reader.tainted))
    if not sources:
        return None
    return set.intersection(*(source() for source in sources))

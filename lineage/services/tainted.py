"""What is tainted at a moment, as a list: by which nearest source, how far away, and what of it is live.

Computed at reading, as every page does, so that it is right at once and as of any moment. Owns: choosing and
ordering. Does not own: what is a source and the walk (`graph.sql_taint`, `graph.sql_taint_spread`), the rows
that a job keeps (`taint_rows`), or incidents.

A filter by source or reason is a walk from these sources alone: it lists whatever they taint, also what
another source is nearer to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from lineage.errors import NotFoundError
from lineage.graph import sql_bad_copies, sql_deployments, sql_nodes, sql_taint, sql_taint_spread
from lineage.graph.model import NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_taint import Decided
from lineage.graph.sql_taint_spread import BAD_COPY, COMPROMISED, DESIGNATED, WHYS, Seed, unlabelled
from lineage.services import impact, incidents, lineage_closure, storages
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary, TaintSource
from lineage.services.moment_cursor import continued, cursor
from lineage.services.node_names import shown_name

REASONS = WHYS
PAGE = 50
FILE_PAGE = 500


class TaintedNode(msgspec.Struct, frozen=True):
    """`source`: the nearest of those asked for, with why it taints and how many edges away it is.

    `live`: a deployment that has not ended, or a model that such a one uses.
    """

    node: NodeSummary
    source: TaintSource
    live: bool


class TaintedPage(msgspec.Struct, frozen=True):
    """One page, the nearest to its source first, then as the log first named them; the counts are of all.

    `by_reason` counts each node once, by its nearest source. `incident`, `source`: what the list is of, where
    it is of one. `next` continues it, None at its end.
    """

    tree_size: int
    projected: int
    total: int
    live_total: int
    counts_by_kind: dict[str, int]
    by_reason: dict[str, int]
    nodes: tuple[TaintedNode, ...]
    next: str | None
    incident: str = ""
    source: NodeSummary | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is listed; empty: whatever.

    Attributes:
        incident: name of an incident (`sha256:<hex>`): what the node that it is on taints.
        source: a node key: what this node taints.
        reason: one of REASONS: what is tainted for it.
        kind: a node kind, or a role of artifacts.
        live: only deployments that have not ended and models that such ones use.
    """

    incident: str = ""
    source: str = ""
    reason: str = ""
    kind: str = ""
    live: bool = False


def listed(wanted: Wanted, as_of: AsOf, *, after: str | None = None, limit: int = PAGE) -> TaintedPage:
    """Raises: NotFoundError for an incident or source that was not known at the moment; MalformedError for a
    cursor that is none; ConflictError for one of another moment.
    """
    as_of, start = continued(as_of, after)
    found = _Found(wanted, as_of)
    shown = found.order[start : start + limit]
    more = start + limit < len(found.order)
    return TaintedPage(
        tree_size=as_of.size,
        projected=as_of.projected,
        total=len(found.order),
        live_total=len(found.live.intersection(found.order)),
        counts_by_kind=sql_nodes.counts_by_kind(found.order),
        by_reason=found.by_reason(),
        nodes=tuple(found.told(shown)),
        next=cursor(as_of, start + limit) if more else None,
        incident=wanted.incident,
        source=found.source,
    )


def every(wanted: Wanted, as_of: AsOf) -> Iterator[TaintedNode]:
    """All of them, for a file. Raises: NotFoundError at once, not while it is read."""
    return _each(_Found(wanted, as_of))


def _each(found: _Found) -> Iterator[TaintedNode]:
    for start in range(0, len(found.order), FILE_PAGE):
        yield from found.told(found.order[start : start + FILE_PAGE])


class _Found:
    """The walk, once. Row ids: `order` is what is listed, `live` what of it is."""

    def __init__(self, wanted: Wanted, as_of: AsOf) -> None:
        self._reader = Reader(as_of)
        self.source, only = self._only(wanted)
        begin = [seed for seed in self._seeds(wanted.reason) if only is None or _source(seed) == only]
        waived = sql_taint.decided(self._reader.moment).waived
        nearest = sql_taint_spread.nearest(begin, as_of.size, waived)
        self._hops = dict(zip(nearest.nodes, nearest.hops, strict=True))
        self._labels = dict(zip(nearest.nodes, nearest.labels, strict=True))
        self.live = _live(self._hops, self._reader.moment)
        kept: Collection[int] = self.live if wanted.live else self._hops
        if wanted.kind:
            kept = sql_nodes.of_kinds(kept, [wanted.kind], as_of.size)
        self.order = sorted(kept, key=lambda node: (self._hops[node], node))

    def _only(self, wanted: Wanted) -> tuple[NodeSummary | None, int | None]:
        """The one source that is asked for, and its row id."""
        key, size = wanted.source, self._reader.as_of.size
        if wanted.incident:
            found = incidents.opened(wanted.incident, size)
            if found is None:
                raise NotFoundError("There is no such incident at this moment.", where="incident")
            if key and key != found[1].node:
                return None, 0  # nothing has this row id: the incident is on another node
            key = found[1].node
        if not key:
            return None, None
        row, _ = lineage_closure.find(key, self._reader.as_of, "incident" if wanted.incident else "source")
        return self._reader.summaries([row])[row], row

    def _seeds(self, reason: str) -> Sequence[Seed]:
        """Where taint begins; with a reason, as if there were no other."""
        moment, said = self._reader.moment, sql_taint.decided(self._reader.moment)
        misled: Mapping[int, Collection[int]] = {}
        if reason in ("", BAD_COPY) and sql_bad_copies.any_mismatch(moment.size):
            misled = sql_bad_copies.runs(moment, storages.roots())
        if reason not in ("", DESIGNATED):
            said = Decided(frozenset(), frozenset(), said.waived)
        if reason not in ("", COMPROMISED):
            moment = replace(moment, compromised={})
        return sql_taint_spread.seeds(moment, said, misled)

    def by_reason(self) -> dict[str, int]:
        reasons = (unlabelled(self._labels[node])[1] for node in self.order)
        return sql_nodes.sums((reason, 1) for reason in reasons)

    def told(self, nodes: Sequence[int]) -> Iterator[TaintedNode]:
        sources = {node: unlabelled(self._labels[node]) for node in nodes}
        rows = sql_nodes.load(list({source for source, _ in sources.values()}), self._reader.moment)
        named = {row.id: (row.key, shown_name(row, self._reader.ring)) for row in rows}
        for node, summary in self._reader.summaries(nodes).items():
            source, why = sources[node]
            key, name = named[source]
            yield TaintedNode(summary, TaintSource(key, name, why, self._hops[node]), node in self.live)


def _source(seed: Seed) -> int:
    return unlabelled(seed.label)[0]


def _live(nodes: Collection[int], moment: Moment) -> set[int]:
    """Of these row ids the deployments that have not ended, and the models that they use.

    Whatever uses a tainted model is tainted too: a deployment's taint can't be waived.
    """
    deployments = set(sql_nodes.of_kinds(nodes, [NodeKind.DEPLOYMENT], moment.size))
    running = deployments - sql_deployments.ended(deployments, moment).keys()
    models = sql_nodes.of_roles(nodes, impact.LISTED_ROLES, moment.size)
    return running.union(sql_deployments.used_by(running, moment.size).intersection(models))

"""What one entry changed: which nodes have another status because of it, and which edges other trust.

Owns: putting both together for a page. Does not own: the status history (`graph.sql_consequences`). A
decision that takes somebody's word away reaches all that they said; any other entry changes what it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import msgspec

from lineage.db.models import Entry, ProjectionState
from lineage.errors import MalformedError, NotFoundError
from lineage.graph import sql_consequences, sql_nodes
from lineage.graph.model import signer_key
from lineage.graph.sql_consequences import Turned, Word
from lineage.graph.sql_moment import Moment
from lineage.services import belief, withdrawals
from lineage.services.as_of import AsOf
from lineage.services.belief import GraphVersion, graph_version
from lineage.services.node_names import shown_name
from lineage.trust.leaf import rfc3339

PAGE = 50
_KEPT = 16
MAX_WORDS = 200
"""Signers whose word one decision takes away (a root's identities) of whom edges are looked at."""


class StatusCount(msgspec.Struct, frozen=True):
    """How many nodes of a kind went from one status to another; the same where only its reasons changed."""

    kind: str
    before: str
    after: str
    count: int

    @property
    def roles(self) -> tuple[str, ...]:
        """None: it counts all of a kind."""
        return ()


class TrustCount(msgspec.Struct, frozen=True):
    """How many edges are trusted otherwise."""

    before: str
    after: str
    count: int


class NodeChange(msgspec.Struct, frozen=True):
    """A node and its status, with its reasons, before the entry and after; `name` as of before."""

    key: str
    kind: str
    roles: tuple[str, ...]
    name: str
    before: str
    reasons_before: tuple[str, ...]
    after: str
    reasons_after: tuple[str, ...]

    @classmethod
    def of(cls, turned: Turned, key: str, roles: tuple[str, ...], name: str) -> NodeChange:
        """What the status tables say, of the node that is called so."""
        return cls(
            key,
            turned.kind,
            roles,
            name,
            turned.before,
            turned.reasons_before,
            turned.after,
            turned.reasons_after,
        )


class EdgeChange(msgspec.Struct, frozen=True):
    """An edge by the keys and names of its ends, and its best trust before the entry and after."""

    source: str
    source_name: str
    type: str
    target: str
    target_name: str
    before: str
    after: str


class Consequences(msgspec.Struct, frozen=True):
    """One page of each list, with the counts of all. `at` is the entry's own time.

    `next_node`, `next_edge` are what continues a list, None at its end.
    """

    index: int
    at: str
    statuses: tuple[StatusCount, ...]
    nodes: tuple[NodeChange, ...]
    next_node: str | None
    trusts: tuple[TrustCount, ...]
    edges: tuple[EdgeChange, ...]
    next_edge: str | None

    @property
    def total(self) -> int:
        return sum(each.count for each in self.statuses)

    @property
    def edges_total(self) -> int:
        return sum(each.count for each in self.trusts)


_Counts = tuple[tuple[StatusCount, ...], tuple[TrustCount, ...]]
_counted: dict[tuple[GraphVersion, int], _Counts] = {}
_lock = Lock()


def of_entry(
    index: int, *, after_node: str | None = None, after_edge: str | None = None, limit: int = PAGE
) -> Consequences | None:
    """What entry `index` changed; None while the graph has not followed the log that far.

    Raises: NotFoundError where there is no such entry; MalformedError for a cursor that is none.
    """
    at_us = Entry.objects.filter(pk=index).values_list("received_us", flat=True).first()
    if at_us is None:
        raise NotFoundError(f"The log has no entry {index}.")
    projected = ProjectionState.objects.filter(pk=1).values_list("projected", flat=True).first() or 0
    if projected <= index:
        return None
    before, after = _moment(index, at_us), _moment(index + 1, at_us)
    words = _words(index, before, after)
    statuses, trusts = _counts(index, at_us, words, before, after)
    turned = sql_consequences.turned(index, at_us, _cursor(after_node), limit + 1)
    faded = sql_consequences.faded(words, before, after, _cursor(after_edge), limit + 1)
    shown, lines = turned[:limit], faded[:limit]
    names = _Names(
        [*(each.node for each in shown), *(end for e in lines for end in (e.source, e.target))], before
    )
    return Consequences(
        index=index,
        at=rfc3339(at_us),
        statuses=statuses,
        nodes=tuple(
            NodeChange.of(each, names.key(each.node), names.roles(each.node), names.name(each.node))
            for each in shown
        ),
        next_node=str(shown[-1].node) if len(turned) > limit else None,
        trusts=trusts,
        edges=tuple(
            EdgeChange(
                names.key(edge.source),
                names.name(edge.source),
                edge.type,
                names.key(edge.target),
                names.name(edge.target),
                edge.before,
                edge.after,
            )
            for edge in lines
        ),
        next_edge=str(lines[-1].edge) if len(faded) > limit else None,
    )


class _Names:
    """Keys and names of nodes, as of the moment before: the entry may have taken their names from them."""

    def __init__(self, ids: Sequence[int], moment: Moment) -> None:
        ring = belief.ring(_as_of(moment.size, moment.at_us))
        rows = sql_nodes.load(list(dict.fromkeys(ids)), moment)
        self._rows = {row.id: (row.key, shown_name(row, ring), row.roles) for row in rows}

    def key(self, node: int) -> str:
        return self._rows[node][0]

    def name(self, node: int) -> str:
        return self._rows[node][1]

    def roles(self, node: int) -> tuple[str, ...]:
        return self._rows[node][2]


def _as_of(size: int, at_us: int) -> AsOf:
    return AsOf(size, at_us, size, size, live=False)


def _moment(size: int, at_us: int) -> Moment:
    return belief.moment(_as_of(size, at_us))


def _words(index: int, before: Moment, after: Moment) -> list[Word]:
    """Whose word was taken away by the entry, and how much of it."""
    words = [
        Word(signer, cutoff, before.cutoffs.get(signer, index))
        for signer, cutoff in sorted(after.cutoffs.items())
        if cutoff < before.cutoffs.get(signer, index)
    ]
    for each in withdrawals.below(index + 1):
        if each.index == index:
            rows = sql_nodes.rows_of([signer_key(signer) for _, signer in each.said])
            words += [
                Word(rows[signer_key(signer)], said, said + 1)
                for said, signer in each.said
                if signer_key(signer) in rows
            ]
    return words[:MAX_WORDS]


def _counts(index: int, at_us: int, words: Sequence[Word], before: Moment, after: Moment) -> _Counts:
    """Counted once while the graph is the same: a decision may have turned a hundred thousand nodes."""
    version = graph_version(index + 1)
    if version is not None and (version, index) in _counted:
        return _counted[version, index]
    found = (
        tuple(StatusCount(*row) for row in sql_consequences.turned_counts(index, at_us)),
        tuple(TrustCount(*row) for row in sql_consequences.faded_counts(words, before, after)),
    )
    if version is not None and graph_version(index + 1) == version:  # not rebuilt meanwhile
        with _lock:
            _counted[version, index] = found
            while len(_counted) > _KEPT:
                del _counted[next(iter(_counted))]
    return found


def forget() -> None:
    """Drop what this process remembers. For tests, whose logs share an origin."""
    with _lock:
        _counted.clear()


def _cursor(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedError("The cursor is not one that this server gave.", where="after")
    return int(text)

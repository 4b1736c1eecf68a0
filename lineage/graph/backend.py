"""What a graph backend answers: nodes, closures, edges and paths by node key, as of a tree size.

Owns: the protocol and its values, which edges a walk follows. Pure: no Django, no I/O, no clock. Statuses,
names that are believed and taint are not a backend's: they come from the status tables, by key.

Every backend gives the same answers; `tests/conformance` holds them to it. Edges point from effect to cause;
ancestors are reached from source to target, `SAME_AS` is one hop in either direction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from lineage.graph.model import LINEAGE_EDGES, EdgeType, GraphDelta, NodeKind

MAX_DEPTH = 10_000
MAX_PATHS = 100
OPENING_KINDS = frozenset({NodeKind.SIGNER, NodeKind.SUPPLIER, NodeKind.PLACE, NodeKind.HARDWARE})
"""From these the first step goes over `OPENING_EDGES` too: no lineage edge touches them."""

PLACE_HOPS = 3
"""From a place to those within it: a jurisdiction, its sites, and one more."""

OPENING_EDGES = (EdgeType.WAS_ASSOCIATED_WITH, EdgeType.WAS_ATTRIBUTED_TO, EdgeType.AT_LOCATION)


class Direction(StrEnum):
    ANCESTORS = "ancestors"
    DESCENDANTS = "descendants"


@dataclass(frozen=True, slots=True)
class GraphEntry:
    """What one log entry adds. `contributions`: (signer key, delta), each believed when it was made."""

    index: int
    trust: str  # signed, observed, asserted
    contributions: tuple[tuple[str, GraphDelta], ...]


@dataclass(frozen=True, slots=True)
class NodeRef:
    """A node as the graph alone knows it.

    `name` and `roles` are for showing a node of which the status tables know nothing; they may be empty.
    `row` is its id in those tables, where they answered.
    """

    key: str
    kind: str
    first_index: int
    name: str = field(default="", compare=False)
    roles: tuple[str, ...] = field(default=(), compare=False)
    row: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Supporter:
    """`signer` is a node key, `index` a log index."""

    index: int
    signer: str
    trust: str


@dataclass(frozen=True, slots=True)
class EdgeRef:
    """`support` holds the supporters below the tree size asked for, ascending; never empty."""

    source: str
    type: str
    target: str
    first_index: int
    support: tuple[Supporter, ...]


Link = tuple[str, str, str]
"""Key of the effect, edge type, key of the cause."""


@dataclass(frozen=True, slots=True)
class Way:
    """Which edges are followed, and in which direction, as of tree size `size`.

    `types`: none means the lineage edges with the wider first step.
    """

    direction: Direction
    size: int
    types: tuple[EdgeType, ...] = ()

    @property
    def followed(self) -> tuple[EdgeType, ...]:
        return self.types or LINEAGE_EDGES


@dataclass(frozen=True, slots=True)
class Walk:
    """A closure to be asked for.

    `direction`, `size` and `types` are those of its `Way`. The walk passes through all nodes; the others say
    which to keep in the answer, and only what all of them let through is kept.

    Attributes:
        kinds: node kinds or roles of artifacts; none keeps all.
        roles: roles that somebody claimed; none keeps all.
        place: key of a place; empty keeps all. At a place are the things that lie there (`AT_LOCATION`) or in
            a place within it, the runs of machines that do, and what any of these generated.
        statuses: statuses as of the tree size and the time `at_us` (µs, UTC); none keeps all.
        at_us: None where nobody asks for statuses, not even for their counts.
    """

    root: str
    direction: Direction
    size: int
    types: tuple[EdgeType, ...] = ()
    kinds: tuple[str, ...] = ()
    depth: int = MAX_DEPTH
    roles: tuple[str, ...] = ()
    place: str = ""
    statuses: tuple[str, ...] = ()
    at_us: int | None = field(default=None, compare=False)

    @property
    def way(self) -> Way:
        return Way(self.direction, self.size, self.types)

    @property
    def followed(self) -> tuple[EdgeType, ...]:
        return self.way.followed


@dataclass(frozen=True, slots=True)
class ClosurePage:
    """`total` and the counts are over all pages and leave the root out. `next` goes on after this page.

    `counts_by_status` is None where the backend knows no statuses, or nobody asked. `members` are the keys of
    the whole closure where the backend had them at hand; None where counting them did without.
    """

    total: int
    counts_by_kind: Mapping[str, int]
    nodes: tuple[NodeRef, ...]
    next: str | None
    members: tuple[str, ...] | None = None
    counts_by_status: Mapping[str, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Members:
    """A closure with all that it holds, without the root; counts as of `ClosurePage`.

    Either `rows` are its nodes' ids in the database's tables, ascending, or `nodes` are the nodes themselves;
    both are None where there are too many.
    """

    total: int
    counts_by_kind: Mapping[str, int]
    rows: list[int] | None
    nodes: tuple[NodeRef, ...] | None
    members: tuple[str, ...] | None = None
    counts_by_status: Mapping[str, int] | None = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        return self.rows is not None or self.nodes is not None


class Backend(Protocol):
    """Reads only what entries below the tree size say. Whoever asks has seen that the backend is that far.

    Each method raises `UnavailableError` where the store doesn't answer in time, or turns out to have been
    emptied, rebuilt or exchanged meanwhile.
    """

    @property
    def name(self) -> str:
        """`sql`, `index` or `neo4j`."""

    def projected(self) -> int:
        """Entries below this index are in the graph."""

    def node(self, key: str, size: int) -> NodeRef | None:
        """None where it was not known."""

    def nodes(self, keys: Sequence[str], size: int) -> list[NodeRef]:
        """Those that were known, in the order of `keys`."""

    def closure(self, walk: Walk, *, after: str | None = None, limit: int = 100) -> ClosurePage:
        """One page of a closure with the counts of all. `after` is `next` of the page before.

        Neo4j knows no statuses: it is never asked for some.

        Raises: NotFoundError where the root or the place was not known, MalformedError for a cursor of
            another list, ConflictError where the list can't be continued (the backend has changed since).
        """

    def members(self, walk: Walk, most: int) -> tuple[NodeRef, ...] | None:
        """The whole closure without the root, or None where it has more than `most` nodes."""

    def counted_members(self, walk: Walk, most: int) -> Members:
        """The same with the counts, which are there also where there are more. Raises: as `closure`."""

    def edges_among(self, keys: Collection[str], types: Sequence[str], size: int) -> list[EdgeRef]:
        """All edges of these types with both ends in `keys`, by first index."""

    def links_among(
        self, keys: Collection[str], types: Sequence[str], size: int, rows: Mapping[int, str] | None = None
    ) -> list[Link]:
        """The same without support, in no order.

        `rows`: the same keys by their ids in the database's tables, where the caller knows them.
        """

    def neighbours(
        self, key: str, types: Sequence[str], size: int, *, causes: bool, limit: int
    ) -> list[EdgeRef]:
        """The edges of these types that begin at the node (its causes) or end in it, by first index."""

    def paths(self, effect: str, cause: str, size: int, limit: int) -> list[tuple[str, ...]]:
        """At most `limit` simple paths of node keys from effect to cause, shortest first.

        Over lineage edges; a signer, supplier, place or machine as the cause is entered over its other edges,
        a place also through its machines.
        """

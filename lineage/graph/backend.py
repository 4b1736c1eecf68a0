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

    `direction`, `size` and `types` are those of its `Way`. `kinds` are node kinds or roles of artifacts to
    keep in the answer (the walk passes through all); none keeps all.
    """

    root: str
    direction: Direction
    size: int
    types: tuple[EdgeType, ...] = ()
    kinds: tuple[str, ...] = ()
    depth: int = MAX_DEPTH

    @property
    def way(self) -> Way:
        return Way(self.direction, self.size, self.types)

    @property
    def followed(self) -> tuple[EdgeType, ...]:
        return self.way.followed


@dataclass(frozen=True, slots=True)
class ClosurePage:
    """`total` and the counts are over all pages and leave the root out. `next` goes on after this page.

    `members` are the keys of the whole closure where the backend had them at hand, `rows` their row ids where
    the database's own tables answered; None where counting them did without.
    """

    total: int
    counts_by_kind: Mapping[str, int]
    nodes: tuple[NodeRef, ...]
    next: str | None
    members: tuple[str, ...] | None = None
    rows: tuple[int, ...] | None = field(default=None, repr=False)


class Backend(Protocol):
    """Reads only what entries below the tree size say. Whoever asks has seen that the backend is that far.

    Each method raises `UnavailableError` where the store doesn't answer in time, or turns out to have been
    emptied, rebuilt or exchanged meanwhile.
    """

    @property
    def name(self) -> str:
        """`sql` or `neo4j`."""

    def projected(self) -> int:
        """Entries below this index are in the graph."""

    def node(self, key: str, size: int) -> NodeRef | None:
        """None where it was not known."""

    def nodes(self, keys: Sequence[str], size: int) -> list[NodeRef]:
        """Those that were known, in the order of `keys`."""

    def closure(self, walk: Walk, *, after: str | None = None, limit: int = 100) -> ClosurePage:
        """One page of a closure with the counts of all. `after` is `next` of the page before.

        Raises: NotFoundError where the root was not known, MalformedError for a cursor of another list,
            ConflictError where the list can't be continued (the backend has changed since).
        """

    def members(self, walk: Walk, most: int) -> tuple[NodeRef, ...] | None:
        """The whole closure without the root, or None where it has more than `most` nodes."""

    def edges_among(self, keys: Collection[str], types: Sequence[str], size: int) -> list[EdgeRef]:
        """All edges of these types with both ends in `keys`, by first index."""

    def links_among(self, keys: Collection[str], types: Sequence[str], size: int) -> list[Link]:
        """The same without support, in no order."""

    def neighbours(
        self, key: str, types: Sequence[str], size: int, *, causes: bool, limit: int
    ) -> list[EdgeRef]:
        """The edges of these types that begin at the node (its causes) or end in it, by first index."""

    def paths(self, effect: str, cause: str, size: int, limit: int) -> list[tuple[str, ...]]:
        """At most `limit` simple paths of node keys from effect to cause, shortest first.

        Over lineage edges; a signer, supplier, place or machine as the cause is entered over its other edges,
        a place also through its machines.
        """

"""What the lineage services answer with: one frozen struct for each thing that a page or a client reads.

Keys are node keys, times RFC 3339 in UTC, indexes log indexes. `trust` is signed, observed, asserted, or
revoked where no supporter is believed any more. Owns the shapes only.
"""

from __future__ import annotations

import msgspec

from lineage.services.redactions import RedactionRecord


class NodeSummary(msgspec.Struct, frozen=True):
    """`name` is the first unrevoked one, else the shortened key. `notes` are slugs, as `reasons` are.

    `trust` is `unknown` of a node that the graph has and the status tables have not judged yet.
    """

    key: str
    kind: str
    roles: tuple[str, ...]
    name: str
    status: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    tainted: bool
    trust: str
    first_index: int


class NodePage(msgspec.Struct, frozen=True):
    """`next` is what `after` takes to go on; None at the end. `total` is over all pages."""

    nodes: tuple[NodeSummary, ...]
    next: str | None
    total: int


class EdgeRecord(msgspec.Struct, frozen=True):
    """From effect (`source`) to cause (`target`)."""

    source: str
    target: str
    type: str
    trust: str
    support: tuple[int, ...]
    first_index: int


class Closure(msgspec.Struct, frozen=True):
    """`nodes` and `total` leave the root out; `edges` are those among the page's nodes and the root.

    `counts_by_status` is None where `backend` knows no statuses and the closure is too big to list for them.
    """

    root: str
    root_node: NodeSummary
    tree_size: int
    projected: int
    backend: str
    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int] | None
    nodes: tuple[NodeSummary, ...]
    edges: tuple[EdgeRecord, ...]
    next: str | None


class PathRecord(msgspec.Struct, frozen=True):
    """`nodes` from the source asked for to the target; an edge a step, each from its effect to its cause."""

    nodes: tuple[NodeSummary, ...]
    edges: tuple[EdgeRecord, ...]
    hops: int


class NameClaim(msgspec.Struct, frozen=True):
    name: str
    index: int
    signer: str
    signer_name: str
    trust: str


class CopyRecord(msgspec.Struct, frozen=True):
    """A location under a storage, and how it stands: `outcome` is `never-checked` before its first check.

    `at`, `expected`, `observed` and `reason` are of the check that the outcome follows from: the mismatch
    that nothing has cleared, else the newest. `last_outcome` and `last_at` are the newest check's.
    `matched_at`: the newest match of the digest itself. `overdue_at`: when its matches count no more. Times
    are RFC 3339, empty for never.
    """

    location: str
    outcome: str
    at: str
    expected: str
    observed: str
    reason: str
    trust: str
    storage: str = ""
    method: str = ""
    last_outcome: str = ""
    last_at: str = ""
    matched_at: str = ""
    overdue_at: str = ""
    bytes: int = 0


class Mention(msgspec.Struct, frozen=True):
    """A location that somebody states and that this installation never opens, or no more (`withdrawn`)."""

    location: str
    index: int
    signer: str
    trust: str
    withdrawn: bool = False


class CheckRecord(msgspec.Struct, frozen=True):
    """`trust` is `revoked` where the check is not believed any more. `bytes` were read; 0: not told."""

    location: str
    method: str
    expected: str
    observed: str
    outcome: str
    reason: str
    at: str
    index: int
    signer: str
    signer_name: str
    trust: str
    bytes: int = 0


class Detail(msgspec.Struct, frozen=True):
    label: str
    value: str
    index: int
    signer: str
    trust: str


class TaintSource(msgspec.Struct, frozen=True):
    """`source` says why it taints; `hops` edges away from the node asked for."""

    key: str
    name: str
    source: str
    hops: int


class Gap(msgspec.Struct, frozen=True):
    """What is missing at the node `key`, who could sign it (names of keys), and the command that would.

    `predicate_type` is that of the missing statement; empty where no statement closes it.
    """

    slug: str
    key: str
    name: str
    what: str
    closes: str
    command: str
    signers: tuple[str, ...]
    predicate_type: str = ""


class Neighbour(msgspec.Struct, frozen=True):
    """A node one edge away, with the edge's type, trust and support."""

    node: NodeSummary
    type: str
    trust: str
    support: tuple[int, ...]
    first_index: int


class NodeRecord(msgspec.Struct, frozen=True):
    """All that is known of a node. Neighbours and files are cut at `node_record.MAX_NEIGHBOURS` each.

    `redacted` are statements about it whose bytes were erased: what they said is in none of the others.
    """

    key: str
    kind: str
    roles: tuple[str, ...]
    name: str
    status: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    tainted: bool
    trust: str
    first_index: int
    names: tuple[NameClaim, ...]
    tainted_by: tuple[TaintSource, ...]
    gaps: tuple[Gap, ...]
    copies: tuple[CopyRecord, ...]
    mentions: tuple[Mention, ...]
    fingerprints: tuple[str, ...]
    files: tuple[NodeSummary, ...]
    file_count: int
    assurance: str | None
    support: tuple[int, ...]
    attestations: tuple[int, ...]
    details: tuple[Detail, ...]
    activity: str
    started: str
    ended: str
    aliases: tuple[NodeSummary, ...]
    origins: tuple[Neighbour, ...]
    causes: tuple[Neighbour, ...]
    effects: tuple[Neighbour, ...]
    tree_size: int
    projected: int
    backend: str
    redacted: tuple[RedactionRecord, ...] = ()


class Counts(msgspec.Struct, frozen=True):
    """Nodes by status: the four add up to `total`, `tainted` overlaps them. `by_kind`: kind, then status."""

    verified: int
    unverified: int
    expired: int
    failed: int
    tainted: int
    total: int
    by_kind: dict[str, dict[str, int]]


class ExceptionRecord(msgspec.Struct, frozen=True):
    """A node that came into an exceptional status, from `before` (empty: it was new), at `at`."""

    node: NodeSummary
    before: str
    at: str
    index: int


class CheckAge(msgspec.Struct, frozen=True):
    """When any copy was last checked, and the copy that has waited longest; empty where nothing was."""

    newest: str
    oldest: str

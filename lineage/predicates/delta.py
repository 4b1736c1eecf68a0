"""Collecting what one statement says, piece by piece, into a `GraphDelta`.

Owns: that every node that is mentioned is declared, that no text holds U+0000, and that no text is longer
than a database can index. Does not own: what a predicate means.
"""

from __future__ import annotations

from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import (
    CheckResult,
    Claim,
    ClaimKind,
    Edge,
    EdgeType,
    GraphDelta,
    NodeKind,
    signer_key,
)
from lineage.predicates.wire import clean

MAX_TEXT_BYTES = 2_000
"""UTF-8 bytes of one claim's value: PostgreSQL indexes at most 2,704 bytes a row."""

MAX_EDGES = 200_000
"""Edges of one statement. What it lists is limited already, but some predicates relate each to each."""

MAX_CLAIMS = 300_000
"""Claims of one statement: fourteen of each subject, where there are as many as there may be."""

MAX_CLAIMED_CHARACTERS = 32 << 20
"""Characters of a statement's claims in all: a long description is claimed of every subject."""

_SURELY_FITS = MAX_TEXT_BYTES // 4
"""Characters; a longer text has its bytes counted."""

_EXACT = frozenset({ClaimKind.LOCATION, ClaimKind.FINGERPRINT})
"""Claims that are worthless when cut."""


class Delta:
    """A `GraphDelta` in the making. `signer` is the node key of the statement's signer.

    Where several pieces are told about one node, its first kind stays: kinds follow from the key's scheme.
    """

    __slots__ = ("_builders", "_characters", "_checks", "_claims", "_edges", "_nodes", "signer")

    def __init__(self, signer_id: str) -> None:
        self.signer = signer_key(signer_id)
        self._nodes: dict[str, NodeKind] = {self.signer: NodeKind.SIGNER}
        self._edges: list[Edge] = []
        self._claims: list[Claim] = []
        self._checks: list[CheckResult] = []
        self._builders: set[str] = set()
        self._characters = 0

    def node(self, key: str, kind: NodeKind) -> str:
        """Declare a node; returns its key."""
        self._nodes.setdefault(key, kind)
        return key

    def claim(self, node: str, kind: ClaimKind, value: str) -> None:
        """Say one thing of a declared node; an empty value says nothing.

        Raises:
            MalformedError: a location or fingerprint over `MAX_TEXT_BYTES`; other texts are cut.
            TooLargeError: more than `MAX_CLAIMS`, or `MAX_CLAIMED_CHARACTERS`.
        """
        if value:
            if len(value) > _SURELY_FITS or "\0" in value:
                value = _fitted(kind, value)
            self._characters += len(value)
            if len(self._claims) >= MAX_CLAIMS or self._characters > MAX_CLAIMED_CHARACTERS:
                raise self._too_many_claims()
            self._claims.append(Claim(node, kind, value))

    def _too_many_claims(self) -> TooLargeError:
        hint = "Say it in several statements, each about some of the subjects."
        if len(self._claims) >= MAX_CLAIMS:
            says = f"The statement makes more than {MAX_CLAIMS:,} claims, the limit."
            return TooLargeError(says, limit=MAX_CLAIMS, hint=hint)
        says = f"The statement's claims have more than {MAX_CLAIMED_CHARACTERS:,} characters, the limit."
        return TooLargeError(says, limit=MAX_CLAIMED_CHARACTERS, hint=hint)

    def detail(self, node: str, label: str, value: object) -> None:
        """A fact for display only; an empty or absent value says nothing."""
        if value is not None and value != "":
            self.claim(node, ClaimKind.DETAIL, f"{label}: {value}")

    def edge(self, source: str, kind: EdgeType, target: str) -> None:
        """From effect to cause, between declared nodes; nothing is its own cause.

        Raises: TooLargeError for more than `MAX_EDGES`.
        """
        if source != target:
            if len(self._edges) >= MAX_EDGES:
                raise TooLargeError(
                    f"The statement makes more than {MAX_EDGES:,} edges, the limit.",
                    limit=MAX_EDGES,
                    hint="Say it in several statements, each about some of the subjects.",
                )
            self._edges.append(Edge(source, kind, target))

    def check(self, result: CheckResult) -> None:
        """One row of a check statement."""
        self._checks.append(result)

    def builder(self, builder_id: str) -> None:
        """The statement speaks for this builder."""
        self._builders.add(builder_id)

    def finished(self) -> GraphDelta:
        """What was collected."""
        return GraphDelta(
            nodes=self._nodes,
            edges=tuple(self._edges),
            claims=tuple(self._claims),
            checks=tuple(self._checks),
            builders=frozenset(self._builders),
        )


def _fitted(kind: ClaimKind, value: str) -> str:
    data = clean(value).encode()
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode()
    if kind in _EXACT:
        raise MalformedError(f"A {kind} has at most {MAX_TEXT_BYTES:,} bytes, this one has {len(data):,}.")
    return data[: MAX_TEXT_BYTES - len("…".encode())].decode(errors="ignore") + "…"

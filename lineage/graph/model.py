"""What the lineage graph consists of: keys, kinds, edges, and the change that one statement makes.

Owns: identity (how a digest, a run, a machine becomes a node key) and `GraphDelta`. Pure: no Django,
no I/O, no clock. Does not own: where the graph is stored (`graph.sql`) or what a status is (`graph.status`).

Node keys are always `<scheme>:<hex>`. Edges point from effect to cause, in PROV words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

STRONG_ALGORITHMS = ("sha256", "sha384", "sha512", "sha3_256", "blake3")
"""Digests that identify an artifact, in the order in which the first present one names the node."""

IDENTIFYING_ALGORITHMS = (*STRONG_ALGORITHMS, "dirHash")
"""What may name an artifact: content digests, then a folder's `dirHash`."""


class NodeKind(StrEnum):
    ARTIFACT = "artifact"
    RUN = "run"
    HARDWARE = "hardware"
    DEPLOYMENT = "deployment"
    SIGNER = "signer"
    SUPPLIER = "supplier"
    PLACE = "place"


class EdgeType(StrEnum):
    USED = "USED"
    WAS_GENERATED_BY = "WAS_GENERATED_BY"
    WAS_DERIVED_FROM = "WAS_DERIVED_FROM"
    SAME_AS = "SAME_AS"
    PART_OF = "PART_OF"
    WAS_ASSOCIATED_WITH = "WAS_ASSOCIATED_WITH"
    WAS_ATTRIBUTED_TO = "WAS_ATTRIBUTED_TO"
    AT_LOCATION = "AT_LOCATION"


LINEAGE_EDGES = (EdgeType.USED, EdgeType.WAS_GENERATED_BY, EdgeType.WAS_DERIVED_FROM, EdgeType.SAME_AS)
"""The edges that a closure follows unless others are asked for."""


class ClaimKind(StrEnum):
    """What a statement may say of one node. Every claim has support, like an edge."""

    ATTESTED = "attested"  # value: predicate type. The statement is *about* this node
    NAME = "name"
    ROLE = "role"  # artifacts: dataset, model, adapter, code, config, report, file …
    ACTIVITY = "activity"  # runs: training, evaluation, conversion, preparation …
    LOCATION = "location"  # a URI under which the bytes are said to lie
    FINGERPRINT = "fingerprint"  # `<alg>:<value>`: finds nodes, never merges them
    STARTED = "started"  # RFC 3339, the signer's clock
    ENDED = "ended"
    VERSION = "version"
    LICENSE = "license"
    DETAIL = "detail"  # `<label>: <value>`, for display only
    INVENTORY = "inventory"  # artifacts: `<bytes> <formats>`; the entry lists what they consist of
    DIGESTED = "digested"  # runs: `<USED or WAS_GENERATED_BY> <uri: key>` that it names with a digest, or
    # the key of a digest that our collector only heard of
    UNSAFE = "unsafe"  # artifacts: why loading it is unsafe, a sentence
    WAIVED = "waived"  # decided: `<finding> <µs until, or 0 for ever>`
    CRITICALITY = "criticality"  # decided: how critical, of `check_policy.LEVELS`
    PLACED = "placed"  # decided: a location at which a copy lies
    WITHDRAWN = "withdrawn"  # decided: a location at which none lies any more
    DESIGNATED = "designated"  # decided: a source of taint; µs until, or 0 until another decision
    CLEARED = "cleared"  # decided: no such source any more; `0`
    UNTAINTED = "untainted"  # decided: no taint gets to it or through it; µs until, or 0


class Claim(msgspec.Struct, frozen=True):
    """`node` is a node key; `value` is text without U+0000. A struct, because a statement makes dozens."""

    node: str
    kind: ClaimKind
    value: str


class Edge(msgspec.Struct, frozen=True):
    """From effect (`source`) to cause (`target`), both node keys."""

    source: str
    type: EdgeType
    target: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One row of a `check:v1` statement. `at` is microseconds since the epoch, UTC."""

    node: str
    location: str
    method: str
    expected: str
    observed: str
    outcome: str  # match | mismatch | inconclusive
    reason: str
    at: int
    bytes: int = 0  # that were read; 0: not told


@dataclass(frozen=True, slots=True)
class GraphDelta:
    """What one statement by one signer adds to the graph. Order carries no meaning, duplicates are legal.

    `nodes` maps every node key that `edges`, `claims` and `checks` mention to its kind.
    `builders` are the builder ids that the statement speaks for (the scope check needs them).
    """

    nodes: Mapping[str, NodeKind] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()
    claims: tuple[Claim, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    builders: frozenset[str] = frozenset()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def artifact_key(digests: Mapping[str, str]) -> str | None:
    """The node key of a digest set (algorithm → lowercase hex), or None where no digest identifies it."""
    for algorithm in IDENTIFYING_ALGORITHMS:
        if algorithm in digests:
            return f"{algorithm}:{digests[algorithm]}"
    return None


def artifact_keys(digests: Mapping[str, str]) -> tuple[str, ...]:
    """Every identifying key of a digest set, the node's own first; the others are `SAME_AS` it."""
    return tuple(f"{a}:{digests[a]}" for a in IDENTIFYING_ALGORITHMS if a in digests)


def uri_key(uri: str) -> str:
    """The key of something named but not digested: always a gap."""
    return f"uri:{_sha256(uri)}"


def unnamed_uri(signer: str, name: str) -> str:
    """The URI that stands for a thing without digest and URI; `signer` is a key id or source name."""
    return f"urn:lineage:name:{signer}:{name}"


def run_key(builder_id: str, invocation_id: str, statement_digest: str) -> str:
    """`statement_digest` (hex) stands in where the invocation id is empty."""
    if not invocation_id:
        return f"run:{statement_digest}"
    return "run:" + _sha256(builder_id + "\n" + invocation_id)


def hardware_key(spki_sha256: str) -> str:
    return f"hw:{spki_sha256}"


def deployment_key(key_id: str, name: str) -> str:
    return "deploy:" + _sha256(key_id + "\n" + name)


def signer_key(signer_id: str) -> str:
    """`key_id` in hex, or an identity's id, which is a node key already."""
    return signer_id if ":" in signer_id else f"key:{signer_id}"


def signer_id(key: str) -> str:
    """The signer that a node key of a signer stands for: what `signer_key` was made from."""
    return key.removeprefix("key:")


def supplier_key(name: str) -> str:
    return f"supplier:{_sha256(name)}"


def place_key(name: str) -> str:
    return f"place:{_sha256(name)}"

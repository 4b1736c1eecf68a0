"""What a log means, in plain Python: dicts, lists and loops, written from the rules and not from the product.

Entries are taken one by one; after each the tables are what the graph must be at that tree size. Shared with
the product is only what reads a statement: `statement.parse` and `predicates.project`. Signatures, keys,
scopes, revocations, deduplication, support and trust are all done here again. `statuses` judges the tables.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lineage import predicates
from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.trust import statement

DECISION = "urn:lineage:predicate:decision:v1"
TRUST = {"attestation": "signed", "observation": "observed", "decision": "asserted"}
BEST_FIRST = ("signed", "observed", "asserted")
OTHER_KINDS = {"run", "hardware", "deployment", "supplier", "place"}

EdgeKey = tuple[str, str, str]


@dataclass
class Key:
    """A registered key. Times are µs; `revocations` are (from, compromised, index)."""

    public: Ed25519PublicKey
    name: str
    role: str
    scopes: dict[str, Any]
    not_before: int | None
    not_after: int | None
    revocations: list[tuple[int, bool, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """Who said something, in which entry, and how far that is trusted while unrevoked."""

    index: int
    signer: str
    trust: str


@dataclass(frozen=True)
class Checked:
    """One row of a check. `at` (µs) is as the signer wrote it, but never after the entry was received."""

    location: str
    method: str
    expected: str
    observed: str
    outcome: str
    reason: str
    at: int
    index: int
    signer: str
    own: bool  # our own re-verifier's
    strength: int  # 3: the digest itself was compared, 2: all bytes by their BLAKE3, 1: something else


class Reference:
    """The tables after the entries taken so far."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.received: list[int] = []
        self.statements: list[str] = []  # by log index the digest of what was said
        self.withdrawn: set[str] = set()  # digests of statements that were taken back
        self.known: set[tuple[str, str]] = set()  # (statement digest, key id)
        self.nodes: dict[str, tuple[str, int]] = {}  # key -> kind, first index
        self.edges: dict[EdgeKey, list[Said]] = {}
        self.claims: dict[str, dict[tuple[str, str], list[Said]]] = {}  # node -> (kind, value) -> who
        self.checks: dict[str, list[Checked]] = {}
        self.skipped: set[int] = set()
        self.allowed: set[int] = set()  # entries of which at least one signer might say what they say
        self.outgoing: dict[str, set[EdgeKey]] = {}
        self.incoming: dict[str, set[EdgeKey]] = {}

    # Entries

    def take(self, kind: str, received: int, envelope: bytes) -> set[str]:
        """Follow one entry; returns the nodes whose own facts may have changed: of some decisions, all."""
        index = len(self.received)
        self.received.append(received)
        payload_type, payload, verified = self.open(envelope)
        said = statement.parse(payload_type, payload)
        self.statements.append(said.digest)
        if index == 0:
            self._decide(payload, index)
            verified = [key for key in self.keys if self.keys[key].role == "platform"]
        changed: set[str] = set()
        for signer in verified:
            changed |= self._hear(kind, index, received, said, signer)
        if kind == "decision" and index:
            wide = self._decide(payload, index)
            changed |= {node for node in self.nodes if wide or node.startswith("key:")}
        return changed

    def open(self, envelope: bytes) -> tuple[str, bytes, list[str]]:
        """Payload type, payload, and the registered keys that really signed it, sorted."""
        parsed = json.loads(envelope)
        payload = _base64(parsed["payload"])
        payload_type = parsed["payloadType"]
        message = b"DSSEv1 %d %b %d %b" % (
            len(payload_type.encode()),
            payload_type.encode(),
            len(payload),
            payload,
        )
        verified = set()
        for each in parsed["signatures"]:
            signature = _base64(each["sig"])
            hint = each.get("keyid", "").removeprefix("sha256:")
            for key_id in [hint] if hint in self.keys else list(self.keys):
                if _signed(self.keys[key_id].public, signature, message):
                    verified.add(key_id)
        return payload_type, payload, sorted(verified)

    def accepts(self, received: int, envelope: bytes) -> bool:
        """Whether a pipeline's envelope may enter the log at that time."""
        payload_type, payload, verified = self.open(envelope)
        said = statement.parse(payload_type, payload)
        if any(self.keys[key].role != "pipeline" for key in verified):
            return False
        if said.predicate_type == DECISION:
            return False
        return any(self._may(key, received, said, _project(said, key)) for key in verified)

    # Keys

    def _decide(self, payload: bytes, index: int) -> bool:
        """Follow a decision; returns whether others are believed less by it."""
        predicate = json.loads(payload)["predicate"]
        body = predicate["body"]
        if predicate["action"] == "bootstrap":
            for each in body["keys"]:
                self._register(each)
        elif predicate["action"] == "register-key":
            self._register(body)
        elif predicate["action"] == "revoke-key":
            key = self.keys[body["keyId"]]
            key.revocations.append((_us(body["from"]), body["compromised"], index))
        elif predicate["action"] == "withdraw-statement":
            self.withdrawn.add(body["statement"].removeprefix("sha256:"))
        return predicate["action"] in ("revoke-key", "withdraw-statement")

    def _register(self, body: dict[str, Any]) -> None:
        public = load_pem_public_key(body["publicKey"].encode())
        assert isinstance(public, Ed25519PublicKey)
        self.keys[body["keyId"]] = Key(
            public,
            body["name"],
            body["role"],
            body["scopes"],
            _us(body["notBefore"]) if body.get("notBefore") else None,
            _us(body["notAfter"]) if body.get("notAfter") else None,
        )

    def in_force(self, key_id: str, at: int) -> bool:
        key = self.keys[key_id]
        if any(start <= at for start, _, _ in key.revocations):
            return False
        return (key.not_before is None or key.not_before <= at) and (
            key.not_after is None or at <= key.not_after
        )

    def _may(self, key_id: str, at: int, said: statement.Statement, delta: GraphDelta | None) -> bool:
        """In force at log time `at`, and everything that is claimed lies in the key's scopes."""
        scopes = self.keys[key_id].scopes
        if not self.in_force(key_id, at) or scopes.get("any"):
            return self.in_force(key_id, at)
        globs, kinds = scopes.get("subjects") or ["*"], scopes.get("kinds") or []
        builders = delta.builders if delta else ()
        named = _kinds(delta) if delta and kinds else ()
        return (
            said.predicate_type in scopes.get("predicateTypes", ())
            and all(any(fnmatchcase(s.name, glob) for glob in globs) for s in said.subjects)
            and all(builder in scopes.get("builders", ()) for builder in builders)
            and all(_covered(kind, kinds) for kind in named)
        )

    def believed(self, said: Said | Checked) -> bool:
        """Not taken back, nor covered by a revocation that is known now: of what entered from its time on."""
        if self.taken_back(said):
            return False
        received = self.received[said.index]
        return not any(start <= received for start, _, _ in self.keys[said.signer].revocations)

    def taken_back(self, said: Said | Checked) -> bool:
        return self.statements[said.index] in self.withdrawn

    # Facts

    def _hear(self, kind: str, index: int, received: int, said: statement.Statement, signer: str) -> set[str]:
        delta = _project(said, signer)
        if index and not self._may(signer, received, said, delta):
            return set()
        self.allowed.add(index)
        if (said.digest, signer) in self.known or said.digest in self.withdrawn:
            return set()
        if delta is None:
            self.skipped.add(index)
            return set()
        self.known.add((said.digest, signer))
        who = Said(index, signer, TRUST[kind])
        for node, node_kind in delta.nodes.items():
            self.nodes.setdefault(node, (str(node_kind), index))
        for edge in delta.edges:
            key = (edge.source, str(edge.type), edge.target)
            _add(self.edges.setdefault(key, []), who)
            self.outgoing.setdefault(edge.source, set()).add(key)
            self.incoming.setdefault(edge.target, set()).add(key)
        for claim in delta.claims:
            values = self.claims.setdefault(claim.node, {})
            _add(values.setdefault((str(claim.kind), claim.value), []), who)
        for row in dict.fromkeys(delta.checks):
            told = (row.location, row.method, row.expected, row.observed, row.outcome, row.reason)
            strength = 3 if row.expected == row.node else 2 if row.expected.startswith("blake3:") else 1
            own = kind == "observation"
            checked = Checked(*told, min(row.at, received), index, signer, own, strength)
            self.checks.setdefault(row.node, []).append(checked)
        return set(delta.nodes)

    # Questions

    def values(self, node: str, kind: str) -> Iterator[tuple[str, list[Said]]]:
        """Each value that is claimed of the node, with who claims it."""
        for (claimed, value), who in self.claims.get(node, {}).items():
            if claimed == kind:
                yield value, who

    def best_trust(self, who: list[Said]) -> str:
        """The best unrevoked support, `revoked` where there is none."""
        trusts = {each.trust for each in who if self.believed(each)}
        return next((trust for trust in BEST_FIRST if trust in trusts), "revoked")

    def closure(self, root: str, up: bool) -> set[str]:
        """Everything that the root was made from (`up`) or that was made from it, revoked support or not."""
        found, pending = {root}, [root]
        while pending:
            node = pending.pop()
            ahead = (self.outgoing if up else self.incoming).get(node, set())
            behind = (self.incoming if up else self.outgoing).get(node, set())
            for source, kind, target in ahead | {edge for edge in behind if edge[1] == "SAME_AS"}:
                if kind in ("USED", "WAS_GENERATED_BY", "WAS_DERIVED_FROM", "SAME_AS"):
                    other = target if source == node else source
                    if other not in found:
                        found.add(other)
                        pending.append(other)
        return found - {root}


def _project(said: statement.Statement, signer: str) -> GraphDelta | None:
    try:
        return predicates.project(said, signer)
    except MalformedError:
        return None


def _kinds(delta: GraphDelta) -> set[str]:
    """The kinds that a statement names: an artifact's roles, or "artifact"; other nodes' kinds."""
    aliases = {edge.target for edge in delta.edges if edge.type == "SAME_AS"}
    kinds = set()
    for node, kind in delta.nodes.items():
        if kind == "signer":
            continue
        roles = {c.value for c in delta.claims if c.node == node and c.kind == "role"}
        if kind != "artifact":
            kinds.add(str(kind))
        elif roles or node not in aliases:
            kinds |= roles or {"artifact"}
    return kinds


def _covered(kind: str, kinds: list[str]) -> bool:
    return kind in kinds or ("artifact" in kinds and kind not in OTHER_KINDS)


def _add(who: list[Said], said: Said) -> None:
    if said not in who:
        who.append(said)


def _signed(public: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _base64(text: str) -> bytes:
    text = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise AssertionError(f"the generator wrote no base64: {text}") from None


def _us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

"""The whole log read anew from its tables, by nothing that the product reads it with.

Owns: that indexes are dense and times in order, each envelope is there once and is what its leaf says, or a
decision took it away, tiles and checkpoints are those of the leaves, nothing half-written lies about. Does
not own: signatures over the payloads and scopes, which `lineage log audit` looks at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lineage.trust import checkpoint as notes
from lineage.trust import decisions, dsse, statement
from lineage.trust.digest import sha256_hex
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import Frontier, leaf_hash, node_hash
from lineage.trust.policy import KeyRing

Ask = Callable[[str], Iterable[Sequence[Any]]]
"""Rows of a SELECT without parameters."""

_ENTRIES = (
    'SELECT e."index", e.kind, e.envelope_digest, e.statement_digest, e.received_us, e.key_ids,'
    " e.policy_index, e.leaf_hash, v.content"
    ' FROM log_entry e LEFT JOIN log_envelope v ON v.entry_id = e."index" ORDER BY e."index"'
)
_SUBJECTS = "SELECT entry_id, count(*) FROM log_entry_subject GROUP BY entry_id"
_SIGNERS = "SELECT e.entry_id, s.key_id FROM log_entry_signer e LEFT JOIN log_signer s ON s.id = e.signer_id"
_CHECKPOINTS = "SELECT size, root_hash, note, frontier FROM log_checkpoint ORDER BY size"
_TILES = "SELECT level, number, hashes FROM log_tile"
_REDACTED = "SELECT envelope_digest, entry_index FROM log_redaction WHERE refused = ''"
_STEPS = "SELECT job_id, step, entry_index FROM job_step"
_WIDTH = 256
_KINDS = {1: "attestation", 2: "observation", 3: "decision"}


@dataclass(frozen=True, slots=True)
class Whole:
    """What was found. `digests` of the envelopes in log order; `roots` of the tree at each size from 0."""

    digests: tuple[str, ...]
    published: int
    roots: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return len(self.digests)

    def holds(self, acknowledged: dict[str, int]) -> None:
        """Every digest (hex) is at the index that its sender was told. Raises: AssertionError."""
        for digest, index in acknowledged.items():
            assert index < self.size, f"entry {index} was acknowledged; the log has {self.size}"
            assert self.digests[index] == digest, f"entry {index} was acknowledged, and is another one"


def reread(ask: Ask) -> Whole:
    """Read all of it. Raises: AssertionError at the first thing that is wrong."""
    ((origin, size, last_us, policy),) = ask(
        "SELECT origin, size, last_received_us, policy_index FROM log_head"
    )
    rows = [_spelt(row) for row in ask(_ENTRIES)]
    redacted = {bytes(envelope).hex(): decided for envelope, decided in ask(_REDACTED)}
    _taken_away(rows, redacted)
    leaves, public, reached = _leaves(rows)
    assert (size, last_us) == (len(rows), rows[-1][4])
    assert policy <= reached
    digests = tuple(row[2] for row in rows)
    assert len(set(digests)) == len(digests), "an envelope is there twice"
    ((envelopes,),) = ask("SELECT count(*) FROM log_envelope")
    assert envelopes == size - len(redacted), f"{envelopes} envelopes for {size} entries"
    _indexed(rows, {entry: count for entry, count in ask(_SUBJECTS)}, list(ask(_SIGNERS)))  # noqa: C416
    roots = _roots(leaves)
    published = _published(list(ask(_CHECKPOINTS)), roots, origin, notes.verifier_key(origin, public))
    _tiles(list(ask(_TILES)), leaves, published)
    _steps(list(ask(_STEPS)), size)
    for (projected,) in ask("SELECT projected FROM graph_state"):
        assert projected <= size, f"the graph is at {projected}, ahead of the log at {size}"
    return Whole(digests, published, roots)


def _spelt(row: Sequence[Any]) -> Sequence[Any]:
    """The kind as its word, digests and key ids as hexadecimal text: what a leaf has."""
    index, number, digest, stated, at_us, keys, *rest = row
    keys = bytes(keys).hex()
    listed = ",".join(keys[at : at + 64] for at in range(0, len(keys), 64))
    return index, _KINDS[number], bytes(digest).hex(), bytes(stated).hex(), at_us, listed, *rest


def _leaves(rows: list[Sequence[Any]]) -> tuple[list[bytes], Any, int]:
    """Leaf hashes, the log's first public key, and the newest policy index that an entry names."""
    leaves, before_us, policy, public = [], 0, -1, None
    for place, (index, kind, digest, stated, at_us, keys, named, kept, packed) in enumerate(rows):
        assert index == place, f"entry {place} is missing"
        assert at_us >= before_us, f"entry {index} is earlier than the one before it"
        assert policy <= named < index, f"entry {index} names {named} as the newest decision about keys"
        if packed is not None:
            found = _content(bytes(packed))
            assert found.digest == digest, f"the bytes of entry {index} are others"
            assert found.stated == stated, f"the payload of entry {index} is another"
        leaf = _leaf(kind, digest, stated, at_us, keys, named)
        assert leaf == bytes(kept), f"the leaf of entry {index} is another"
        leaves.append(leaf)
        before_us, policy = at_us, named
        if index == 0:
            envelope = dsse.parse(unpacked(packed))
            first = decisions.parse(statement.parse(envelope.payload_type, envelope.payload))
            holder = decisions.apply(KeyRing(), first, 0, at_us).holder("log")
            assert holder is not None
            public = holder
    return leaves, public, len(rows) - 1


@dataclass(frozen=True, slots=True)
class _Content:
    """An envelope's digest, its payload's, and how many digests its subjects have."""

    digest: str
    stated: str
    subjects: int


@lru_cache(maxsize=20_000)
def _content(packed: bytes) -> _Content:
    """Of these stored bytes. The same log is read dozens of times: what the same bytes say is remembered."""
    content = unpacked(packed)
    payload = dsse.parse(content).payload
    subjects = json.loads(payload).get("subject", ())
    return _Content(sha256_hex(content), sha256_hex(payload), sum(len(each["digest"]) for each in subjects))


@lru_cache(maxsize=20_000)
def _leaf(kind: str, digest: str, stated: str, at_us: int, keys: str, named: int) -> bytes:
    return leaf_hash(Leaf(kind, digest, stated, at_us, tuple(keys.split(",")), named).encode())


def _taken_away(rows: list[Sequence[Any]], redacted: dict[str, int]) -> None:
    """An envelope is missing where a decision names it that came later, and nowhere else."""
    missing = {row[2]: row[0] for row in rows if row[8] is None}
    assert missing.keys() == redacted.keys(), "an envelope is missing and not redacted, or redacted and there"
    for digest, decided in redacted.items():
        _, kind, *_, content = rows[decided]
        assert kind == "decision"
        assert decided > missing[digest]
        assert digest.encode() in dsse.parse(unpacked(content)).payload, f"entry {decided} names no {digest}"


def unpacked(content: Any) -> bytes:
    """An envelope's bytes as they were received."""
    from lineage.db import packing

    return packing.unpack(bytes(content))


def _indexed(rows: list[Sequence[Any]], subjects: dict[int, int], signers: list[Sequence[Any]]) -> None:
    """Each entry has its rows in both indexes, and nothing else has any."""
    named = Counter(entry for entry, _ in signers)
    for index, _, _, _, _, keys, _, _, content in rows:
        assert 1 <= named[index] <= len(keys.split(",")), f"entry {index} has {named[index]} signer rows"
        if content is None:
            continue
        wanted = _content(bytes(content)).subjects
        assert subjects.get(index, 0) == wanted, f"entry {index} has {subjects.get(index, 0)} subject rows"
    assert max([*subjects, *named]) < len(rows)


def _roots(leaves: list[bytes]) -> tuple[bytes, ...]:
    frontier, roots = Frontier(), [Frontier().root()]
    for leaf in leaves:
        frontier, root = _grown(frontier, leaf)
        roots.append(root)
    return tuple(roots)


@lru_cache(maxsize=20_000)
def _grown(frontier: Frontier, leaf: bytes) -> tuple[Frontier, bytes]:
    grown = frontier.append(leaf)
    return grown, grown.root()


def _published(rows: list[Sequence[Any]], roots: tuple[bytes, ...], origin: str, key: str) -> int:
    """The newest size; every checkpoint is of this one tree, and signed."""
    for size, root, note, _ in rows:
        assert 0 < size < len(roots), f"a checkpoint covers {size} entries of {len(roots) - 1}"
        assert roots[size].hex() == root, f"the checkpoint at {size} is of another tree"
        assert notes.verify(bytes(note), key) == notes.Checkpoint(origin, size, roots[size])
    return rows[-1][0] if rows else 0


def _tiles(rows: list[Sequence[Any]], leaves: list[bytes], published: int) -> None:
    """Those that the published tree has filled, and no other."""
    wanted, level, row = {}, 0, leaves[:published]
    while len(row) >= _WIDTH:
        full = len(row) // _WIDTH
        for number in range(full):
            wanted[level, number] = b"".join(row[number * _WIDTH : (number + 1) * _WIDTH])
        row = [_tile_root(wanted[level, number]) for number in range(full)]
        level += 1
    found = {(level, number): bytes(hashes) for level, number, hashes in rows}
    assert sorted(found) == sorted(wanted)
    assert found == wanted


def _tile_root(hashes: bytes) -> bytes:
    row = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def _steps(rows: list[Sequence[Any]], size: int) -> None:
    """No entry is two steps', none is beyond the log."""
    assert len({(job, step) for job, step, _ in rows}) == len(rows)
    assert len({index for *_, index in rows}) == len(rows)
    assert all(0 <= index < size for *_, index in rows)

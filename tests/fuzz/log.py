"""What the log's readers take from strangers, each judged by a second reader that shares no code with them.

Leaves, notes, checkpoints, proofs and the arithmetic under them. Each has one form only: what is accepted is
written back as the very same bytes. What witnesses say is in `witness`, addresses and keys in `log_names`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from lineage.errors import LineageError
from lineage.trust import checkpoint, leaf, merkle, tlog_proof
from tests import tlog_checker
from tests.fuzz.target import REFUSALS, Target
from tests.unit.trust.test_tlog_proof import HASHES, KEY, LEAVES, NOTE, ORIGIN, PROOF

DASH = "\u2014"
SIGNED = NOTE.partition(b"\n\n")[0] + b"\n"
"""The text that the log's key signed, the only one."""


def run_leaf(data: bytes) -> bool:
    try:
        read = leaf.parse(data)
    except REFUSALS:
        return False
    assert read.encode() == data, "accepted, though it is not the leaf's one form"
    told = data.decode("ascii").splitlines()
    header, kind, envelope, statement, received, keys, policy = told
    assert (header, kind) == ("lineage-entry/v1", read.kind)
    assert (envelope, statement) == (f"sha256:{read.envelope_digest}", f"sha256:{read.statement_digest}")
    assert all(len(bytes.fromhex(each)) == 32 for each in (envelope[7:], statement[7:], *keys.split(",")))
    assert list(read.key_ids) == sorted(set(keys.split(",")))
    moment = datetime.strptime(received, "%Y-%m-%dT%H:%M:%S.%fZ")
    assert (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1) == read.received_us
    assert policy == ("-" if read.policy_index == -1 else f"{read.policy_index}")
    return True


def run_note(data: bytes) -> bool:
    """Text and lines, put together again, are the note; no line but the last block is a signature."""
    try:
        body, signatures = checkpoint.split_note(data)
    except REFUSALS:
        return False
    lines = "".join(f"{DASH} {name} {b64encode(blob).decode()}\n" for name, blob in signatures)
    assert body + b"\n" + lines.encode() == data, "accepted, though it is not the note's one form"
    assert body.endswith(b"\n")
    assert "\n\n" not in lines
    assert all(len(blob) > 4 and not set(name) & set(" +\n\t") for name, blob in signatures)
    try:
        told = checkpoint.parse_body(body)
    except REFUSALS:
        return True
    assert body.decode().split("\n")[:3] == [told.origin, f"{told.size}", b64encode(told.root).decode()]
    assert body.startswith(told.body())
    return True


def run_checkpoint(data: bytes) -> bool:
    """Only what the key signed is accepted: the text before the signatures is the seed's."""
    try:
        told = checkpoint.verify(data, KEY)
    except LineageError:
        return False
    assert data.startswith(SIGNED + b"\n"), "accepted, though nobody signed it"
    assert tlog_checker.signed(data.decode(), KEY) == (told.size, told.root), "another reader differs"
    assert told.origin == ORIGIN
    return True


def run_proof(data: bytes) -> bool:
    """Form and proof. Accepted is only a leaf of the tree, at its place, by the one path that leads there."""
    try:
        read = tlog_proof.read(data)
    except REFUSALS:
        return False
    assert read.encode() == data, "accepted, though it is not the proof's one form"
    try:
        signed, found = tlog_proof.verify(read, [KEY])
    except LineageError:
        return True
    assert read.note.startswith(SIGNED + b"\n"), "accepted, though nobody signed it"
    assert signed.size == len(LEAVES)
    assert found == LEAVES[read.index], "proved, though it is not there"
    assert list(read.hashes) == path(read.index, HASHES), "proved by another way than there is"
    return True


def path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """The audit path, by RFC 6962's definition: what is beside it, from the leaf upwards."""
    if len(hashes) == 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*path(index, hashes[:split]), root(hashes[split:])]
    return [*path(index - split, hashes[split:]), root(hashes[:split])]


def root(hashes: Sequence[bytes]) -> bytes:
    """The root, by RFC 6962's definition."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + root(hashes[:split]) + root(hashes[split:])).digest()


def consistency(old: int, hashes: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """The consistency path, by RFC 6962's definition (section 2.1.2, SUBPROOF)."""
    if old == len(hashes):
        return [] if whole else [root(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if old <= split:
        return [*consistency(old, hashes[:split], whole=whole), root(hashes[split:])]
    return [*consistency(old - split, hashes[split:], whole=False), root(hashes[:split])]


@cache
def tree() -> tuple[bytes, ...]:
    """Leaf hashes of a tree of 64."""
    return tuple(sha256(b"\x00" + bytes([number])).digest() for number in range(64))


def run_merkle(data: bytes) -> bool:
    """Two numbers, then hashes. Against true roots a proof holds just where it is the one that there is."""
    if len(data) < 2:
        return False
    first, size = data[0] % 80, data[1] % 65
    hashes = [data[at : at + 32] for at in range(2, len(data), 32)]
    leaves = tree()
    honest = path(first, leaves[:size]) if first < size else None
    placed = merkle.verify_inclusion(first, size, leaves[min(first, 63)], hashes, root(leaves[:size]))
    assert placed == (hashes == honest), "inclusion: another path than the only one, or not even that"
    extends = consistency(first, leaves[:size]) if 0 < first <= size else None
    roots = root(leaves[: min(first, 64)]), root(leaves[:size])
    held = merkle.verify_consistency(first, size, *roots, hashes)
    assert held == (hashes == extends), "consistency: another path than the only one, or not even that"
    assert not merkle.verify_consistency(first, size, sha256(roots[0]).digest(), roots[1], hashes)
    return placed or held


def arithmetic() -> Sequence[bytes]:
    leaves, sizes = tree(), (1, 2, 3, 7, 8, 13, 33, 64)
    inclusion = [(n, size, path(n, leaves[:size])) for size in sizes for n in {0, size // 2, size - 1}]
    extending = [(n, size, consistency(n, leaves[:size])) for size in sizes for n in {1, -(-size // 2), size}]
    return [bytes([n, size]) + b"".join(hashes) for n, size, hashes in [*inclusion, *extending]]


def leaves() -> Sequence[bytes]:
    return [each.encode() for each in LEAVES]


def notes() -> Sequence[bytes]:
    text = "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n"
    line = f"{DASH} example.com/w {b64encode(bytes(76)).decode()}\n"
    return [NOTE, NOTE + line.encode() * 3, f"{text}\n{line}".encode(), f"any\n\ntext\n\n{line}".encode()]


LEAF = Target(name="leaf", run=run_leaf, seeds=leaves, vectors=(), inputs=1_000)
NOTES = Target(name="note", run=run_note, seeds=notes, vectors=("tlog",), inputs=1_000)
CHECKPOINT = Target(name="checkpoint", run=run_checkpoint, seeds=lambda: [NOTE], vectors=(), inputs=500)
PROOFS = Target(name="proof", run=run_proof, seeds=lambda: [PROOF.encode()], vectors=(), inputs=500)
MERKLE = Target(name="merkle", run=run_merkle, seeds=arithmetic, vectors=(), inputs=1_000)
TARGETS = (LEAF, NOTES, CHECKPOINT, PROOFS, MERKLE)

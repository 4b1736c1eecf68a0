"""What the log's readers take from strangers: leaves, proofs and checkpoints. Each has one form only."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.errors import LineageError
from lineage.trust import checkpoint, leaf, tlog_proof
from tests.fuzz.target import REFUSALS, Target
from tests.unit.trust.test_tlog_proof import KEY, LEAVES, NOTE, PROOF


def run_leaf(data: bytes) -> bool:
    try:
        read = leaf.parse(data)
    except REFUSALS:
        return False
    assert read.encode() == data, "accepted, though it is not the leaf's one form"
    return True


def run_proof(data: bytes) -> bool:
    try:
        read = tlog_proof.read(data)
    except REFUSALS:
        return False
    assert tlog_proof.read(read.encode()) == read, "read back, it is another"
    return True


def run_checkpoint(data: bytes) -> bool:
    """Only what the key signed is accepted: the text before the signatures is the seed's."""
    try:
        checkpoint.verify(data, KEY)
    except LineageError:
        return False
    assert data.startswith(NOTE.partition(b"\n\n")[0] + b"\n\n"), "accepted, though nobody signed it"
    return True


def leaves() -> Sequence[bytes]:
    return [each.encode() for each in LEAVES]


LEAF = Target(name="leaf", run=run_leaf, seeds=leaves, vectors=())
PROOFS = Target(name="proof", run=run_proof, seeds=lambda: [PROOF.encode()], vectors=())
CHECKPOINT = Target(name="checkpoint", run=run_checkpoint, seeds=lambda: [NOTE], vectors=())

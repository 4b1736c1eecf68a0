"""Laws of the log's arithmetic: grouping changes nothing, and no single bit may be another."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import LineageError
from lineage.trust import checkpoint, merkle, tlog_proof
from lineage.trust.merkle import Frontier

from .test_tlog_proof import KEY, NOTE, PROOF


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_append_in_any_grouping_gives_the_same_root(entries: list[bytes], data: st.DataObject) -> None:
    """Each group begins from what the one before stored, as `publish` does."""
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(hashes)), max_size=6))), len(hashes)]
    frontier = Frontier(0, ())
    for start, end in pairwise(cuts):
        stored = b"".join(frontier.hashes)
        frontier = Frontier(start, tuple(stored[i : i + 32] for i in range(0, len(stored), 32)))
        for digest in hashes[start:end]:
            frontier = frontier.append(digest)
    assert frontier.root() == _root(hashes)


def _root(hashes: list[bytes]) -> bytes:
    """RFC 6962, by its definition."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return merkle.node_hash(_root(hashes[:split]), _root(hashes[split:]))


def _flips(data: bytes) -> list[bytes]:
    value = int.from_bytes(data, "big")
    return [(value ^ 1 << bit).to_bytes(len(data), "big") for bit in range(8 * len(data))]


def test_no_bit_of_a_leaf_may_be_another() -> None:
    tlog_proof.verify(PROOF, [KEY])
    for changed in _flips(PROOF.extra):
        with pytest.raises(LineageError):
            tlog_proof.verify(replace(PROOF, extra=changed), [KEY])


def test_no_bit_of_a_proof_s_hashes_may_be_another() -> None:
    for place, digest in enumerate(PROOF.hashes):
        for changed in _flips(digest):
            hashes = (*PROOF.hashes[:place], changed, *PROOF.hashes[place + 1 :])
            with pytest.raises(LineageError):
                tlog_proof.verify(replace(PROOF, hashes=hashes), [KEY])


def test_no_bit_of_a_checkpoint_may_be_another() -> None:
    checkpoint.verify(NOTE, KEY)
    for changed in _flips(NOTE):
        with pytest.raises(LineageError):
            checkpoint.verify(changed, KEY)

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.trust import merkle
from lineage.trust.merkle import EMPTY_ROOT, Frontier

COUNT = 34
LEAVES = [merkle.leaf_hash(bytes([i])) for i in range(COUNT)]


def slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + slow_root(leaves[:k]) + slow_root(leaves[k:])).digest()


ROOTS = [slow_root(LEAVES[:n]) for n in range(COUNT + 1)]
SIZES = st.integers(1, COUNT)


def get(level: int, number: int) -> bytes:
    part = LEAVES[number << level : (number + 1) << level]
    assert len(part) == 1 << level, "only full subtrees are asked for"
    return slow_root(part)


def test_hashes() -> None:
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.node_hash(b"l", b"r") == hashlib.sha256(b"\x01lr").digest()
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_size_has_the_root_of_the_definition() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == merkle.root(0, get)
    for size, leaf in enumerate(LEAVES, 1):
        frontier = frontier.append(leaf)
        assert (frontier.size, frontier.root()) == (size, ROOTS[size])
        assert merkle.root(size, get) == ROOTS[size]
        assert Frontier(frontier.size, frontier.hashes) == frontier


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(-1, ()), (0, (LEAVES[0],)), (1, ()), (3, (LEAVES[0],)), (4, (LEAVES[0], LEAVES[1])), (1, (b"short",))],
)
def test_a_frontier_that_is_none(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="hash"):
        Frontier(size, hashes)


def test_append_takes_hashes_only() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier().append(b"the leaf itself")


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (5, 3)])
def test_no_such_inclusion(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_proof(index, size, get)
    assert merkle.root_from_inclusion(index, size, LEAVES[0], ()) is None


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3), (0, 0)])
def test_no_such_consistency(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not extend"):
        merkle.consistency_proof(old, new, get)
    assert not merkle.verify_consistency(old, new, ROOTS[3], ROOTS[3], ())


def test_all_proofs_of_small_trees() -> None:
    for size in range(1, COUNT + 1):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, get)
            assert merkle.verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
        for old in range(1, size + 1):
            consistency = merkle.consistency_proof(old, size, get)
            assert merkle.verify_consistency(old, size, ROOTS[old], ROOTS[size], consistency)


@pytest.mark.parametrize(
    ("index", "size", "claimed_index", "claimed_size"),
    [(1, 2, 1, 1), (1, 2, 2, 3), (0, 1, 0, 2), (2, 3, 1, 3), (2, 3, 2, 4), (4, 5, 4, 8), (0, 8, 8, 8)],
)
def test_a_proof_for_another_place_fails(
    index: int, size: int, claimed_index: int, claimed_size: int
) -> None:
    proof = merkle.inclusion_proof(index, size, get)
    root = ROOTS[claimed_size]
    assert not merkle.verify_inclusion(claimed_index, claimed_size, LEAVES[index], proof, root)


def test_a_size_that_is_only_claimed_is_dangerous() -> None:
    """Why size and root come from one checkpoint: the arithmetic alone takes leaf 1 of 2 for leaf 2 of 3."""
    proof = merkle.inclusion_proof(1, 2, get)
    assert merkle.verify_inclusion(2, 3, LEAVES[1], proof, ROOTS[2])
    assert not merkle.verify_inclusion(2, 3, LEAVES[1], proof, ROOTS[3])


@given(st.data())
def test_every_change_of_an_inclusion_proof_fails(data: st.DataObject) -> None:
    size = data.draw(SIZES)
    index = data.draw(st.integers(0, size - 1))
    proof = list(merkle.inclusion_proof(index, size, get))
    kind = data.draw(
        st.sampled_from(["leaf", "root", "longer", "shorter", "bit", "short hash", "size + 1 root"])
    )
    leaf, root = LEAVES[index], ROOTS[size]
    if kind == "leaf":
        leaf = LEAVES[(index + 1) % COUNT]
    elif kind == "root":
        root = ROOTS[size - 1]
    elif kind == "longer":
        proof.insert(data.draw(st.integers(0, len(proof))), data.draw(st.sampled_from(LEAVES + proof)))
    elif kind == "size + 1 root":
        root = merkle.node_hash(root, root)
    elif not proof:
        return
    else:
        at = data.draw(st.integers(0, len(proof) - 1))
        if kind == "shorter":
            del proof[at]
        elif kind == "bit":
            proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        else:
            proof[at] = proof[at][:31]
    assert not merkle.verify_inclusion(index, size, leaf, proof, root)


@given(st.data())
def test_every_change_of_a_consistency_proof_fails(data: st.DataObject) -> None:
    new = data.draw(SIZES)
    old = data.draw(st.integers(1, new))
    proof = list(merkle.consistency_proof(old, new, get))
    kind = data.draw(st.sampled_from(["old root", "new root", "longer", "shorter", "bit", "sizes swapped"]))
    old_root, new_root = ROOTS[old], ROOTS[new]
    if kind == "old root":
        old_root = ROOTS[old - 1]
    elif kind == "new root":
        new_root = ROOTS[new - 1]
    elif kind == "longer":
        proof.insert(data.draw(st.integers(0, len(proof))), data.draw(st.sampled_from(LEAVES + proof)))
    elif kind == "sizes swapped":
        if old == new:
            return
        old, new = new, old
    elif not proof:
        return
    else:
        at = data.draw(st.integers(0, len(proof) - 1))
        if kind == "shorter":
            del proof[at]
        else:
            proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
    assert not merkle.verify_consistency(old, new, old_root, new_root, proof)


def test_a_short_consistency_proof_fails() -> None:
    """It leads to a root, but below the top of the tree that is claimed."""
    assert merkle.verify_consistency(1, 2, ROOTS[1], ROOTS[2], (LEAVES[1],))
    assert not merkle.verify_consistency(1, 4, ROOTS[1], ROOTS[2], (LEAVES[1],))
    assert not merkle.verify_consistency(1, 8, ROOTS[1], ROOTS[2], (LEAVES[1],))


def test_hashes_of_another_length_are_no_hashes() -> None:
    assert not merkle.verify_inclusion(0, 1, b"", (), b"")
    assert not merkle.verify_consistency(1, 1, b"same", b"same", ())
    assert not merkle.verify_consistency(1, 2, ROOTS[1], ROOTS[2], (b"",))


def test_equal_trees_need_no_proof_and_take_none() -> None:
    assert merkle.verify_consistency(3, 3, ROOTS[3], ROOTS[3], ())
    assert not merkle.verify_consistency(3, 3, ROOTS[3], ROOTS[3], (LEAVES[0],))
    assert not merkle.verify_consistency(3, 3, ROOTS[3], ROOTS[4], ())


def test_an_empty_proof_shows_nothing_between_different_sizes() -> None:
    for old, new in pairwise(range(1, COUNT)):
        assert not merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], ())


def test_a_tree_of_a_billion() -> None:
    """Sizes that no test can build: every subtree is the same leaf, hashed up."""
    towers = [LEAVES[0]]
    for _ in range(40):
        towers.append(merkle.node_hash(towers[-1], towers[-1]))
    size, index, old = 1_000_000_007, 987_654_321, 123_456_789

    def same(level: int, _number: int) -> bytes:
        return towers[level]

    root = merkle.root(size, same)
    proof = merkle.inclusion_proof(index, size, same)
    assert len(proof) <= 30
    assert merkle.verify_inclusion(index, size, LEAVES[0], proof, root)
    consistency = merkle.consistency_proof(old, size, same)
    assert merkle.verify_consistency(old, size, merkle.root(old, same), root, consistency)

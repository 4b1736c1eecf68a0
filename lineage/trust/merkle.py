"""The log's Merkle tree: hashing, growing, proofs and their verification.

Pure arithmetic over 32-byte hashes. Does not own: where hashes are kept (tiles), who signs a root
(`checkpoint`). Take size and root only from a verified checkpoint: against a claimed size a proof says
nothing.

Source: RFC 6962 section 2.1; RFC 9162 sections 2.1.3 and 2.1.4 (verification).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

GetHash = Callable[[int, int], bytes]
"""`get(level, number)`: the hash over the 2^level leaves from leaf number·2^level on. Full ones only."""


def leaf_hash(data: bytes) -> bytes:
    """32 raw bytes: SHA-256 of 0x00 and the leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """32 raw bytes: SHA-256 of 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed of a tree to append to it and to know its root.

    `hashes` are the roots of the largest full subtrees from left to right: one for each bit that is set in
    `size`, the highest first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where size and hashes do not belong together."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash for each bit set in its size")
        if any(len(h) != HASH_BYTES for h in self.hashes):
            raise ValueError("a hash has 32 bytes")

    def append(self, leaf: bytes) -> Frontier:
        """The tree with one more leaf, given as its leaf hash."""
        hashes = list(self.hashes)
        size = self.size
        while size & 1:
            leaf = node_hash(hashes.pop(), leaf)
            size >>= 1
        return Frontier(self.size + 1, (*hashes, leaf))

    def root(self) -> bytes:
        """32 raw bytes; of the empty tree the hash of nothing."""
        return _fold(self.hashes)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over neighbouring full subtrees, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _range_root(begin: int, end: int, get: GetHash) -> bytes:
    """The root over leaves `begin` to `end` (excluded); `begin` is where a subtree may begin."""
    hashes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        hashes.append(get(level, begin >> level))
        begin += 1 << level
    return _fold(hashes)


def _split(count: int) -> int:
    """The largest power of two below `count` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def root(size: int, get: GetHash) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _range_root(0, size, get)


def inclusion_proof(index: int, size: int, get: GetHash) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling upwards.

    Raises:
        ValueError: no such leaf in that tree.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_root(middle, end, get))
            end = middle
        else:
            path.append(_range_root(begin, middle, get))
            begin = middle
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, get: GetHash) -> tuple[bytes, ...]:
    """That the tree of `new` leaves begins with the tree of `old`. Empty where both are one tree.

    Raises:
        ValueError: not 0 < old ≤ new.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    path = []
    begin, end = 0, new
    whole = True  # the old tree's own root is known to the verifier as long as we went left only
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_range_root(middle, end, get))
            end = middle
        else:
            path.append(_range_root(begin, middle, get))
            begin = middle
            whole = False
    if not whole:
        path.append(_range_root(begin, end, get))
    return tuple(reversed(path))


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that follows if the leaf hash `leaf` stands at `index` of `size`, or None.

    None stands for an impossible proof: no such index, a hash that is not 32 bytes, a proof of another
    length than this place has.
    """
    if not 0 <= index < size or not _are_hashes([leaf, *proof]):
        return None
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        node >>= 1
        last >>= 1
    return result if last == 0 else None


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """True where the proof leads from the leaf hash at `index` to exactly `root`."""
    return root_from_inclusion(index, size, leaf, proof) == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """True where the proof shows that the tree (`new`, `new_root`) extends (`old`, `old_root`).

    Nothing is shown from the empty tree: every tree extends it, so a proof of that is refused.
    """
    if not 0 < old <= new or not _are_hashes([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:  # a full tree: its own root begins the path
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    return _climb(node, last, path) == (old_root, new_root)


def _climb(node: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Both roots that follow from a consistency path, or None where it is too long or too short."""
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            old_root = node_hash(sibling, old_root)
            new_root = node_hash(sibling, new_root)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            new_root = node_hash(new_root, sibling)
        node >>= 1
        last >>= 1
    return (old_root, new_root) if last == 0 else None


def _are_hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)

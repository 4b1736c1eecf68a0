"""Proofs of transparency-dev/merkle, checkpoints and tiles of tessera, and Go's checksum database."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import SignerUnknownError
from lineage.trust import checkpoint, merkle

FAMILY = "tlog"
APPLIES = {
    "test_checkpoint": lambda case: not case["file"].startswith("merkle/"),
    "test_proofs": lambda case: case["file"].startswith("merkle/"),
}

NO_HASHES = "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"
"""Upstream verifies this one although its two equal roots are 12 bytes of text; here a hash has 32 bytes."""


def test_checkpoint(vectors: Path, case: dict[str, Any]) -> None:
    note = (vectors / case["file"]).read_bytes()
    key = (vectors / case["keys"][0]).read_text()
    if case["expect"] == "refuted":
        with pytest.raises(SignerUnknownError):
            checkpoint.verify(note, key)
        return
    found = checkpoint.verify(note, key)
    facts = case["facts"]
    assert found.size == facts["size"]
    assert found.origin == facts.get("origin", found.origin)
    assert found.root.hex() == facts.get("root", found.root.hex())
    assert note.startswith(found.body() + b"\n")
    if "tessera" in case["file"]:
        assert found.root == _root_from_tile(vectors, found.size) == _root_from_entries(vectors, found.size)


def _root_from_tile(vectors: Path, size: int) -> bytes:
    frontier = merkle.Frontier()
    if size:
        tile = (vectors / f"tessera/tile/0/000.p/{size}").read_bytes()
        assert len(tile) == 32 * size
        for i in range(size):
            frontier = frontier.append(tile[32 * i : 32 * i + 32])
    return frontier.root()


def _root_from_entries(vectors: Path, size: int) -> bytes:
    frontier = merkle.Frontier()
    bundle = (vectors / f"tessera/tile/entries/000.p/{size}").read_bytes() if size else b""
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        frontier = frontier.append(merkle.leaf_hash(bundle[2 : 2 + length]))
        bundle = bundle[2 + length :]
    assert frontier.size == size
    return frontier.root()


def test_proofs(vectors: Path, case: dict[str, Any]) -> None:
    proofs = json.loads((vectors / case["file"]).read_text())
    verified = _inclusion if case["file"].endswith("inclusion.json") else _consistency
    differing = {p["file"] for p in proofs if verified(p) is p["wantErr"]}
    assert differing == {p["file"] for p in proofs} & {NO_HASHES}
    assert len(proofs) == case["facts"]["cases"]
    assert sum(map(verified, proofs)) == case["facts"]["ok"] - len(differing)


def _hash(text: str | None) -> bytes:
    return b64decode(text or "")


def _inclusion(proof: dict[str, Any]) -> bool:
    path = [_hash(h) for h in proof["proof"] or ()]
    return merkle.verify_inclusion(
        proof["leafIdx"], proof["treeSize"], _hash(proof["leafHash"]), path, _hash(proof["root"])
    )


def _consistency(proof: dict[str, Any]) -> bool:
    path = [_hash(h) for h in proof["proof"] or ()]
    roots = _hash(proof["root1"]), _hash(proof["root2"])
    return merkle.verify_consistency(proof["size1"], proof["size2"], *roots, path)


def test_made_proofs_lead_to_signed_roots(vectors: Path) -> None:
    """Every proof of a real log's tiles, against the roots that its own key signed."""
    tile = (vectors / "tessera/tile/0/000.p/15").read_bytes()
    leaves = [tile[i : i + 32] for i in range(0, len(tile), 32)]

    def get(level: int, number: int) -> bytes:
        frontier = merkle.Frontier()
        for leaf in leaves[number << level : (number + 1) << level]:
            frontier = frontier.append(leaf)
        return frontier.root()

    key = (vectors / "tessera/log.pub").read_text()
    roots = {
        n: checkpoint.verify((vectors / f"tessera/checkpoint.{n}").read_bytes(), key).root for n in range(16)
    }
    for size in range(1, 16):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, get)
            assert merkle.verify_inclusion(index, size, leaves[index], proof, roots[size])
        for old in range(1, size + 1):
            consistency = merkle.consistency_proof(old, size, get)
            assert merkle.verify_consistency(old, size, roots[old], roots[size], consistency)

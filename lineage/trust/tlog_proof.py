"""Proofs that an auditor checks offline: C2SP tlog-proof files, whose extra line holds the entry's leaf.

Owns: the file's form, and what follows from it and a log's key. Size and root come from the verified
checkpoint alone, and the leaf is hashed again. Does not own: the arithmetic (`merkle`), or making one
(`services.proofs`).

Source: C2SP tlog-proof (`c2sp.org/tlog-proof@v1`); the leaf: docs/proof.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lineage.errors import MalformedError, SignatureRefutedError, SignerUnknownError
from lineage.trust import checkpoint, merkle
from lineage.trust.checkpoint import Checkpoint, one_base64
from lineage.trust.dsse import encode_base64
from lineage.trust.leaf import Leaf, parse

HEADER = "c2sp.org/tlog-proof@v1"
MAX_BYTES = 2 << 20
MAX_HASHES = 64
_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """`extra` is the leaf, `hashes` the inclusion proof (32 raw bytes each), `note` the checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        extra = f"extra {encode_base64(self.extra)}\n" if self.extra else ""
        lines = "".join(f"{encode_base64(each)}\n" for each in self.hashes)
        return f"{HEADER}\n{extra}index {self.index}\n{lines}\n".encode() + self.note


def looks_like_one(data: bytes) -> bool:
    return data.startswith(HEADER.encode())


def read(data: bytes) -> TlogProof:
    """Raises: MalformedError for anything but a proof in its one form."""
    if len(data) > MAX_BYTES:
        raise MalformedError("A proof has at most two million bytes.")
    head, blank, note = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise MalformedError("A proof is ASCII text before its checkpoint.") from None
    if not blank or lines[0] != HEADER:
        raise MalformedError(f"A proof begins with {HEADER}, and a blank line stands before its checkpoint.")
    rest, extra = lines[1:], b""
    if rest and rest[0].startswith("extra "):
        extra = one_base64(rest.pop(0).removeprefix("extra "), "extra")
        if not extra:
            raise MalformedError("A proof without extra data has no line for it.", where="extra")
    number = rest.pop(0).removeprefix("index ") if rest and rest[0].startswith("index ") else ""
    if not _INDEX.fullmatch(number):
        raise MalformedError("A proof names the entry's index.", where="index")
    if len(rest) > MAX_HASHES:
        raise MalformedError(f"A proof has at most {MAX_HASHES} hashes.")
    hashes = tuple(one_base64(line, f"hash {place}") for place, line in enumerate(rest))
    if any(len(each) != merkle.HASH_BYTES for each in hashes):
        raise MalformedError("A proof's hashes have 32 bytes.")
    return TlogProof(int(number), hashes, note, extra)


def verify(proof: TlogProof, verifier_keys: Sequence[str]) -> tuple[Checkpoint, Leaf]:
    """The checkpoint that one of the log's keys (C2SP) signed, and the leaf that is in its tree.

    Raises:
        MalformedError: no leaf in the extra line, or no checkpoint in the note.
        SignerUnknownError: none of the keys signed the checkpoint.
        SignatureRefutedError: a signature fails, the leaf is not in the tree at that index, or it names a
            decision that is not before it.
    """
    leaf = parse(proof.extra)
    signed = _signed(proof.note, verifier_keys)
    digest = merkle.leaf_hash(proof.extra)
    if not merkle.verify_inclusion(proof.index, signed.size, digest, proof.hashes, signed.root):
        raise SignatureRefutedError(
            f"The entry is not at index {proof.index} of the tree that the checkpoint commits to."
        )
    if not (0 <= leaf.policy_index < proof.index or leaf.policy_index == -1 == proof.index - 1):
        raise SignatureRefutedError(f"No entry at index {proof.index} rests on decision {leaf.policy_index}.")
    return signed, leaf


def _signed(note: bytes, verifier_keys: Sequence[str]) -> Checkpoint:
    for key in verifier_keys:
        try:
            signed = checkpoint.verify(note, key)
        except SignerUnknownError:
            continue
        # The log's key is named after its origin; one key may not speak for another log.
        if signed.origin != checkpoint.parse_verifier_key(key)[0]:
            raise SignatureRefutedError("The checkpoint is of another log than the key's.")
        return signed
    raise SignerUnknownError("None of the given log keys signed the checkpoint.")

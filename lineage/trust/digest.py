"""Digests and digest sets: which algorithms are known here, and how long their values are.

Does not own: which digests identify an artifact (`graph.model`), or hashing files (`lineage.artifacts`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

from lineage.errors import MalformedError

LENGTHS: Mapping[str, int] = MappingProxyType(
    {
        "md5": 32,
        "sha1": 40,
        "sha224": 56,
        "sha256": 64,
        "sha384": 96,
        "sha512": 128,
        "sha512_224": 56,
        "sha512_256": 64,
        "sha3_224": 56,
        "sha3_256": 64,
        "sha3_384": 96,
        "sha3_512": 128,
        "blake2b": 128,
        "blake2s": 64,
        "blake3": 64,
        "dirHash": 64,
    }
)
"""Length in hex digits of the algorithms with one length."""

GIT_ALGORITHMS = frozenset({"gitCommit", "gitTree", "gitBlob", "gitTag"})
"""Git object ids: SHA-1 (40 hex digits) or SHA-256 (64), as the repository was made."""

_GIT_LENGTHS = (40, 64)
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


def sha256_hex(data: bytes) -> str:
    """SHA-256 of `data` as 64 lowercase hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_known(algorithm: str) -> bool:
    """True where the value's form is checked here. Names are case-sensitive."""
    return algorithm in LENGTHS or algorithm in GIT_ALGORITHMS


def parse_digest_set(raw: Mapping[str, str], *, where: str) -> dict[str, str]:
    """Check a digest set (algorithm → value) and write known values in lowercase.

    Unknown algorithms are kept as they are: they may not be hex at all, and are ignored later.
    An empty set is legal here; whoever needs one digest asks for it.

    Raises:
        MalformedError: a known algorithm's value is not hex or has the wrong length.
    Source: in-toto attestation, spec/v1/digest_set.md.
    """
    digests: dict[str, str] = {}
    for algorithm, value in raw.items():
        length = LENGTHS.get(algorithm)
        if length is None and algorithm not in GIT_ALGORITHMS:
            digests[algorithm] = value
            continue
        if not _HEX.fullmatch(value):
            raise MalformedError(f"The {algorithm} digest is not hexadecimal.", where=f"{where}.{algorithm}")
        if len(value) != length and (length is not None or len(value) not in _GIT_LENGTHS):
            wanted = length if length is not None else "40 or 64"
            raise MalformedError(
                f"A {algorithm} digest has {wanted} hex digits, this one has {len(value)}.",
                where=f"{where}.{algorithm}",
            )
        digests[algorithm] = value.lower()
    return digests


def comparable(claimed: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """True where the two digest sets share an algorithm that can tell whether they are the same thing."""
    return any(a in found and is_known(a) and a not in _WEAK for a in claimed)


def match(claimed: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """True where two checked digest sets share a known algorithm and disagree in none that they share.

    Weak algorithms (md5, sha1) and folder or git ids never make a match on their own, but may break one.
    """
    shared = [a for a in claimed if a in found and is_known(a)]
    strong = any(a not in _WEAK for a in shared)
    return strong and all(claimed[a] == found[a] for a in shared)


_WEAK = frozenset({"md5", "sha1"}) | GIT_ALGORITHMS

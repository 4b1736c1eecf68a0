"""ML-DSA-44 public keys, for which no quantum computer is known to forge. Witnesses have them, signers don't.

Source: FIPS 204 (pure ML-DSA, empty context); RFC 9881 (the key as SPKI).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineage.errors import MalformedError

KEY_BYTES = 1_312
SIGNATURE_BYTES = 2_420


@dataclass(frozen=True, slots=True)
class MlDsa44Key:
    """`key_id` is the hex SHA-256 of its SPKI, as of any other public key here."""

    key_id: str
    _native: Any = field(repr=False, compare=False)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """True where `signature` over `message` was made by this key."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            self._native.verify(signature, message)
        except InvalidSignature:
            return False
        return True


def load(raw: bytes) -> MlDsa44Key:
    """The key in its 1,312 bytes.

    Raises: MalformedError for another length, and where the library `cryptography` that is installed is from
        before ML-DSA, so that nothing could be checked.
    """
    if len(raw) != KEY_BYTES:
        raise MalformedError(f"An ML-DSA-44 key has {KEY_BYTES:,} bytes.")
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa

        native = mldsa.MLDSA44PublicKey.from_public_bytes(raw)
    except (ImportError, UnsupportedAlgorithm):
        raise MalformedError(
            "ML-DSA-44 can't be checked here: the library `cryptography` is too old for it."
        ) from None
    except ValueError:
        raise MalformedError("These bytes are not an ML-DSA-44 key.") from None
    spki = native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return MlDsa44Key(hashlib.sha256(spki).hexdigest(), native)

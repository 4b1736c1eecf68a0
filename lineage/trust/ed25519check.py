"""One Ed25519 signature, checked by libsodium where PyNaCl is installed: half of the time of OpenSSL.

Owns: that no verdict depends on which library answers (docs/adr/0024). libsodium takes less than OpenSSL, so
what it takes is good; what it refuses is asked of `cryptography` again. Does not own: keys (`keys`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_BYTES = 64
LARGE_BYTES = 1 << 14
"""From here on OpenSSL is as fast: it hashes a message twice as fast as libsodium, which copies it too."""

Open = Callable[[bytes, bytes], bytes]
"""The message of `signature + message` under a raw key; raises the library's `BadSignatureError`."""

_COFACTORED_KEY = bytes.fromhex("ff6f43ab4e72e31b78049fcc5f97455becdd0ea428c1fd6c7a0fc66e991c7cb9")
_COFACTORED = (
    bytes.fromhex(
        "186ed2bdbd1a36f6437c5168b0221914018ea4f32a1c3fcd1c1794d64fbd596e"
        "87b26edeeab0e37a33bef6b24f78776c90a195262c215e57734fe9e8e60ad709"
    )
    + b"cofactored"
)
"""A signature whose R is off by a point of order 8. Only who multiplies both sides by 8 takes it (RFC 8032
section 5.1.7 leaves that open); OpenSSL does not."""


def verify(native: Ed25519PublicKey, raw: bytes, message: bytes, signature: bytes) -> bool:
    """True where `signature` over `message` was made by the key; `raw` are its 32 bytes."""
    # libsodium takes the first 64 bytes for the signature: one of another length would borrow of the message.
    if len(signature) == SIGNATURE_BYTES and len(message) < LARGE_BYTES and _taken(raw, signature + message):
        return True
    try:
        native.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _taken(raw: bytes, signed: bytes) -> bool:
    found = _sodium()
    return found is not None and _opens(found, raw, signed)


@cache
def _sodium() -> tuple[Open, type[Exception]] | None:
    """libsodium's function and its refusal, once this process first needs it; None where it is not to be had,
    or has become one that takes what OpenSSL refuses."""
    try:
        from nacl.bindings import crypto_sign_open
        from nacl.exceptions import BadSignatureError
    except ImportError:  # what a pipeline installs goes without
        return None
    found = crypto_sign_open, BadSignatureError
    return None if _opens(found, _COFACTORED_KEY, _COFACTORED) else found


def _opens(sodium: tuple[Open, type[Exception]], raw: bytes, signed: bytes) -> bool:
    function, refused = sodium
    try:
        function(signed, raw)
    except refused:
        return False
    return True

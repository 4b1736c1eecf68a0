"""What a key takes for its signature: one algorithm's, of the allowed schemes, written one way."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from lineage.errors import MalformedError
from lineage.trust.keys import generate_ed25519, load_public

from .builders import key
from .native_keys import ALGORITHMS, CURVES, MESSAGE, native, private, spki


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "signature", [b"", b"\0", bytes(64), bytes(256), b"\x30\x06\2\1\0\2\1\0", b"x" * 10_000]
)
def test_rubbish_signatures(algorithm: str, signature: bytes) -> None:
    assert not private(algorithm).public.verify(MESSAGE, signature)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trailing_and_leading_bytes_break_a_signature(algorithm: str) -> None:
    signature = private(algorithm).sign(MESSAGE)
    assert not private(algorithm).public.verify(MESSAGE, signature + b"\0")
    assert not private(algorithm).public.verify(MESSAGE, b"\0" + signature)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_signatures_do_not_cross_algorithms(algorithm: str, other: str) -> None:
    verified = private(other).public.verify(MESSAGE, private(algorithm).sign(MESSAGE))
    assert verified is (algorithm == other)


@pytest.mark.parametrize("algorithm", CURVES)
@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA1()])
def test_ecdsa_hashes_are_an_allow_list(algorithm: str, digest: hashes.HashAlgorithm) -> None:
    own = {"ecdsa-p256": "sha256", "ecdsa-p384": "sha384", "ecdsa-p521": "sha512"}[algorithm]
    # SHA-1 can't be asked for in every build of OpenSSL, so the digest is computed outside.
    prehashed = hashlib.new(digest.name, MESSAGE, usedforsecurity=False).digest()
    signature = native(algorithm).sign(prehashed, ec.ECDSA(Prehashed(digest)))
    assert private(algorithm).public.verify(MESSAGE, signature) is (digest.name in {own, "sha256"})


def _both_forms(algorithm: str, size: int) -> tuple[bytes, bytes]:
    """A signature of `MESSAGE` as DER, and raw: two numbers of `size` bytes."""
    der = private(algorithm).sign(MESSAGE)
    return der, b"".join(part.to_bytes(size) for part in decode_dss_signature(der))


@pytest.mark.parametrize("algorithm", CURVES)
def test_a_raw_signature_that_begins_as_der_is_refused_as_der(algorithm: str) -> None:
    size = (CURVES[algorithm].key_size + 7) // 8
    raw = b"\x30" + bytes(2 * size - 1)
    as_der = private(algorithm).public
    assert as_der.fits(raw)
    assert not as_der.verify(MESSAGE, raw)


@pytest.mark.parametrize("algorithm", CURVES)
def test_raw_ecdsa_only_for_a_key_that_is_registered_so(algorithm: str) -> None:
    size = (CURVES[algorithm].key_size + 7) // 8
    # One of 256 begins as DER does. It is tried as DER then, in vain.
    signed = (_both_forms(algorithm, size) for _ in count())
    der, raw = next((der, raw) for der, raw in signed if raw[:1] != b"\x30")
    as_der = private(algorithm).public
    as_raw = load_public(as_der.spki, "raw")
    assert (as_raw.verify(MESSAGE, raw), as_raw.verify(MESSAGE, der)) == (True, False)
    assert (as_der.verify(MESSAGE, raw), as_der.verify(MESSAGE, der)) == (False, True)
    assert (as_raw.fits(raw), as_raw.fits(der), as_der.fits(raw), as_der.fits(der)) == (
        True,
        False,
        False,
        True,
    )
    assert as_raw.key_id == as_der.key_id
    assert not as_raw.verify(MESSAGE, bytes(2 * size))
    assert not as_raw.verify(MESSAGE, b"\xff" * 2 * size)
    assert not as_raw.verify(MESSAGE, b"\0" + raw[:size] + b"\0" + raw[size:])
    assert not as_raw.verify(MESSAGE, raw[:size] + b"\0" + raw[size:])  # the same numbers, written longer


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa"])
def test_raw_is_for_ecdsa_alone(algorithm: str) -> None:
    with pytest.raises(MalformedError, match="ECDSA"):
        load_public(private(algorithm).public.spki, "raw")


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA224()])
@pytest.mark.parametrize("salt", [0, 20, padding.PSS.DIGEST_LENGTH, padding.PSS.MAX_LENGTH, None])
def test_rsa_schemes_are_an_allow_list(digest: hashes.HashAlgorithm, salt: Any) -> None:
    scheme = padding.PKCS1v15() if salt is None else padding.PSS(padding.MGF1(digest), salt)
    signature = native("rsa").sign(MESSAGE, scheme, digest)
    assert private("rsa").public.verify(MESSAGE, signature) is (digest.name != "sha224")


def test_rsa_exponent_three_is_legal() -> None:
    signer = rsa.generate_private_key(3, 2048)
    public = load_public(spki(signer.public_key()))
    assert public.verify(MESSAGE, signer.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()))
    # The cube of a text without padding, which a lax verifier takes.
    n = signer.public_key().public_numbers().n
    assert not public.verify(MESSAGE, (1 << 600).to_bytes((n.bit_length() + 7) // 8))


def test_ed25519_is_rfc_8032() -> None:
    """Source: RFC 8032 section 7.1, test 2."""
    signer = generate_ed25519(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert signer.public.raw_ed25519().hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert signer.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_a_signature_with_s_beyond_the_order_is_refused() -> None:
    """The second spelling of one signature (malleability)."""
    order = 2**252 + 27742317777372353535851937790883648493
    signature = key(1).sign(MESSAGE)
    other = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not key(1).public.verify(MESSAGE, other)

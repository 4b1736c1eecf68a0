"""A key of each algorithm, as the library has it and as ours: the same in each run, but RSA's."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lineage.trust.keys import PrivateKey, load_private

MESSAGE = b"a message"
CURVES: dict[str, ec.EllipticCurve] = {
    "ecdsa-p256": ec.SECP256R1(),
    "ecdsa-p384": ec.SECP384R1(),
    "ecdsa-p521": ec.SECP521R1(),
}
ALGORITHMS = ("ed25519", *CURVES, "rsa")
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@cache
def native(algorithm: str) -> Any:
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    if algorithm == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.derive_private_key(7, CURVES[algorithm])


def private(algorithm: str) -> PrivateKey:
    pem = native(algorithm).private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return load_private(pem)


def spki(public: Any) -> bytes:
    data: bytes = public.public_bytes(DER, SPKI)
    return data

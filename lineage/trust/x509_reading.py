"""X.509 certificates read whole at once, so that whoever uses one later meets no surprise in it.

`cryptography` reads names, times and keys only when they are asked for, and complains then. Owns: that what
is given back has readable names and times. Does not own: what a certificate may do (`x509_chain`).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from lineage.errors import MalformedError

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What libraries let out where something in a certificate, of which they ask only then, can't be read."""


def from_der(der: bytes, *, where: str = "") -> x509.Certificate:
    """Raises: MalformedError."""
    return _read(lambda: [x509.load_der_x509_certificate(der)], "DER", where)[0]


def from_pem(pem: bytes, *, where: str = "") -> list[x509.Certificate]:
    """All certificates in PEM, one or more. Raises: MalformedError."""
    return _read(lambda: x509.load_pem_x509_certificates(pem), "PEM", where)


def public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    """None where the key can't be read, or is of an algorithm that the library doesn't know."""
    try:
        return certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def spki(certificate: x509.Certificate) -> bytes | None:
    """DER SubjectPublicKeyInfo of its key, or None as `public_key`."""
    key = public_key(certificate)
    if key is None:
        return None
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read(load: Callable[[], list[x509.Certificate]], form: str, where: str) -> list[x509.Certificate]:
    try:
        found = load()
        for each in found:
            _ = (each.subject, each.issuer, each.not_valid_before_utc, each.not_valid_after_utc)
            _ = each.extensions
    except UNREADABLE:
        raise MalformedError(f"This is not a {form} certificate that can be read.", where=where) from None
    return found

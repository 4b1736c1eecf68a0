"""Certificates and the key that a source's connection uses, read before they are kept.

Owns: that PEM texts are what they should be, and what people see of a certificate. Only what was parsed is
kept, written anew: a private key that stands beside a certificate in the same file is not stored in the open.
"""

from __future__ import annotations

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lineage.errors import MalformedError
from lineage.trust.leaf import rfc3339

MAX_PEM = 256 << 10
MAX_CERTIFICATES = 200


class CertificateRecord(msgspec.Struct, frozen=True):
    """A certificate as people see it: RFC 4514 subject, end (RFC 3339), hex SHA-256 of its DER form."""

    subject: str
    not_after: str
    sha256: str


def certificates(pem: str, where: str) -> str:
    """The certificates in a PEM text, written anew, in their order.

    Raises: MalformedError that names the field `where`.
    """
    return "".join(_pem(found) for found in _load(pem, where))


def private_key(pem: str, where: str) -> str:
    """A private key without a passphrase as PKCS#8 PEM. Raises: MalformedError, which never quotes it."""
    if len(pem) > MAX_PEM:
        raise MalformedError("The key is too long.", where=where)
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise MalformedError("The key has a passphrase; send it without one.", where=where) from None
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedError("This is not a private key in PEM.", where=where) from None
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def belong_together(certificate_pem: str, key_pem: str) -> bool:
    """Whether the key is that of the first certificate."""
    certified = x509.load_pem_x509_certificates(certificate_pem.encode())[0].public_key()
    own = load_pem_private_key(key_pem.encode(), password=None).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certified.public_bytes(*form) == own.public_bytes(*form)


def records(pem: str) -> list[CertificateRecord]:
    """What people see of certificates that were kept."""
    return [_record(found) for found in x509.load_pem_x509_certificates(pem.encode())] if pem else []


def _load(pem: str, where: str) -> list[x509.Certificate]:
    if len(pem) > MAX_PEM:
        raise MalformedError(f"This is over {MAX_PEM:,} characters.", where=where)
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        for one in found:
            _record(one)
            one.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedError("These are not certificates in PEM (X.509).", where=where) from None
    if len(found) > MAX_CERTIFICATES:
        raise MalformedError(f"These are more than {MAX_CERTIFICATES} certificates.", where=where)
    return found


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _record(certificate: x509.Certificate) -> CertificateRecord:
    ends_us = int(certificate.not_valid_after_utc.timestamp()) * 1_000_000
    return CertificateRecord(
        certificate.subject.rfc4514_string(), rfc3339(ends_us), certificate.fingerprint(hashes.SHA256()).hex()
    )

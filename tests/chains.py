"""Certificate chains of tests that sign: an authority, what it issues, and envelopes that carry both."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE, pae
from tests.factories import as_payload, pack

DAY = datetime.timedelta(days=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Holder:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def envelope(self, statement: dict[str, Any] | bytes, *intermediates: Holder, **more: Any) -> bytes:
        """A DSSE envelope that carries the certificate beside its signature, as Witness writes it."""
        payload = as_payload(statement)
        made = self.key.sign(pae(INTOTO_PAYLOAD_TYPE, payload), ec.ECDSA(SHA256()))
        signature: dict[str, Any] = {
            "sig": base64.b64encode(made).decode(),
            "certificate": base64.b64encode(self.pem).decode(),
            "intermediates": [base64.b64encode(each.pem).decode() for each in intermediates],
        }
        return pack(payload, INTOTO_PAYLOAD_TYPE, [signature | more])


def authority(name: str, by: Holder | None = None) -> Holder:
    """A certificate that may issue others; its own root where nobody issued it."""
    return _issue(name, by, x509.BasicConstraints(ca=True, path_length=None), days=3650)


def holder(
    name: str,
    by: Holder,
    *,
    uri: str = "",
    days: int = 30,
    start: datetime.datetime | None = None,
    extension: x509.ExtensionType | None = None,
) -> Holder:
    """A certificate that may sign for the URI or, without one, for the DNS name; `extension` in its place."""
    san = x509.UniformResourceIdentifier(uri) if uri else x509.DNSName(name)
    names = extension or x509.SubjectAlternativeName([san])
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    return _issue(name, by, constraints, names=names, days=days, start=start)


def _issue(
    name: str,
    by: Holder | None,
    constraints: x509.BasicConstraints,
    *,
    names: x509.ExtensionType | None = None,
    days: int,
    start: datetime.datetime | None = None,
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = start or datetime.datetime.now(datetime.UTC) - DAY
    ca = constraints.ca
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + days * DAY)
        .add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
        )
    return Holder(builder.sign(by.key if by else key, SHA256()), key)

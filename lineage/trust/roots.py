"""Trust material that certificates and timestamps may chain to, as an operator adopted it or a file holds it.

Owns: reading a Sigstore trusted_root.json and PEM certificates, and that there is something in them to trust.
Does not own: chains (`x509_chain`), timestamps (`timestamps`), bundles (`keyless`), belief (`policy`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cryptography import x509

from lineage.errors import MalformedError
from lineage.trust import x509_reading
from lineage.trust.digest import sha256_hex

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

RootKind = Literal["sigstore", "x509", "timestamp"]
MAX_BYTES = 1 << 20
MAX_CERTIFICATES = 64


@dataclass(frozen=True, slots=True)
class Root:
    """`root_id` is the hex SHA-256 of `material`: a trusted_root.json, or PEM certificates."""

    root_id: str
    kind: RootKind
    material: bytes


def load(kind: RootKind, material: bytes) -> Root:
    """Read trust material, and judge that it can be used.

    Raises: MalformedError for material that can't be read, is too large, or vouches for nothing: of X.509 a
        certificate that may not issue others; of Sigstore no authority or no transparency log.
    Source: Sigstore trusted root format (`sigstore_trustroot.proto`); RFC 7468; RFC 5280 section 4.2.1.9.
    """
    if not 0 < len(material) <= MAX_BYTES:
        raise MalformedError(f"A root has 1 to {MAX_BYTES:,} bytes.")
    root = Root(sha256_hex(material), kind, material)
    if kind == "sigstore":
        trusted_root(root)
        return root
    for certificate in certificates(root):
        if kind == "x509" and not may_issue(certificate):
            name = certificate.subject.rfc4514_string()
            raise MalformedError(f"The certificate {name} may not issue others, so it is no root.")
    return root


@lru_cache(maxsize=64)
def certificates(root: Root) -> tuple[x509.Certificate, ...]:
    """The certificates of an X.509 or timestamp root. Raises: MalformedError."""
    if b"PRIVATE KEY" in root.material:
        raise MalformedError("This holds a private key. A root is certificates alone.")
    found = x509_reading.from_pem(root.material)
    if not 0 < len(found) <= MAX_CERTIFICATES:
        raise MalformedError(f"A root has 1 to {MAX_CERTIFICATES} certificates.")
    return tuple(found)


@lru_cache(maxsize=64)
def trusted_root(root: Root) -> TrustedRoot:
    """A Sigstore root as its library reads it. Raises: MalformedError."""
    # Imported late: whoever verifies keys alone waits for none of it.
    from sigstore.errors import Error
    from sigstore.models import TrustedRoot
    from sigstore_models.trustroot.v1 import TrustedRoot as Inner

    try:
        made = TrustedRoot(Inner.from_json(root.material))
        usable = made.get_fulcio_certs() and made._inner.tlogs
    except (Error, ValueError) as error:
        raise MalformedError(
            f"This is not a Sigstore trusted root that can be read: {_first(error)}"
        ) from None
    if not usable:
        raise MalformedError("The trusted root names no certificate authority, or no transparency log.")
    return made


def may_issue(certificate: x509.Certificate) -> bool:
    """Whether a certificate says that it is an authority's. Source: RFC 5280 sections 4.2.1.3 and 4.2.1.9."""
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return constraints.ca
    return constraints.ca and usage.key_cert_sign


def _first(error: Exception) -> str:
    return (str(error).splitlines() or ["no reason given"])[0][:200]

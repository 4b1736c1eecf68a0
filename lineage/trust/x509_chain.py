"""Chains of certificates from a signer's to a root, built and judged without a clock.

Owns: finding a chain, what each certificate in it may do, and the time in which all of them are valid. Does
not own: which moment counts (the caller's). There are no revocation lists: a root is revoked by a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from lineage.trust import x509_reading
from lineage.trust.roots import may_issue

MAX_DEPTH = 8
MAX_LINKS = 64
"""Signatures of certificates that are checked for one signer: many with one name could make it more."""
_KNOWN = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
"""Extensions that may be critical. One that isn't understood but has to be makes a certificate unusable."""
_SIGNING = frozenset({ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Chain:
    """From a signer's certificate up to a root, with the time (µs since the epoch) common to all of them."""

    certificates: tuple[x509.Certificate, ...]
    valid_from_us: int
    valid_to_us: int


def build(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]
) -> Chain | None:
    """The first chain from `leaf` to one of `anchors`, which are believed as they are, or None.

    Source: RFC 5280 section 6.1, without policies, name constraints and revocation lists: a certificate with
    a critical extension beyond those that are understood is in no chain.
    """
    search = _Search(tuple(intermediates), tuple(anchors))
    path = search.up((leaf,))
    if path is None:
        return None
    starts, ends = zip(*map(window, path), strict=True)
    return Chain(path, max(starts), min(ends))


def window(certificate: x509.Certificate) -> tuple[int, int]:
    """From when to when (µs since the epoch) one certificate is valid, both included."""
    return _us(certificate.not_valid_before_utc), _us(certificate.not_valid_after_utc)


class _Search:
    def __init__(
        self, intermediates: tuple[x509.Certificate, ...], anchors: tuple[x509.Certificate, ...]
    ) -> None:
        self._intermediates = intermediates
        self._anchors = anchors
        self._left = MAX_LINKS

    def up(self, path: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...] | None:
        """`path` continued to an anchor."""
        last = path[-1]
        if last in self._anchors and len(path) > 1:
            return path
        if len(path) >= MAX_DEPTH or not _understood(last):
            return None
        for issuer in (*self._anchors, *self._intermediates):
            if issuer in path or issuer.subject != last.issuer or not self._issued(issuer, len(path), last):
                continue
            found = self.up((*path, issuer))
            if found is not None:
                return found
        return None

    def _issued(self, issuer: x509.Certificate, below: int, certificate: x509.Certificate) -> bool:
        """Whether `issuer`, with `below` certificates under it in the path, made `certificate`."""
        if not may_issue(issuer) or not _understood(issuer) or self._left == 0:
            return False
        limit = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        if limit is not None and below - 1 > limit:
            return False
        self._left -= 1
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _understood(certificate: x509.Certificate) -> bool:
    try:
        return all(each.oid in _KNOWN for each in certificate.extensions if each.critical)
    except (ValueError, x509.DuplicateExtension):
        return False


def may_sign(certificate: x509.Certificate) -> str | None:
    """None where a certificate may sign statements, else the reason as a sentence.

    Source: RFC 5280 sections 4.2.1.3 (digitalSignature) and 4.2.1.12 (code signing, where it has purposes).
    """
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension):
        return "The certificate's extensions can't be read."
    if may_issue(certificate):
        return "The certificate is an authority's, not a signer's."
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not value.digital_signature:
            return "The certificate may not be used for signatures."
        if isinstance(value, x509.ExtendedKeyUsage) and not _SIGNING & set(value):
            return "The certificate is for other purposes than signing code."
    taken = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
    if not isinstance(x509_reading.public_key(certificate), taken):
        return "The certificate's key is of an algorithm that is not taken."
    return None


def subject_of(certificate: x509.Certificate) -> str:
    """The name that a certificate is for: its first URI, e-mail address, DNS or other name; else its subject.

    Names are compared as text, so one that isn't printable is none.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        names = None
    texts = [_text(name) for name in names] if names is not None else []
    found = next((text for text in texts if text), "")
    return found or certificate.subject.rfc4514_string()


def _text(name: x509.GeneralName) -> str:
    if isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name | x509.DNSName):
        return name.value if name.value.isprintable() else ""
    if isinstance(name, x509.OtherName):
        # A UTF8String, as Fulcio writes user names (its OID ….57264.1.7): tag 12, one length byte.
        raw = name.value
        if len(raw) >= 2 and raw[0] == 12 and raw[1] == len(raw) - 2 < 128:
            text = raw[2:].decode("utf-8", "replace")
            return text if text.isprintable() else ""
    return ""


def _us(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds

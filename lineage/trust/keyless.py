"""Sigstore bundles with Fulcio certificates, judged by a trusted root through Sigstore's own library.

Owns: asking it, the identity that a certificate names, and Rekor's older entries of type `intoto`, which the
library does not judge: their time is bound by the signed entry timestamp that it verifies, their body is
compared here. Does not own: bundles with keys or other certificates (`certified`). There is no network.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from lineage.trust import x509_chain, x509_reading
from lineage.trust.digest import sha256_hex
from lineage.trust.roots import Root, trusted_root
from lineage.trust.x509_chain import subject_of

if TYPE_CHECKING:
    from sigstore.models import Bundle
    from sigstore.verify.verifier import Verifier

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_OLD_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
INTOTO = ("intoto", "0.0.2")


@dataclass(frozen=True, slots=True)
class Keyless:
    """What a bundle proves under one root.

    `payload` is what the library verified, b"" of a file's digest.

    `outcome` is verified; refuted; foreign: the certificate is not of this root; or inconclusive: the library
    can't read the bundle, or does not judge its kind. `reason` is a sentence where it is not verified.
    """

    outcome: str
    reason: str = ""
    certificate: x509.Certificate | None = None
    issuer: str = ""
    subject: str = ""
    proved_us: int | None = None
    proved_by: str = ""
    payload: bytes = b""


def judge(bundle: bytes, root: Root, artifact: bytes | None = None) -> Keyless:
    """Judge a bundle over a DSSE envelope or, with the SHA-256 of an artifact (32 raw bytes), over that.

    Source: Sigstore client specification, "Verification"; Sigstore bundle format.
    """
    from sigstore.errors import VerificationError
    from sigstore.models import Bundle, InvalidBundle

    try:
        read = Bundle.from_json(bundle)
    except (InvalidBundle, VerificationError, *x509_reading.UNREADABLE) as error:
        return Keyless("inconclusive", f"The bundle can't be read: {_first(error)}")
    certificate = read.signing_certificate
    found = _verified(read, root, artifact)
    if isinstance(found, Keyless):
        return found
    issuer = issuer_of(certificate)
    if not issuer:
        return Keyless("refuted", "The certificate names no issuer.")
    payload = b"" if read._dsse_envelope is None else bytes(read._dsse_envelope._inner.payload)
    return Keyless("verified", "", certificate, issuer, subject_of(certificate), *found, payload)


def _verified(bundle: Bundle, root: Root, artifact: bytes | None) -> tuple[int, str] | Keyless:
    """When it was signed (µs since the epoch) and how that is proved, or what it is instead."""
    from sigstore.errors import CertValidationError, VerificationError

    try:
        return _when(_verifier(root), bundle, artifact)
    except CertValidationError as error:
        anchors = trusted_root(root).get_fulcio_certs()
        if x509_chain.build(bundle.signing_certificate, anchors, anchors) is None:
            return Keyless("foreign", "The certificate leads to no authority of this Sigstore root.")
        return Keyless("refuted", f"The certificate was not valid when it signed: {_first(error)}")
    except VerificationError as error:
        outcome = "inconclusive" if "nsupported" in str(error) else "refuted"
        return Keyless(outcome, _first(error))
    except (x509.ExtensionNotFound, *x509_reading.UNREADABLE) as error:
        return Keyless("refuted", f"The certificate is not one that Sigstore issues: {_first(error)}")


def _when(verifier: Verifier, bundle: Bundle, artifact: bytes | None) -> tuple[int, str]:
    """When it was signed (µs since the epoch), and how that is proved. Raises: VerificationError."""
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm as Algorithm

    anybody = _Anybody()
    if artifact is not None:
        verifier.verify_artifact(Hashed(digest=artifact, algorithm=Algorithm.SHA2_256), bundle, anybody)
    elif _kind(bundle) == INTOTO:
        verifier._verify_common_signing_cert(bundle, anybody)
        _check_intoto(bundle)
    else:
        verifier.verify_dsse(bundle, anybody)
    moments = verifier._establish_time(bundle)
    first = min(moments, key=lambda each: each.time)
    source = "timestamp" if first.source.name == "TIMESTAMP_AUTHORITY" else "rekor"
    return int(first.time.timestamp() * 1_000_000), source


class _Anybody:
    """Whose certificate it is is judged by those who know who may sign."""

    def verify(self, certificate: x509.Certificate) -> None:
        """The library asks."""


@lru_cache(maxsize=32)
def _verifier(root: Root) -> Verifier:
    made: Verifier = _class()(trusted_root=trusted_root(root))
    return made


@lru_cache(maxsize=1)
def _class() -> Callable[..., Any]:
    """Sigstore's verifier, which takes the time of entries of type `intoto` as it takes that of others."""
    from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
    from sigstore.verify.verifier import Verifier

    class _Older(Verifier):
        def _establish_time(self, bundle: Bundle) -> list[TimestampVerificationResult]:
            if _kind(bundle) != INTOTO:
                found: list[TimestampVerificationResult] = super()._establish_time(bundle)
                return found
            # The promise binds the time, and is verified with the entry, as for the other kinds.
            entry = bundle.log_entry._inner
            if not entry.inclusion_promise or not entry.integrated_time:
                return []
            moment = datetime.fromtimestamp(entry.integrated_time, tz=UTC)
            return [TimestampVerificationResult(source=TimestampSource.TRANSPARENCY_SERVICE, time=moment)]

    return _Older


def _kind(bundle: Bundle) -> tuple[str, str]:
    version = bundle.log_entry._inner.kind_version
    return str(version.kind), str(version.version)


def _check_intoto(bundle: Bundle) -> None:
    """Compare the entry's body with the bundle. Raises: VerificationError.

    Source: Rekor, `intoto_v0_0_2_schema.json`: a signature is in base64 twice, its certificate once.
    """
    from sigstore import dsse
    from sigstore.errors import VerificationError

    envelope = bundle._dsse_envelope
    if envelope is None:
        raise VerificationError("the entry is of a statement, but the bundle holds none")
    key = bundle.signing_certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise VerificationError("the certificate's key is of another algorithm than Sigstore's")
    dsse._verify(key, envelope)
    try:
        body = json.loads(bundle.log_entry._inner.canonicalized_body)
        content = body["spec"]["content"]
        logged = {
            (_twice(each["sig"]), _pem(base64.b64decode(each["publicKey"])))
            for each in content["envelope"]["signatures"]
        }
        digest = content["payloadHash"]
        kind = (body["kind"], body["apiVersion"], content["envelope"]["payloadType"], digest["algorithm"])
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationError("the log entry's body can't be read") from error
    if kind != (*INTOTO, envelope._inner.payload_type, "sha256"):
        raise VerificationError("the log entry is of another kind of payload")
    if digest["value"] != sha256_hex(envelope._inner.payload):
        raise VerificationError("the log entry is of another payload")
    certificate = bundle.signing_certificate.public_bytes(Encoding.DER)
    if logged != {(bytes(each.sig), certificate) for each in envelope._inner.signatures}:
        raise VerificationError("log entry signatures do not match bundle")


def _twice(text: str) -> bytes:
    return base64.b64decode(base64.b64decode(text))


def _pem(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def issuer_of(certificate: x509.Certificate) -> str:
    """The OIDC issuer that Fulcio wrote into a certificate, "" where there is none.

    Source: Fulcio, oid-info.md: 1.3.6.1.4.1.57264.1.8 (DER UTF8String), in older ones …1.1 (the bare text).
    """
    for oid in (_ISSUER, _OLD_ISSUER):
        try:
            value = certificate.extensions.get_extension_for_oid(oid).value
        except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
            continue
        raw = value.value if isinstance(value, x509.UnrecognizedExtension) else b""
        if oid == _ISSUER:
            if not (len(raw) >= 2 and raw[0] == 12 and raw[1] == len(raw) - 2 < 128):
                return ""
            raw = raw[2:]
        text = raw.decode("utf-8", "replace")
        return text if text.isprintable() else ""
    return ""


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]

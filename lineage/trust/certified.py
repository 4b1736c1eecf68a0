"""Who signed by certificate: chains in an envelope, certificates in a bundle, judged by known roots.

Owns: taking certificates and timestamps out of what was received, and the verdict on each. Does not own:
chains (`x509_chain`), timestamps (`timestamps`), Sigstore's rules (`keyless`), or who is let in (`policy`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography import x509

from lineage.errors import LineageError, MalformedError
from lineage.trust import dsse, keyless, roots, timestamps, x509_chain, x509_reading
from lineage.trust.dsse import decode_base64
from lineage.trust.identities import X509_ISSUER
from lineage.trust.keys import load_public
from lineage.trust.opened import Opened
from lineage.trust.roots import Root

MAX_CERTIFICATES = 16
MAX_TIMESTAMPS = 8


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate whose key made a signature, and which leads to a root.

    Attributes:
        key_id: hex SHA-256 of its key's SPKI.
        issuer: the OIDC issuer that a Sigstore certificate names, or `x509:<root id>`.
        subject: its first URI, e-mail address, DNS or other name, else its subject (RFC 4514).
        root_id: the root that it leads to.
        valid_from_us, valid_to_us: the time in which the whole chain is valid, µs since the epoch.
        proved_us: when it signed, as `proved_by` ("rekor", "timestamp") proves; None: nothing proves it.
    """

    key_id: str
    issuer: str
    subject: str
    root_id: str
    valid_from_us: int
    valid_to_us: int
    proved_us: int | None
    proved_by: str


@dataclass(frozen=True, slots=True)
class CertificateFindings:
    """What came of the certificates; sentences where one stands for nobody.

    Attributes:
        certified: those that are good.
        refuted: a signature, log entry or certificate is wrong.
        inconclusive: it could not be checked: by what there is, or by what is known.
        foreign: it leads to none of the roots.
    """

    certified: tuple[Certified, ...] = ()
    refuted: tuple[str, ...] = ()
    inconclusive: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    certified: list[Certified] = field(default_factory=list)
    refuted: list[str] = field(default_factory=list)
    inconclusive: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def done(self) -> CertificateFindings:
        told = (tuple(dict.fromkeys(each)) for each in (self.refuted, self.inconclusive, self.foreign))
        return CertificateFindings(tuple(dict.fromkeys(self.certified)), *told)


@dataclass(frozen=True, slots=True)
class _Carried:
    """One signature, the certificates that came with it (the signer's first), and timestamps over it."""

    signature: bytes
    certificates: tuple[x509.Certificate, ...]
    timestamps: tuple[bytes, ...]


def certified(opened: Opened, known: Sequence[Root]) -> CertificateFindings:
    """Judge every certificate by `known`. No clock is asked: windows and proved moments are returned.

    Raises: MalformedError where a certificate or timestamp can't be read.
    """
    found = _Found()
    carried = _of_bundle(opened.bundle) if opened.bundle is not None else _of_envelope(opened.data)
    if not carried:
        return found.done()
    sigstore = [root for root in known if root.kind == "sigstore"]
    if opened.bundle is not None and sigstore:
        _judge_keyless(opened, opened.bundle, sigstore, found)
    authorities = [c for root in known if root.kind == "timestamp" for c in roots.certificates(root)]
    for each in carried:
        _judge_chain(opened.envelope, each, [r for r in known if r.kind == "x509"], authorities, found)
    return found.done()


def carries(opened: Opened) -> bool:
    """Whether there is a certificate at all. Raises: MalformedError where it can't be read."""
    return bool(_of_bundle(opened.bundle) if opened.bundle is not None else _of_envelope(opened.data))


def _judge_keyless(opened: Opened, bundle: bytes, known: Iterable[Root], found: _Found) -> None:
    for root in known:
        verdict = keyless.judge(bundle, root)
        if verdict.certificate is not None and verdict.payload != opened.envelope.payload:
            found.refuted.append("The bundle can be read in two ways.")  # what was verified is what is used
            continue
        other = of_keyless(verdict, root)
        found.certified += other.certified
        found.refuted += other.refuted
        found.inconclusive += other.inconclusive
        found.foreign += other.foreign


def of_keyless(verdict: keyless.Keyless, root: Root) -> CertificateFindings:
    """What a bundle proves under a Sigstore root, in the words of this room."""
    if verdict.certificate is None:
        return CertificateFindings((), **{verdict.outcome: (verdict.reason,)})
    made = _key_id(verdict.certificate)
    if made is None:
        return CertificateFindings(
            inconclusive=("The certificate's key is of an algorithm that is not taken.",)
        )
    one = Certified(
        made,
        verdict.issuer,
        verdict.subject,
        root.root_id,
        *x509_chain.window(verdict.certificate),
        verdict.proved_us,
        verdict.proved_by,
    )
    return CertificateFindings((one,))


def _judge_chain(
    envelope: dsse.Envelope,
    carried: _Carried,
    known: Sequence[Root],
    authorities: Sequence[x509.Certificate],
    found: _Found,
) -> None:
    leaf, *others = carried.certificates
    subject = x509_chain.subject_of(leaf)
    chains = [(root, x509_chain.build(leaf, others, roots.certificates(root))) for root in known]
    good = [(root, chain) for root, chain in chains if chain is not None]
    if not good:
        if known:
            found.foreign.append(f"The certificate of {subject} leads to no X.509 root that is known.")
        return
    forbidden = x509_chain.may_sign(leaf)
    key = None if forbidden else load_public(x509_reading.spki(leaf) or b"")
    if key is None:
        found.refuted.append(f"{subject}: {forbidden}")
        return
    if not key.verify(dsse.pae(envelope.payload_type, envelope.payload), carried.signature):
        found.refuted.append(f"The key in the certificate of {subject} did not make this signature.")
        return
    proved = [
        moment
        for token in carried.timestamps
        if (moment := timestamps.proved_us(token, carried.signature, authorities)) is not None
    ]
    for root, chain in good:
        found.certified.append(
            Certified(
                key.key_id,
                X509_ISSUER + root.root_id,
                subject,
                root.root_id,
                chain.valid_from_us,
                chain.valid_to_us,
                min(proved) if proved else None,
                "timestamp" if proved else "",
            )
        )


class _Token(msgspec.Struct):
    type: str = ""
    data: str = ""


class _RawSignature(msgspec.Struct):
    sig: str = ""
    certificate: str | None = None
    cert: str | None = None  # as slsa-github-generator writes it, PEM as it is
    intermediates: list[str] | None = None
    timestamps: list[_Token] | None = None


class _RawEnvelope(msgspec.Struct):
    signatures: list[_RawSignature]


_ENVELOPE = msgspec.json.Decoder(_RawEnvelope)


def _of_envelope(data: bytes) -> list[_Carried]:
    """Source: in-toto Witness, `dsse/dsse.go`: PEM in base64, and tokens of the type `tsp`."""
    try:
        raw = _ENVELOPE.decode(data)
    except msgspec.DecodeError:
        raise MalformedError("The certificates in the envelope can't be read.") from None
    found: list[_Carried] = []
    total = 0
    for number, each in enumerate(raw.signatures):
        where = f"$.signatures[{number}]"
        pem = each.cert.encode() if each.cert else decode_base64(each.certificate or "", where=where)
        if not pem:
            continue
        several = [_read_pem(pem, where)]
        several += [_read_pem(decode_base64(text, where=where), where) for text in each.intermediates or ()]
        tokens = [decode_base64(t.data, where=where) for t in each.timestamps or () if t.type == "tsp"]
        total += len(several)
        if total > MAX_CERTIFICATES or len(tokens) > MAX_TIMESTAMPS:
            raise MalformedError("The envelope carries too many certificates or timestamps.", where=where)
        signature = decode_base64(each.sig, where=where)
        found.append(_Carried(signature, tuple(several), tuple(tokens)))
    return found


class _Bytes(msgspec.Struct, rename="camel"):
    raw_bytes: str = ""


class _Chain(msgspec.Struct):
    certificates: list[_Bytes] = []


class _Stamp(msgspec.Struct, rename="camel"):
    signed_timestamp: str = ""


class _Stamps(msgspec.Struct):
    rfc3161_timestamps: list[_Stamp] | None = msgspec.field(name="rfc3161Timestamps", default=None)


class _Material(msgspec.Struct, rename="camel"):
    certificate: _Bytes | None = None
    x509_certificate_chain: _Chain | None = None
    timestamp_verification_data: _Stamps | None = None


class _Signed(msgspec.Struct):
    signatures: list[_RawSignature] = []


class _Bundle(msgspec.Struct, rename="camel"):
    verification_material: _Material | None = None
    dsse_envelope: _Signed | None = None


_BUNDLE = msgspec.json.Decoder(_Bundle)


def _of_bundle(data: bytes) -> list[_Carried]:
    """Source: Sigstore bundle format (`sigstore_bundle.proto`), `verification_material`."""
    try:
        raw = _BUNDLE.decode(data)
    except msgspec.DecodeError:
        raise MalformedError("The bundle's verification material can't be read.") from None
    material = raw.verification_material or _Material()
    chain = material.x509_certificate_chain.certificates if material.x509_certificate_chain else []
    ders = [each.raw_bytes for each in ([material.certificate] if material.certificate else chain)]
    stamps = material.timestamp_verification_data
    tokens = [each.signed_timestamp for each in (stamps.rfc3161_timestamps or ())] if stamps else []
    signatures = raw.dsse_envelope.signatures if raw.dsse_envelope else []
    if not ders or not signatures:
        return []
    if len(ders) > MAX_CERTIFICATES or len(tokens) > MAX_TIMESTAMPS:
        raise MalformedError("The bundle carries too many certificates or timestamps.")
    where = "$.verificationMaterial"
    certificates = tuple(
        x509_reading.from_der(decode_base64(text, where=where), where=where) for text in ders
    )
    stamped = tuple(decode_base64(text, where=where) for text in tokens)
    signature = decode_base64(signatures[0].sig, where="$.dsseEnvelope.signatures[0]")
    return [_Carried(signature, certificates, stamped)]


def _read_pem(pem: bytes, where: str) -> x509.Certificate:
    return x509_reading.from_pem(pem, where=where)[0]


def _key_id(certificate: x509.Certificate) -> str | None:
    spki = x509_reading.spki(certificate)
    try:
        return load_public(spki).key_id if spki is not None else None
    except LineageError:
        return None

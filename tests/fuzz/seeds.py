"""Small inputs made by code, the same in every run: keys, statements, envelopes, certificates.

Owns: what was signed by whom, so that a target can tell when something else is taken for signed.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE, encode_base64, pae
from lineage.trust.keys import PrivateKey, generate_ed25519

KEYS: tuple[PrivateKey, ...] = tuple(generate_ed25519(bytes([number]) * 32) for number in (1, 2))
DIGEST = "ab" * 32
STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "model.bin", "digest": {"sha256": DIGEST, "gitCommit": "0f" * 20}}],
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {"buildType": "b"},
        "runDetails": {"builder": {"id": "https://b.example"}},
    },
}
LINK: dict[str, Any] = {
    "_type": "link",
    "name": "package",
    "command": ["tar", "zcvf", "foo.tar.gz", "foo.py"],
    "materials": {"foo.py": {"sha256": DIGEST}},
    "products": {"foo.tar.gz": {"sha256": "cd" * 32, "sha512": "ef" * 64}},
    "byproducts": {"return-value": 0, "stdout": "", "stderr": ""},
    "environment": {},
}


def text(document: object) -> bytes:
    """Compact JSON."""
    return json.dumps(document, separators=(",", ":")).encode()


def signature(private: PrivateKey, payload: bytes, keyid: str | None = "own") -> dict[str, str]:
    made = {"sig": encode_base64(private.sign(pae(INTOTO_PAYLOAD_TYPE, payload)))}
    return made if keyid is None else made | {"keyid": private.public.key_id if keyid == "own" else keyid}


def envelope(payload: bytes, *signatures: dict[str, Any], payload_type: str = INTOTO_PAYLOAD_TYPE) -> bytes:
    return text(
        {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": list(signatures),
        }
    )


SIGNED: frozenset[tuple[str, bytes]] = frozenset(
    (INTOTO_PAYLOAD_TYPE, text(payload)) for payload in (STATEMENT, LINK)
)
"""Payload type and payload of everything that `KEYS` ever signed here."""


@cache
def envelopes() -> tuple[bytes, ...]:
    one, two = KEYS
    payload, link = text(STATEMENT), text(LINK)
    return (
        envelope(payload, signature(one, payload)),
        envelope(payload, signature(one, payload, None), signature(two, payload, "")),
        envelope(payload, signature(two, payload, one.public.key_id), signature(one, payload, "my laptop")),
        envelope(link, signature(one, link)),
    )


@cache
def chain() -> tuple[str, str]:
    """PEM of an end certificate for the second key, and of the CA that issued it; valid through 2026."""
    authority = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    end = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    root = _certificate("Fuzz CA", "Fuzz CA", authority, authority, authority=True)
    leaf = _certificate("signer@example.com", "Fuzz CA", end, authority, authority=False)
    return leaf, root


@cache
def other_authority() -> str:
    """PEM of a CA that issued nothing."""
    stranger = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
    return _certificate("Other CA", "Other CA", stranger, stranger, authority=True)


def _certificate(
    subject: str,
    issuer: str,
    key: ed25519.Ed25519PrivateKey,
    by: ed25519.Ed25519PrivateKey,
    *,
    authority: bool,
) -> str:
    def name(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    builder = (
        x509.CertificateBuilder(name(issuer), name(subject), key.public_key(), 1 + authority)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        email = x509.SubjectAlternativeName([x509.RFC822Name(subject)])
        builder = builder.add_extension(email, critical=False)
    return builder.sign(by, None).public_bytes(Encoding.PEM).decode()


@cache
def certified_envelope() -> bytes:
    """As Witness packs it: certificate and intermediates beside the signature, as base64 of PEM."""
    payload = text(STATEMENT)
    leaf, root = chain()
    packed = {"certificate": encode_base64(leaf.encode()), "intermediates": [encode_base64(root.encode())]}
    return envelope(payload, signature(KEYS[1], payload) | packed)


@cache
def bundles() -> tuple[bytes, ...]:
    """Bundles of three versions: with a certificate chain, with one certificate, with a public key."""
    leaf, root = (
        encode_base64(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER))
        for pem in chain()
    )
    entry = {
        "logIndex": "1", "logId": {"keyId": "AAAA"}, "kindVersion": {"kind": "dsse", "version": "0.0.1"},
        "integratedTime": "1767225600", "inclusionPromise": {"signedEntryTimestamp": "AAAA"},
        "inclusionProof": {"logIndex": "0", "rootHash": "AAAA", "treeSize": "1", "hashes": [],
                           "checkpoint": {"envelope": "o\n1\nAAAA\n\n— o AAAA\n"}},
        "canonicalizedBody": "e30=",
    }  # fmt: skip
    materials: tuple[tuple[str, dict[str, Any]], ...] = (
        ("application/vnd.dev.sigstore.bundle+json;version=0.1",
         {"x509CertificateChain": {"certificates": [{"rawBytes": leaf}, {"rawBytes": root}]}}),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", {"certificate": {"rawBytes": leaf}}),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", {"publicKey": {"hint": "key"}}),
    )  # fmt: skip
    return tuple(
        text(
            {
                "mediaType": media_type,
                "verificationMaterial": material
                | {"tlogEntries": [entry], "timestampVerificationData": {"rfc3161Timestamps": []}},
                "dsseEnvelope": json.loads(envelopes()[0]),
            }
        )
        for media_type, material in materials
    )

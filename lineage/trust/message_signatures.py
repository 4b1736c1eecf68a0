"""Sigstore bundles that sign a file's digest instead of a statement, by a public key.

Owns: reading such a bundle, and checking its signature by the digest alone. Does not own: the same by a
certificate (`keyless`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from lineage.errors import MalformedError
from lineage.trust import strictjson
from lineage.trust.dsse import decode_base64
from lineage.trust.keys import PublicKey
from lineage.trust.verify import Outcome, Verdict


class _Digest(msgspec.Struct):
    algorithm: str = ""
    digest: str = ""


class _Message(msgspec.Struct, rename="camel"):
    signature: str
    message_digest: _Digest | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    message_signature: _Message | None = None


_DECODER = msgspec.json.Decoder(_Bundle)


def is_one(data: bytes) -> bool:
    """Whether a bundle signs a file's digest."""
    return b'"messageSignature"' in data and b'"dsseEnvelope"' not in data


def by_keys(data: bytes, artifact: bytes, keys: Sequence[PublicKey]) -> Verdict:
    """Judge the bundle over the file whose SHA-256 is `artifact` (32 raw bytes), by `keys`.

    Raises: MalformedError for a bundle that can't be read.
    Source: Sigstore bundle format (`sigstore_common.proto`), MessageSignature.
    """
    strictjson.check(data, what="bundle")
    try:
        message = _DECODER.decode(data).message_signature
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "This is not a Sigstore bundle") from None
    if message is None:
        raise MalformedError("The bundle signs nothing.")
    told = message.message_digest
    sha256 = told.digest if told is not None and told.algorithm == "SHA2_256" else ""
    if sha256 and decode_base64(sha256, where="$.messageSignature.messageDigest") != artifact:
        return Verdict(Outcome.REFUTED, ("The bundle is about another file.",))
    signature = decode_base64(message.signature, where="$.messageSignature.signature")
    signers = [key.key_id for key in keys if _made(key, artifact, signature)]
    if signers:
        return Verdict(Outcome.VERIFIED, ("The file is signed by a given key.",), {"signers": signers})
    if all(key.algorithm == "ed25519" for key in keys):
        reason = "An Ed25519 key signs the file itself, not its digest, so it could not be checked."
        return Verdict(Outcome.INCONCLUSIVE, (reason,))
    return Verdict(Outcome.REFUTED, ("None of the given keys made the signature.",))


def _made(key: PublicKey, digest: bytes, signature: bytes) -> bool:
    native = serialization.load_der_public_key(key.spki)
    hashed = Prehashed(hashes.SHA256())
    try:
        if isinstance(native, ec.EllipticCurvePublicKey):
            native.verify(signature, digest, ec.ECDSA(hashed))
        elif isinstance(native, rsa.RSAPublicKey):
            native.verify(signature, digest, padding.PKCS1v15(), hashed)
        else:
            return False
    except InvalidSignature:
        return False
    return True

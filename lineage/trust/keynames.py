"""The names that signing tools give to one public key. They are hints in envelopes and prove nothing."""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_SSLIB_SCHEMES = {
    "ed25519": ("ed25519", ("ed25519",)),
    "ecdsa-p256": ("ecdsa", ("ecdsa-sha2-nistp256",)),
    "ecdsa-p384": ("ecdsa", ("ecdsa-sha2-nistp384",)),
    "ecdsa-p521": ("ecdsa", ("ecdsa-sha2-nistp521",)),
    "rsa": (
        "rsa",
        tuple(
            f"rsa{kind}-{digest}"
            for kind in ("ssa-pss", "-pkcs1v15")
            for digest in ("sha256", "sha384", "sha512")
        ),
    ),
}


def names(
    native: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    spki: bytes,
    algorithm: str,
) -> frozenset[str]:
    """Every name under which an envelope may ask for the key.

    - hex SHA-256 of the SPKI, bare or after `sha256:` (ours, and sigstore's);
    - hex SHA-256 of the PEM, with its last newline and without it (Witness);
    - `SHA256:` and the base64 of the SPKI's hash, padded or not;
    - the same of the key in SSH's form (go-securesystemslib's `SHA256KeyID`);
    - securesystemslib's and in-toto's ids.
    """
    pem = native.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    ssh = native.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    spki_hash = hashlib.sha256(spki)
    found = {spki_hash.hexdigest(), f"sha256:{spki_hash.hexdigest()}"}
    found |= {hashlib.sha256(text).hexdigest() for text in (pem, pem.strip())}
    for digest in (spki_hash.digest(), hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()):
        spelled = base64.b64encode(digest).decode("ascii")
        found |= {f"SHA256:{spelled}", f"SHA256:{spelled.rstrip('=')}"}
    if isinstance(native, ed25519.Ed25519PublicKey):
        public = native.public_bytes_raw().hex()
    else:
        public = pem.decode("ascii").strip()
    return frozenset(found | _sslib_names(algorithm, public))


def _sslib_names(algorithm: str, public: str) -> set[str]:
    """Hash of the canonical JSON of the key's description, in its present and its two older forms.

    Source: securesystemslib `compute_default_keyid`; in-toto specification 0.9, section 4.2.
    """
    keytype, schemes = _SSLIB_SCHEMES[algorithm]
    found = set()
    for scheme in schemes:
        for spelled in (public, public + "\n"):
            now: dict[str, object] = {"keytype": keytype, "scheme": scheme, "keyval": {"public": spelled}}
            old = {**now, "keyid_hash_algorithms": ["sha256", "sha512"]}
            for description in (now, old, {**old, "keyval": {"public": spelled, "private": ""}}):
                found.add(hashlib.sha256(_canonical(description)).hexdigest())
    return found


def _canonical(description: dict[str, object]) -> bytes:
    """OLPC canonical JSON: sorted, no space, and a newline in a string stands as it is."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("\\n", "\n").encode("utf-8")

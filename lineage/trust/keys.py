"""Public and private keys: loading, identity, signing one message and checking one signature.

A key's algorithm comes from the key itself, never from a message. Does not own: whether a key is believed
(`policy`), what is signed (`dsse`, `checkpoint`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from lineage.errors import MalformedError
from lineage.trust import ed25519check, keynames
from lineage.trust.digest import sha256_hex
from lineage.trust.ed25519points import is_sound

Native = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
NativePrivate = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
EcdsaEncoding = Literal["der", "raw"]

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # a larger one makes each verification cost milliseconds

_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("ecdsa-p256", hashes.SHA256()),
    "secp384r1": ("ecdsa-p384", hashes.SHA384()),
    "secp521r1": ("ecdsa-p521", hashes.SHA512()),
}
_RSA_HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_RSA_SCHEMES: tuple[tuple[padding.AsymmetricPadding, hashes.HashAlgorithm], ...] = (
    *((padding.PSS(padding.MGF1(h), padding.PSS.AUTO), h) for h in _RSA_HASHES),
    *((padding.PKCS1v15(), h) for h in _RSA_HASHES),
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may verify signatures of exactly one algorithm. Made by `load_public`.

    Attributes:
        key_id: hex SHA-256 of `spki`.
        spki: DER SubjectPublicKeyInfo in its one form, so that one key has one id.
        algorithm: ed25519, ecdsa-p256, ecdsa-p384, ecdsa-p521 or rsa.
        encoding: how the ECDSA signatures of this key are written: "der", or "raw" for r‖s of equal length.
        hints: every name that an envelope may use for it (see `keynames`).
    """

    key_id: str
    spki: bytes
    algorithm: str
    encoding: EcdsaEncoding = "der"
    hints: frozenset[str] = field(init=False, repr=False, compare=False)
    _native: Native = field(init=False, repr=False, compare=False)
    _raw: bytes = field(init=False, repr=False, compare=False)
    """The 32 bytes of an Ed25519 key, else none."""

    def __post_init__(self) -> None:
        """Raises MalformedError where the fields do not belong together."""
        native = _native(self.spki)
        if _spki(native) != self.spki or sha256_hex(self.spki) != self.key_id:
            raise MalformedError("The key id is not the SHA-256 of this key.")
        if _algorithm(native) != self.algorithm:
            raise MalformedError(f"This is not a key of the algorithm {self.algorithm}.")
        if self.encoding != "der" and not self.algorithm.startswith("ecdsa-"):
            raise MalformedError("Only the signatures of ECDSA keys may be written raw.")
        raw = native.public_bytes_raw() if isinstance(native, ed25519.Ed25519PublicKey) else b""
        object.__setattr__(self, "_native", native)
        object.__setattr__(self, "_raw", raw)
        object.__setattr__(self, "hints", keynames.names(native, self.spki, self.algorithm))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """True where `signature` over `message` was made by this key.

        ECDSA: the curve's own hash, then SHA-256 (Witness signs so on every curve). RSA: PSS with any salt,
        then PKCS#1 v1.5, each with SHA-256, SHA-384 and SHA-512.
        """
        native = self._native
        if self._raw:  # asking the library's abstract class costs several times as much
            return ed25519check.verify(cast(ed25519.Ed25519PublicKey, native), self._raw, message, signature)
        assert not isinstance(native, ed25519.Ed25519PublicKey)
        if isinstance(native, rsa.RSAPublicKey):
            return _verify_rsa(native, message, signature)
        return _verify_ecdsa(native, message, signature, self.encoding)

    def fits(self, signature: bytes) -> bool:
        """True where `signature` looks like one of this key, so that trying it may be worth the time."""
        if self._raw:
            return len(signature) == 64
        native = self._native
        assert not isinstance(native, ed25519.Ed25519PublicKey)
        if isinstance(native, rsa.RSAPublicKey):
            return len(signature) == (native.key_size + 7) // 8
        size = (native.curve.key_size + 7) // 8
        if self.encoding == "raw":
            return len(signature) == 2 * size
        # SEQUENCE of two INTEGERs, each with up to one byte of sign and two of tag and length.
        return signature[:1] == b"\x30" and len(signature) <= 2 * (size + 3) + 3

    def pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo."""
        return self._native.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def raw_ed25519(self) -> bytes:
        """The 32 raw bytes of an Ed25519 key.

        Raises:
            MalformedError: it is a key of another algorithm.
        """
        if not self._raw:
            raise MalformedError("This is not an Ed25519 key.")
        return self._raw


def _verify_ecdsa(
    native: ec.EllipticCurvePublicKey, message: bytes, signature: bytes, encoding: EcdsaEncoding
) -> bool:
    if encoding == "raw":
        size = (native.curve.key_size + 7) // 8
        if len(signature) != 2 * size:
            return False
        signature = encode_dss_signature(
            int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        )
    own = _CURVES[native.curve.name][1]
    for algorithm in (own,) if own.name == "sha256" else (own, hashes.SHA256()):
        try:
            native.verify(signature, message, ec.ECDSA(algorithm))
        except InvalidSignature:
            continue
        return True
    return False


def _verify_rsa(native: rsa.RSAPublicKey, message: bytes, signature: bytes) -> bool:
    for scheme, algorithm in _RSA_SCHEMES:
        try:
            native.verify(signature, message, scheme, algorithm)
        except InvalidSignature:
            continue
        return True
    return False


def load_public(data: bytes, ecdsa_encoding: EcdsaEncoding = "der") -> PublicKey:
    """A public key from PEM or DER SubjectPublicKeyInfo. Certificates and private keys are refused.

    `ecdsa_encoding` says how this key's signatures are written; it must be "der" for other keys.

    Raises:
        MalformedError: not such a file, another algorithm or curve, a point that is not on its curve or of
            small order, RSA outside 2048 to 8192 bits or with an even or tiny exponent.
    """
    native = _native(data)
    spki = _spki(native)
    return PublicKey(sha256_hex(spki), spki, _algorithm(native), ecdsa_encoding)


def _native(data: bytes) -> Native:
    """Read and judge a key; the only place where one comes in."""
    try:
        # Tools write what the key is before it, which RFC 7468 section 5.2 lets a reader pass over.
        begin = -1 if data[:1] == b"\x30" else data.find(b"-----BEGIN")
        if begin >= 0:
            block = data[begin:]
            if not block.startswith(b"-----BEGIN PUBLIC KEY-----") or data.count(b"-----BEGIN") > 1:
                raise MalformedError("This is not a public key: one PEM block, PUBLIC KEY, is wanted.")
            key = serialization.load_pem_public_key(block)
        else:
            key = serialization.load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedError("This is not a public key that can be read (PEM or DER SPKI).") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        if not is_sound(key.public_bytes_raw()):
            raise MalformedError(
                "This Ed25519 key is not a sound point: anyone could sign for it, or nobody."
            )
        return key
    if isinstance(key, rsa.RSAPublicKey):
        _judge_rsa(key)
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    raise MalformedError("The key's algorithm is not one of Ed25519, ECDSA P-256, P-384, P-521 and RSA.")


def _judge_rsa(key: rsa.RSAPublicKey) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise MalformedError(
            f"RSA keys have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, this one has {key.key_size}."
        )
    numbers = key.public_numbers()
    # With exponent 1 every message is its own signature. More than 32 bits nobody uses; they only cost time.
    if not 3 <= numbers.e < 1 << 32 or numbers.e % 2 == 0 or numbers.n % 2 == 0:
        raise MalformedError("The RSA key's exponent or modulus is not sound.")


def _spki(native: Native) -> bytes:
    return native.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _algorithm(native: Native) -> str:
    if isinstance(native, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(native, rsa.RSAPublicKey):
        return "rsa"
    return _CURVES[native.curve.name][0]


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs. Its representation never shows the secret."""

    public: PublicKey
    _native: NativePrivate = field(repr=False, compare=False)

    def sign(self, message: bytes) -> bytes:
        """Ed25519: 64 bytes. ECDSA: DER with the curve's own hash. RSA: PSS with SHA-256, salt as long."""
        native = self._native
        if isinstance(native, ed25519.Ed25519PrivateKey):
            return native.sign(message)
        if isinstance(native, rsa.RSAPrivateKey):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return native.sign(message, scheme, hashes.SHA256())
        return native.sign(message, ec.ECDSA(_CURVES[native.curve.name][1]))

    def to_pem(self) -> bytes:
        """PKCS#8 PEM, not encrypted: the caller keeps the file readable by its owner only."""
        return self._native.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def load_private(pem: bytes) -> PrivateKey:
    """A private key from PEM without a password (PKCS#8, or the older forms that OpenSSL writes).

    Raises:
        MalformedError: not such a file, encrypted, or a key that `load_public` would refuse.
    """
    try:
        native = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedError("This is not a private key that can be read (PEM without a password).") from None
    if not isinstance(native, NativePrivate):
        raise MalformedError("The key's algorithm is not one of Ed25519, ECDSA P-256, P-384, P-521 and RSA.")
    public = native.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PrivateKey(load_public(public), native)


def generate_ed25519(seed: bytes | None = None) -> PrivateKey:
    """A new Ed25519 key, or the one that follows from 32 bytes of `seed` (RFC 8032)."""
    if seed is None:
        native = ed25519.Ed25519PrivateKey.generate()
    else:
        native = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return PrivateKey(load_public(_spki(native.public_key())), native)

"""Which keys are read, in which forms, and how they are named."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from securesystemslib.signer._key import SSlibKey

from lineage.errors import MalformedError
from lineage.trust.keys import PublicKey, generate_ed25519, load_private, load_public

from .builders import key
from .native_keys import ALGORITHMS, CURVES, DER, MESSAGE, PEM, native, private, spki


def rsa_spki(n: int, e: int) -> bytes:
    """Written by hand: the library would not make such a key."""

    def tlv(tag: int, value: bytes) -> bytes:
        size = len(value)
        if size < 128:
            length = bytes([size])
        else:
            length = bytes([0x80 + (size.bit_length() + 7) // 8]) + size.to_bytes(
                (size.bit_length() + 7) // 8
            )
        return bytes([tag]) + length + value

    def integer(value: int) -> bytes:
        return tlv(2, value.to_bytes(value.bit_length() // 8 + 1))

    algorithm = tlv(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return tlv(0x30, algorithm + tlv(3, b"\0" + tlv(0x30, integer(n) + integer(e))))


def modulus(bits: int) -> int:
    return (1 << bits) - 159


def test_handwritten_rsa_is_read() -> None:
    numbers = native("rsa").public_key().public_numbers()
    assert rsa_spki(numbers.n, numbers.e) == spki(native("rsa").public_key())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a key",
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        rsa_spki(modulus(1024), 65537),
        rsa_spki(modulus(2047), 65537),
        rsa_spki(modulus(8193), 65537),
        rsa_spki(modulus(16384), 65537),
        rsa_spki(modulus(2048), 1),
        rsa_spki(modulus(2048), 2),
        rsa_spki(modulus(2048), 65536),
        rsa_spki(modulus(2048), (1 << 32) + 1),
        rsa_spki(modulus(2048), modulus(2047)),
        rsa_spki(modulus(2048) - 1, 65537),
        key(1).public.spki + b"\0",
        key(1).public.spki[:-1],
        key(1).public.pem() + key(2).public.pem(),
        spki(ec.derive_private_key(7, ec.SECP256K1()).public_key()),
        spki(ec.derive_private_key(7, ec.SECP224R1()).public_key()),
        spki(ec.derive_private_key(7, ec.BrainpoolP256R1()).public_key()),
        spki(ed448.Ed448PrivateKey.generate().public_key()),
        spki(x25519.X25519PrivateKey.generate().public_key()),
    ],
    ids=map(str, range(24)),  # two of the keys are made at random, and a name stays
)
def test_load_public_refuses(data: bytes) -> None:
    with pytest.raises(MalformedError):
        load_public(data)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_keys_and_certificates_are_no_public_keys(algorithm: str) -> None:
    with pytest.raises(MalformedError, match="PUBLIC KEY"):
        load_public(private(algorithm).to_pem())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, native(algorithm).public_key(), 1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(1))
        .sign(native(algorithm), None if algorithm == "ed25519" else hashes.SHA256())
    )
    for encoding in (PEM, DER):
        with pytest.raises(MalformedError):
            load_public(certificate.public_bytes(encoding))


def test_a_point_off_the_curve_is_refused() -> None:
    good = spki(native("ecdsa-p256").public_key())
    with pytest.raises(MalformedError):
        load_public(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(MalformedError):
        load_public(good[:-64] + bytes(64))


@pytest.mark.parametrize(
    "raw", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32]
)
def test_an_ed25519_key_that_anyone_could_sign_for_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError, match="not a sound point"):
        load_public(key(1).public.spki[:-32] + raw)


def test_the_small_order_key_would_have_verified_a_made_up_signature() -> None:
    """What the refusal is good for: here is the forgery."""
    identity = b"\1" + bytes(31)
    forged = identity + bytes(32)  # R is the neutral element, S is 0
    ed25519.Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"any message at all")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_round_trip(algorithm: str) -> None:
    signer = private(algorithm)
    public = signer.public
    assert public.algorithm == algorithm
    assert public.key_id == hashlib.sha256(spki(native(algorithm).public_key())).hexdigest()
    assert load_public(public.pem()) == load_public(public.spki) == public
    assert load_private(signer.to_pem()).public == public
    signature = signer.sign(MESSAGE)
    assert public.fits(signature)
    assert public.verify(MESSAGE, signature)
    assert not public.verify(MESSAGE + b".", signature)
    assert not public.verify(MESSAGE, signature[:-1] + bytes([signature[-1] ^ 1]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("other", [*ALGORITHMS, "none", "hmac", ""])
def test_a_key_is_never_of_another_algorithm(algorithm: str, other: str) -> None:
    public = private(algorithm).public
    if other == algorithm:
        assert PublicKey(public.key_id, public.spki, other) == public
    else:
        with pytest.raises(MalformedError, match="not a key of the algorithm"):
            PublicKey(public.key_id, public.spki, other)


def test_a_key_id_belongs_to_its_key() -> None:
    one, two = key(1).public, key(2).public
    with pytest.raises(MalformedError, match="key id"):
        PublicKey(two.key_id, one.spki, "ed25519")
    with pytest.raises(MalformedError, match="key id"):
        PublicKey(hashlib.sha256(one.pem()).hexdigest(), one.pem(), "ed25519")


@pytest.mark.parametrize("algorithm", CURVES)
def test_one_key_has_one_id_however_its_point_is_written(algorithm: str) -> None:
    """Else a threshold could be met by one key that was registered twice."""
    public = native(algorithm).public_key()
    whole = spki(public)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    short = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    algorithm_id = whole[: -len(point) - 1]
    start = algorithm_id.index(b"\x30", 2)
    identifier = algorithm_id[start : start + 2 + algorithm_id[start + 1]]
    bits = b"\3" + bytes([len(short) + 1]) + b"\0" + short
    compressed = b"\x30" + bytes([len(identifier + bits)]) + identifier + bits
    assert compressed != whole
    assert load_public(compressed) == load_public(whole)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_hints(algorithm: str) -> None:
    public = private(algorithm).public
    pem = public.pem()
    theirs = SSlibKey.from_crypto(native(algorithm).public_key())
    ssh = (
        native(algorithm)
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    fingerprint = base64.b64encode(hashlib.sha256(base64.b64decode(ssh.split()[1])).digest()).decode()
    spki_hash = base64.b64encode(hashlib.sha256(public.spki).digest()).decode()
    assert public.hints >= {
        public.key_id,
        f"sha256:{public.key_id}",
        hashlib.sha256(pem).hexdigest(),
        theirs.keyid,
        f"SHA256:{spki_hash}",
        f"SHA256:{fingerprint.rstrip('=')}",
    }
    assert "" not in public.hints


def test_hints_of_different_keys_are_different() -> None:
    keys = [private(algorithm).public for algorithm in ALGORITHMS] + [key(n).public for n in range(1, 5)]
    assert len(frozenset().union(*(k.hints for k in keys))) == sum(len(k.hints) for k in keys)


def test_secrets_are_not_shown() -> None:
    signer = generate_ed25519(b"\x42" * 32)
    assert "native" not in repr(signer)
    assert ("42" * 8) not in repr(signer)


def test_generated_keys_differ() -> None:
    assert generate_ed25519().public != generate_ed25519().public


def test_only_ed25519_has_raw_bytes() -> None:
    with pytest.raises(MalformedError, match="not an Ed25519 key"):
        private("rsa").public.raw_ed25519()


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"nonsense",
        key(1).public.pem(),
        native("rsa").private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
        ),
        rsa.generate_private_key(65537, 1024).private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        dsa.generate_private_key(1024).private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        ec.derive_private_key(7, ec.SECP256K1()).private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    ],
    ids=["empty", "nonsense", "public", "encrypted", "short-rsa", "dsa", "other-curve"],
)
def test_load_private_refuses(pem: bytes) -> None:
    with pytest.raises(MalformedError):
        load_private(pem)


@pytest.mark.parametrize("algorithm", [*CURVES, "rsa"])
def test_the_older_form_of_private_keys_is_read(algorithm: str) -> None:
    pem = native(algorithm).private_bytes(
        PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    assert load_private(pem).public == private(algorithm).public


def test_what_stands_before_a_pem_block_is_passed_over() -> None:
    """Tools write there what the key is. Source: RFC 7468 section 5.2."""
    assert load_public(b"Public Key Information:\n\tEd25519\n\n" + key(1).public.pem()) == key(1).public
    with pytest.raises(MalformedError):
        load_public(b"x\n" + key(1).public.pem() + key(2).public.pem())

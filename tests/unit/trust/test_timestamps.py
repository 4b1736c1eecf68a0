"""Timestamps of RFC 3161, made by OpenSSL: they prove when, by a known authority and over one signature."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lineage.errors import MalformedError
from lineage.trust import roots, timestamps
from lineage.trust.certified import MAX_TIMESTAMPS, certified
from lineage.trust.opened import open_signed
from lineage.trust.verify_file import Given, verify_file
from tests import chains, factories, services
from tests.chains import Holder

pytestmark = pytest.mark.service

CONFIGURATION = """
[ tsa ]
default_tsa = one
[ one ]
serial = {folder}/serial
crypto_device = builtin
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
"""
MINUTE = 60_000_000
FAR = 4_000_000_000_000_000
"""µs since the epoch: long after every certificate here is over."""


def authority_of_time(by: Holder, *, begin: int = -1, end: int = 30, purpose: bool = True) -> Holder:
    """A certificate for timestamps that is valid from `begin` to `end`, in days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    use = ExtendedKeyUsageOID.TIME_STAMPING if purpose else ExtendedKeyUsageOID.CODE_SIGNING
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clock")]))
        .issuer_name(by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin * chains.DAY)
        .not_valid_after(now + end * chains.DAY)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=True)
        .sign(by.key, SHA256())
    )
    return Holder(made, key)


@pytest.fixture
def stamp(tmp_path: Path) -> Callable[[bytes, Holder], bytes]:
    """A response of OpenSSL's timestamp authority over a signature."""
    openssl = shutil.which("openssl")
    if openssl is None:
        services.unavailable("openssl is not installed")
    (tmp_path / "serial").write_text("01")
    (tmp_path / "tsa.cnf").write_text(CONFIGURATION.format(folder=tmp_path))

    def run(*arguments: str) -> None:
        subprocess.run(
            [str(openssl), "ts", *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=20
        )

    def made(signature: bytes, by: Holder) -> bytes:
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "clock.pem").write_bytes(by.pem)
        secret = by.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "clock.key").write_bytes(secret)
        run("-query", "-data", "signature", "-sha256", "-cert", "-out", "query")
        run(
            *("-reply", "-config", "tsa.cnf", "-queryfile", "query"),
            *("-signer", "clock.pem", "-inkey", "clock.key", "-out", "reply"),
        )
        return (tmp_path / "reply").read_bytes()

    return made


Stamp = Callable[[bytes, Holder], bytes]
CLOCKS = chains.authority("clocks")
SIGNERS = chains.authority("signers")


def now_us() -> int:
    return int(datetime.datetime.now(datetime.UTC).timestamp() * 1_000_000)


def test_the_moment_is_the_authority_s(stamp: Stamp) -> None:
    before = now_us()
    token = stamp(b"signature", authority_of_time(CLOCKS))
    moment = timestamps.proved_us(token, b"signature", [CLOCKS.certificate])
    assert moment is not None
    assert before - 2 * MINUTE <= moment <= now_us() + 2 * MINUTE  # whole seconds, of the same clock


def test_over_another_signature_it_proves_nothing(stamp: Stamp) -> None:
    token = stamp(b"signature", authority_of_time(CLOCKS))
    assert timestamps.proved_us(token, b"another", [CLOCKS.certificate]) is None


def test_by_an_unknown_authority_it_proves_nothing(stamp: Stamp) -> None:
    token = stamp(b"signature", authority_of_time(CLOCKS))
    assert timestamps.proved_us(token, b"signature", [SIGNERS.certificate]) is None
    assert timestamps.proved_us(token, b"signature", []) is None


@pytest.mark.parametrize(("begin", "end"), [(-20, -10), (10, 20)])
def test_by_an_authority_that_was_not_valid_it_proves_nothing(stamp: Stamp, begin: int, end: int) -> None:
    token = stamp(b"signature", authority_of_time(CLOCKS, begin=begin, end=end))
    assert timestamps.proved_us(token, b"signature", [CLOCKS.certificate]) is None


def test_an_altered_token_proves_nothing(stamp: Stamp) -> None:
    whole = stamp(b"signature", authority_of_time(CLOCKS))
    for at in range(0, len(whole), 7):
        token = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        with contextlib.suppress(MalformedError):
            moment = timestamps.proved_us(token, b"signature", [CLOCKS.certificate])
            assert moment is None or certifies_the_same(token, whole), at


def certifies_the_same(token: bytes, whole: bytes) -> bool:
    """Whether only what nobody signed differs: the moment is the one that was signed."""
    known = [CLOCKS.certificate]
    return timestamps.proved_us(token, b"signature", known) == timestamps.proved_us(
        whole, b"signature", known
    )


BROKEN = {
    "a version that there is not": (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x0a"),
    "an extension twice": (b"\x55\x1d\x25", b"\x55\x1d\x13"),
    "an algorithm that there is not": (b"\x2a\x86\x48\xce\x3d\x02\x01", b"\x2a\x86\x48\xce\x3d\x02\x7f"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_certificate_in_it_that_can_not_be_read(stamp: Stamp, why: str) -> None:
    token = stamp(b"signature", authority_of_time(CLOCKS))
    old, new = BROKEN[why]
    assert old in token
    assert timestamps.proved_us(token.replace(old, new), b"signature", [CLOCKS.certificate]) is None


def test_a_response_without_a_token_proves_nothing() -> None:
    assert timestamps.proved_us(b"", b"signature", [CLOCKS.certificate]) is None
    rejected = bytes.fromhex("30053003020102")
    assert timestamps.proved_us(rejected, b"signature", [CLOCKS.certificate]) is None


@pytest.mark.parametrize("token", [b"\x30\x00", b"\x30\x84\xff\xff\xff\xff", b"x" * 100])
def test_what_is_no_token(token: bytes) -> None:
    with pytest.raises(MalformedError, match="RFC 3161"):
        timestamps.proved_us(token, b"signature", [CLOCKS.certificate])


def test_one_that_is_too_large() -> None:
    with pytest.raises(MalformedError, match="too large"):
        timestamps.proved_us(b"\x30" * (timestamps.MAX_BYTES + 1), b"signature", [CLOCKS.certificate])


# In envelopes


def stamped(stamp: Stamp, by: Holder, signer: Holder, times: int = 1) -> bytes:
    """An envelope with a timestamp over its signature, as Witness writes it."""
    value: dict[str, Any] = json.loads(signer.envelope(factories.statement(factories.artifact("model"))))
    (signature,) = value["signatures"]
    token = base64.b64encode(stamp(base64.b64decode(signature["sig"]), by)).decode()
    signature["timestamps"] = [{"type": "tsp", "data": token}] * times
    return json.dumps(value).encode()


def given(*more: roots.Root) -> Given:
    return Given(at_us=FAR, roots=(roots.load("x509", SIGNERS.pem), *more))


def test_a_certificate_that_is_over_signed_in_its_time(stamp: Stamp) -> None:
    data = stamped(stamp, authority_of_time(CLOCKS), chains.holder("builder", SIGNERS))
    clocks = roots.load("timestamp", CLOCKS.pem)
    (one,) = certified(open_signed(data), given(clocks).roots).certified
    assert one.proved_by == "timestamp"
    verdict = verify_file(data, given(clocks))
    assert verdict.outcome.value == "verified"
    assert "timestamp proves" in verdict.reasons[0]


def test_without_its_authority_the_present_counts(stamp: Stamp) -> None:
    data = stamped(stamp, authority_of_time(CLOCKS), chains.holder("builder", SIGNERS))
    (one,) = certified(open_signed(data), given().roots).certified
    assert (one.proved_us, one.proved_by) == (None, "")
    assert verify_file(data, given()).outcome.value == "refuted"
    # An authority for signers vouches for no clock: roots are of one kind each.
    assert verify_file(data, given(roots.load("timestamp", SIGNERS.pem))).outcome.value == "refuted"


def test_a_certificate_that_was_over_when_it_signed_stays_so(stamp: Stamp) -> None:
    ended = datetime.datetime.now(datetime.UTC) - 9 * chains.DAY
    data = stamped(stamp, authority_of_time(CLOCKS), chains.holder("b", SIGNERS, days=5, start=ended))
    clocks = roots.load("timestamp", CLOCKS.pem)
    assert verify_file(data, given(clocks)).outcome.value == "refuted"


def test_too_many_timestamps(stamp: Stamp) -> None:
    holder = chains.holder("builder", SIGNERS)
    data = stamped(stamp, authority_of_time(CLOCKS), holder, MAX_TIMESTAMPS + 1)
    with pytest.raises(MalformedError, match="too many"):
        certified(open_signed(data), given().roots)

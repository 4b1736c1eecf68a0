"""Certificates whose faults a library would tell of only later, in the middle of something else."""

from __future__ import annotations

import base64

import pytest

from lineage.errors import MalformedError
from lineage.trust import roots, x509_reading
from tests.certificates import issue

DER = base64.b64decode("".join(issue("signer").pem.split("-----")[2].split()))
PEM = issue("authority").pem.encode()

BROKEN = {
    "a name that is not UTF-8": DER.replace(b"signer", b"sig\xff\xfer"),
    "a version that there is not": DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07"),
    "a month that there is not": DER.replace(b"\x17\x0d2", b"\x17\x0d9", 1).replace(
        b"\x17\x0d", b"\x17\x0c", 1
    ),
    "an end that comes early": DER[:-3],
    "bytes after its end": DER + b"\0",
    "nothing": b"",
}


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", BROKEN)
def test_a_certificate_that_can_not_be_read_whole(name: str) -> None:
    with pytest.raises(MalformedError):
        x509_reading.from_der(BROKEN[name], where="$")
    with pytest.raises(MalformedError):
        x509_reading.from_pem(PEM + pem(BROKEN[name]))
    with pytest.raises(MalformedError):
        roots.load("x509", PEM + pem(BROKEN[name]))


def test_a_key_that_can_not_be_read_is_none() -> None:
    point = DER.index(b"\x03\x42\x00\x04")  # a bit string: the uncompressed point of a P-256 key
    certificate = x509_reading.from_der(DER[: point + 3] + b"\x05" + DER[point + 4 :])
    assert x509_reading.public_key(certificate) is None
    assert x509_reading.spki(certificate) is None


def test_good_ones() -> None:
    certificate = x509_reading.from_der(DER)
    assert x509_reading.from_pem(pem(DER) + PEM)[0] == certificate
    assert x509_reading.spki(certificate) is not None

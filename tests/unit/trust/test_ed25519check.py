"""No verdict depends on whether libsodium or OpenSSL answers, on the inputs by which implementations differ.

Source: "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko); RFC 8032 section 5.1.7.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from lineage.trust import ed25519check
from lineage.trust.keys import generate_ed25519

Point = tuple[int, int]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ZERO: Point = (0, 1)


def plus(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(n: int, point: Point) -> Point:
    found = ZERO
    while n:
        if n & 1:
            found = plus(found, point)
        point, n = plus(point, point), n >> 1
    return found


def at(y: int, sign: int) -> Point | None:
    squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(squared, (P + 3) // 8, P)
    if (x * x - squared) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - squared) % P:
        return None
    return (P - x if x % 2 != sign else x), y


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


@cache
def base() -> Point:
    found = at(4 * pow(5, -1, P) % P, 0)
    assert found is not None
    return found


@cache
def torsion() -> tuple[Point, ...]:
    """The eight points whose order divides 8."""
    y = 2
    while True:
        point = at(y, 0)
        if point is not None and times(4, small := times(L, point)) != ZERO:
            return tuple(times(n, small) for n in range(8))
        y += 1


def challenge(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def signed(secret: int, nonce: int, key: bytes, r: bytes, message: bytes) -> bytes:
    """Whatever `key` and `r` are said to be, S is made as if they were those of `secret` and `nonce`."""
    s = (nonce + challenge(r, key, message) * secret) % L
    return r + s.to_bytes(32, "little")


Case = tuple[bytes, bytes, bytes]


@cache
def mixed() -> tuple[Case, ...]:
    """Keys and R off by a point of small order: one in eight suits who doesn't multiply by the cofactor."""
    return tuple(_mixed())


def _mixed() -> Iterator[Case]:
    for off_r, r_point in enumerate(torsion()):
        for off_key, key_point in enumerate(torsion()):
            secret, nonce = challenge(b"s%d" % off_r), challenge(b"n%d" % off_key)
            key = encoded(plus(times(secret, base()), key_point))
            r = encoded(plus(times(nonce, base()), r_point))
            for number in range(3):
                message = b"%d" % number
                yield key, message, signed(secret, nonce, key, r, message)


def small() -> Iterator[Case]:
    """Keys and R of small order, also in encodings that are not the canonical one."""
    points = [encoded(point) for point in torsion()]
    odd = [(y + P).to_bytes(32, "little") for y in (0, 1)] + [
        (y | 1 << 255).to_bytes(32, "little") for y in (0, 1, P - 1, P, P + 1)
    ]
    for key in points + odd:
        for r in points + odd:
            for number in range(2):
                message = b"%d" % number
                yield key, message, r + bytes(32)
                yield key, message, r + L.to_bytes(32, "little")


def honest() -> Case:
    private = generate_ed25519(b"\5" * 32)
    return private.public.raw_ed25519(), b"a message", private.sign(b"a message")


def malleable() -> Iterator[Case]:
    """A good signature with S and R written otherwise, cut and prolonged."""
    key, message, signature = honest()
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    for multiple in range(1, 16):
        if s + multiple * L < 1 << 256:
            yield key, message, r + (s + multiple * L).to_bytes(32, "little")
    for bit in range(253, 256):
        yield key, message, r + (s | 1 << bit).to_bytes(32, "little")
    yield key, message, bytes(32) + signature[32:]
    yield key, message, (P + 1).to_bytes(32, "little") + signature[32:]
    yield key, message, signature[:-1]
    yield key, message, signature + b"\0"
    yield key, message, b""
    # Where the ends of signature and message are not held apart, these are the good signature.
    yield key, message[1:], signature + message[:1]
    yield key, signature[-1:] + message, signature[:-1]
    yield key, signature + message, b""


def openssl(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def ours(key: bytes, message: bytes, signature: bytes) -> bool:
    return ed25519check.verify(Ed25519PublicKey.from_public_bytes(key), key, message, signature)


def sodium(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return len(signature) == 64


@pytest.mark.parametrize("cases", [mixed, small, malleable])
def test_the_verdict_is_that_of_openssl(cases: object) -> None:
    assert callable(cases)
    told = [(openssl(*case), ours(*case), sodium(*case)) for case in cases()]
    assert [b for _, b, _ in told] == [a for a, _, _ in told]
    assert not [case for case in told if case[2] and not case[0]]  # libsodium takes nothing beyond


def test_the_cases_tell_implementations_apart() -> None:
    told = {(openssl(*case), sodium(*case)) for case in (*mixed(), *small())}
    assert told == {(True, True), (False, False), (True, False)}


@given(st.binary(max_size=200), st.integers(0, 511), st.sampled_from(["signature", "key", "none"]))
def test_both_agree_on_what_was_signed_and_altered(message: bytes, bit: int, where: str) -> None:
    private = generate_ed25519(b"\6" * 32)
    key, signature = bytearray(private.public.raw_ed25519()), bytearray(private.sign(message))
    changed = {"signature": signature, "key": key, "none": bytearray(1)}[where]
    place = bit // 8 % len(changed)
    changed[place] ^= 1 << bit % 8
    case = bytes(key), message, bytes(signature)
    assert ours(*case) == openssl(*case) == (where == "none")


@pytest.mark.parametrize("size", [0, ed25519check.LARGE_BYTES - 1, ed25519check.LARGE_BYTES])
def test_messages_of_each_size(size: int) -> None:
    private = generate_ed25519(b"\7" * 32)
    message = bytes(size)
    signature = private.sign(message)
    assert private.public.verify(message, signature)
    assert not private.public.verify(message + b"\0", signature)
    assert not private.public.verify(message, signature[:-1] + bytes([signature[-1] ^ 1]))


_TOLD = """
from lineage.trust import ed25519check
from lineage.trust.keys import generate_ed25519
private = generate_ed25519(b"8" * 32)
signature = private.sign(b"message")
print(ed25519check._sodium() is None, private.public.verify(b"message", signature),
      private.public.verify(b"massage", signature))
"""


@pytest.mark.parametrize(
    ("before", "without"),
    [
        ("", "False"),
        ("import sys; sys.modules['nacl'] = None", "True"),
        ("import nacl.bindings; nacl.bindings.crypto_sign_open = lambda signed, key: signed[64:]", "True"),
    ],
    ids=["installed", "absent", "takes too much"],
)
def test_a_library_that_is_absent_or_takes_more_is_not_used(before: str, without: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", before + _TOLD], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [without, "True", "False"]

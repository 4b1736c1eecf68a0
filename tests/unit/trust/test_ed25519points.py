from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lineage.trust import ed25519points
from lineage.trust.ed25519points import is_sound

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P

# The eight points of small order and their encodings that are not the one form, as libsodium lists them.
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("text", SMALL_ORDER)
@pytest.mark.parametrize("sign", [0, 0x80])
def test_small_order_is_refused(text: str, sign: int) -> None:
    raw = bytearray.fromhex(text)
    raw[31] |= sign
    assert not is_sound(bytes(raw))


def _root(square: int) -> int | None:
    x: int = pow(square, (P + 3) // 8, P)
    if x * x % P != square % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if x * x % P == square % P else None


def _add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def test_the_listed_points_are_of_small_order_and_no_others_are() -> None:
    """Eight times a point of small order is the neutral element; there are eight points with five y's."""
    points = set()
    for y in ed25519points._SMALL_ORDER_Y:
        x = _root((y * y - 1) * pow(D * y * y + 1, -1, P))
        assert x is not None
        for point in ((x, y), (-x % P, y)):
            doubled = _add(point, point)
            assert _add(_add(doubled, doubled), _add(doubled, doubled)) == (0, 1)
            points.add(point)
    assert len(points) == 8


def test_beyond_the_field_is_refused() -> None:
    assert not is_sound((P + 4).to_bytes(32, "little"))
    assert not is_sound(bytes([255] * 32))


@given(st.integers(2, P - 2))
def test_exactly_points_on_the_curve(y: int) -> None:
    on_curve = _root((y * y - 1) * pow(D * y * y + 1, -1, P)) is not None
    assert is_sound(y.to_bytes(32, "little")) == (on_curve and y not in ed25519points._SMALL_ORDER_Y)


@given(st.binary(min_size=32, max_size=32))
def test_every_honest_key_is_sound(seed: bytes) -> None:
    assert is_sound(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())

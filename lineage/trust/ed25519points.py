"""Which 32 bytes are an Ed25519 public key that only its owner can sign for.

Source: RFC 8032 section 5.1.3 (decoding points); "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko).
"""

from __future__ import annotations

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})
"""The y of the eight points whose order divides 8: under them one signature fits many messages."""


def is_sound(raw: bytes) -> bool:
    """True for the one encoding of a point that is on the curve and not of small order."""
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    if y >= _P or y in _SMALL_ORDER_Y:
        return False
    # x² = (y² - 1) / (d·y² + 1) must have a root (Euler's criterion); it is 0 only for small orders.
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P)
    return pow(x_squared, (_P - 1) // 2, _P) == 1

"""What the machine itself does just now, which figures are multiples of: one Ed25519 verification of 3 KB.

By `cryptography`, whatever the product verifies with: figures of all times are multiples of the same.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from functools import cache
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BLOCK_BYTES = 1 << 24


def best() -> float:
    """Seconds, the least of many."""
    return min(timed(_verification()) for _ in range(3000))


def typical() -> float:
    """Seconds, the median of some within 0.1 s: a shared machine is slower for minutes at a time."""
    return median(timed(_verification()) for _ in range(700))


def said(before: float, after: float) -> str:
    """What `typical` was before and after a measurement."""
    return f"a verification {before * 1e6:.0f} µs before, {after * 1e6:.0f} after"


def hashed_a_second() -> float:
    """Bytes a second through SHA-256, the best of five passes over the same block."""
    block = os.urandom(BLOCK_BYTES)
    return len(block) / min(timed(lambda: hashlib.sha256(block)) for _ in range(5))


@cache
def _verification() -> Callable[[], object]:
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    message = os.urandom(3000)
    signature = key.sign(message)
    return lambda: public.verify(signature, message)


def timed(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin

"""What the machine itself does just now, which figures are multiples of: one Ed25519 verification of 3 KB.

By `cryptography`, whatever the product verifies with: figures of all times are multiples of the same. It
needs no memory but the processor's own, so beside it stands a step through more than that: on shared machines
that is what others take away.
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from array import array
from collections.abc import Callable
from functools import cache
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BLOCK_BYTES = 1 << 24
PLACES = 1 << 21
"""Of eight bytes each: 16 MB."""
STEPS = 100_000


def best() -> float:
    """Seconds, the least of many."""
    return min(timed(_verification()) for _ in range(3000))


def typical() -> float:
    """Seconds, the median of some within 0.1 s: a shared machine is slower for minutes at a time."""
    return median(timed(_verification()) for _ in range(700))


def now() -> str:
    """Both, as they are at this moment; within 0.15 s."""
    return f"a verification {typical() * 1e6:.0f} µs, a step in memory {memory_step() * 1e9:.0f} ns"


def memory_step() -> float:
    """Seconds for reading one of 2 million places that the one before named, with the interpreter's part."""
    following, place = _following(), random.randrange(PLACES)
    begin = time.perf_counter()
    for _ in range(STEPS):
        place = following[place]
    return (time.perf_counter() - begin) / STEPS


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


@cache
def _following() -> array[int]:
    """For each place the next one: a cycle through all of them in an order that no processor foresees.

    A linear congruential generator of full period. Source: Knuth, The Art of Computer Programming 2, 3.2.1.2,
    theorem A.
    """
    return array("q", ((1_103_515_245 * place + 12_345) % PLACES for place in range(PLACES)))

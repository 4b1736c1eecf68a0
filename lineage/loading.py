"""Loading code without looking for garbage meanwhile, which takes a fifth of the time and finds next to none.

Modules make many objects, nearly all of which stay: each search goes through most of them again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unsearched() -> Iterator[None]:
    """Import within the block; garbage is looked for again behind it, where it was before."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()

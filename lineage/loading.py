"""Loading many objects that stay without looking for garbage meanwhile, which finds next to none.

Each search goes through most of them again: a fifth of the time of importing modules, half of what a rebuild
of the graph takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unsearched() -> Iterator[None]:
    """Import, or fill a memory, within the block; behind it garbage is looked for again, if it was before."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()

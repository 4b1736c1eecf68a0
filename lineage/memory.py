"""How a process with many threads takes memory from the system, and gives it back.

Owns: the settings of the two allocators of a web process: the C library's, and jemalloc, which granian has
built in for the bodies that it reads and the answers that it sends; how often a process that stays looks for
cycles of objects. Does not own: what is allocated.
Elsewhere than with glibc the first stays as it is; only how much memory stays with the process changes then.

Measured (docs/performance.md): with their defaults both keep what the largest request of each thread needed.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`. Source: glibc's malloc.h."""
ARENAS = 2
"""Places to allocate from. By default each thread gets its own, and keeps what was ever needed in it."""
LARGE_BYTES = 1 << 16
"""Allocations from this on are mapped by themselves, and are the system's again once they are freed: bodies,
their lines, answers. By default the threshold rises to 32 MiB with the largest that was freed."""
KEPT_BYTES = 1 << 20
"""How much free memory stays at the end of the heap."""

JEMALLOC = "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0"
"""One place for all threads; what is freed is the system's again at once. By default that takes 10 s, and a
thread that goes on allocating. Source: jemalloc(3), opt.narenas, opt.dirty_decay_ms."""
_JEMALLOC_VARIABLE = "_RJEM_MALLOC_CONF"
"""Where the crate that granian is built with reads its settings. Source: tikv-jemallocator, README."""


COLLECT_AFTER = 20_000
"""New objects between two looks for cycles: a set of 10,000 lines makes millions, a batch of the graph tens
of thousands, nearly none in a cycle. With Python's own 700 a worker spent a fifth of its time on that, and
went through all that was ever loaded at once.
"""
GIVE_BACK_SECONDS = 5.0
"""Between two times that what was freed within the heap is given back, which allocating alone never does."""


def collect_seldom() -> None:
    """Look for cycles seldom, and never among what is there now. To be called once everything is loaded."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def before_granian() -> None:
    """Set granian's allocator, in this process and those that it starts. Call it before granian is imported;
    what the environment says already stays."""
    os.environ.setdefault(_JEMALLOC_VARIABLE, JEMALLOC)


def be_thrifty() -> None:
    """Set the allocator of this process. Call it before threads allocate: their places are made then."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    for parameter, value in (
        (_ARENA_MAX, ARENAS),
        (_MMAP_THRESHOLD, LARGE_BYTES),
        (_TRIM_THRESHOLD, KEPT_BYTES),
    ):
        mallopt(parameter, value)


def give_back_for_ever() -> None:
    """Start the thread that gives freed memory back. A set of attestations leaves some 20 MB in pieces behind
    what is still used, and nothing else would return them. Whoever allocates meanwhile waits: 10 ms at most
    then, and 0.2 ms where there is nothing to give."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        threading.Thread(target=_give_back, args=(trim,), name="memory", daemon=True).start()


def _give_back(trim: Callable[[int], int]) -> None:
    while True:
        time.sleep(GIVE_BACK_SECONDS)
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None

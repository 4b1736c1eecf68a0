"""That a web process gives back what it has freed: in a process of its own, whose heap is nobody else's."""

from __future__ import annotations

import subprocess
import sys

_HOLES = """
import re, time
from pathlib import Path
from lineage import memory

def held():
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"^Private_\\w+:\\s+(\\d+) kB", text, re.M))

memory.be_thrifty()
memory.GIVE_BACK_SECONDS = 0.05
before = held()
pieces = [bytes(1000) for _ in range(40_000)]  # too large for Python's own allocator
kept = pieces[::400]  # what stays lies between what is freed
del pieces
freed = held()
memory.give_back_for_ever()
while held() - before > (freed - before) / 4:
    time.sleep(0.05)
assert freed - before > 30_000, "there was something to give back"
print(len(kept))
"""


def test_what_was_freed_between_what_is_used_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HOLES], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "100\n"), done.stderr

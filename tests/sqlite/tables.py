"""The SQLite file that has all tables and nothing in them, made once for all processes of a run of tests.

Each of them needs one, and so does each installation that tests start; to migrate takes more than a second of
computing. Owns: the file, which lies in the home of the process that began the run (tests/settings.py).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def path() -> Path:
    """It need not be there yet."""
    return Path(os.environ["TESTS_TOGETHER"]) / "tables.sqlite3"


@contextmanager
def alone() -> Iterator[None]:
    """Who makes it is in this block, and the others wait for it."""
    with open(path().with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Processes that a process of the tests has started, directly or through others."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lineage.processes import descendants


def running(module: str) -> list[int]:
    """Those whose command line names the module."""
    found = []
    for process in descendants(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):
            if module.encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                found.append(process)
    return found

"""A disk of its own, small, that a test fills: a tmpfs which only the processes see that run `inside` it.

Owns: the mount, which goes with the last of its processes, and filling. Does not own: who uses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PLACE = "/mnt"
"""Where it is, for those inside: a folder that every machine has and any user may pass."""
_FILLER = "filler"


@dataclass(frozen=True)
class SmallDisk:
    """`inside`: what is written before a command that is to have it at `PLACE`. `seen`: it, from outside."""

    inside: tuple[str, ...]
    seen: Path

    def fill(self) -> None:
        """Until not one more block is to be had."""
        with open(self.seen / _FILLER, "ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    continue

    def make_room(self) -> None:
        (self.seen / _FILLER).unlink()


@contextmanager
def small_disk(megabytes: int) -> Iterator[SmallDisk]:
    """Skips the test where this user may mount nothing."""
    own = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    script = f"mount -t tmpfs -o size={megabytes}m,mode=0777 none {PLACE} && echo mounted && exec cat"
    if not all(map(shutil.which, ("unshare", "nsenter", "mount"))):
        pytest.skip("unshare, nsenter and mount are needed for a small disk (Debian: util-linux)")
    holder = subprocess.Popen(
        ["unshare", *own, "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if holder.stdout.readline() != b"mounted\n":
                pytest.skip(f"nothing can be mounted here: {holder.stderr.read().decode().strip()}")
            enter = ("--user", "--preserve-credentials") if own else ()
            inside = ("nsenter", "--target", str(holder.pid), *enter, "--mount", f"--wd={PLACE}", "--")
            yield SmallDisk(inside, Path(f"/proc/{holder.pid}/root{PLACE}"))
        finally:
            holder.stdin.close()  # `cat` ends, and the mount with it

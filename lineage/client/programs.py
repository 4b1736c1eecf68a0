"""Outside programs that are asked for a fact: with a time limit, without input, and never in the way.

Owns: starting and ending them. Does not own: what they are asked (`host_facts`, `code_facts`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

MAX_ANSWER_BYTES = 1 << 20


def answer(
    command: Sequence[str], *, seconds: float, folder: str | None = None, env: Mapping[str, str] | None = None
) -> str | None:
    """What a program says; None where it is missing, fails, says too much or takes longer than `seconds`."""
    try:
        done = subprocess.run(  # noqa: S603 the callers' own commands
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode != 0 or len(done.stdout) > MAX_ANSWER_BYTES:
        return None
    return done.stdout.decode("utf-8", "replace").strip()


def answer_sha256(
    command: Sequence[str], *, seconds: float, folder: str | None = None, env: Mapping[str, str] | None = None
) -> str | None:
    """SHA-256 (hex) of all that a program says, however much; None as in `answer`."""
    try:
        process = subprocess.Popen(  # noqa: S603 the callers' own commands
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None
    limit = threading.Timer(seconds, process.kill)
    limit.daemon = True
    limit.start()
    digest = hashlib.sha256()
    try:
        with process:
            assert process.stdout is not None
            while chunk := process.stdout.read(1 << 16):
                digest.update(chunk)
    finally:
        limit.cancel()
        with suppress(OSError):
            process.kill()
    return digest.hexdigest() if process.returncode == 0 else None

"""A trace of a crash test (tests/crash/trace.py) as a module for TLC, and its verdict."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.crash.trace import Trace
from tests.spec import tlc

CONFIGURATION = """SPECIFICATION TraceSpec
CONSTANTS
  Statements <- Digests
  Workers = {w1}
  MaxCrashes = 1000000
  MaxTokens = 1
INVARIANTS NoAcknowledgedLost Dense NothingTwice WatermarkNotAhead CheckpointsCover CheckpointsAgree
PROPERTIES NeverBack
"""


def replayed(trace: Trace, folder: Path, *, seconds: int = 120) -> tlc.Answer:
    """Whether the trace is a behaviour of the specification; `folder` is for TLC's files.

    Raises: what `tlc.check` and `Trace.events` raise.
    """
    for name in ("Log.tla", "LogTrace.tla"):
        shutil.copy(tlc.SPECIFICATIONS / name, folder)
    (folder / "TraceData.tla").write_text(_module(list(_steps(trace.events()))), encoding="utf-8")
    return tlc.check(folder, "LogTrace", CONFIGURATION, seconds=seconds)


def _steps(events: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each look after the steps that lead to it. Answers wait for the next look, which must show them."""
    size, covered, projected = 0, 0, 0
    answers: list[str] = []
    for event in events:
        if event["event"] == "ack":
            answers.append(f'[op |-> "ack", {_entry(event["index"], event["digest"])}]')
        elif event["event"] == "crash":
            yield '[op |-> "crash"]'
        else:
            fresh = [(i, digest) for i, digest in event["entries"] if i >= size]
            yield from (f'[op |-> "commit", {_entry(i, digest)}]' for i, digest in fresh)
            yield from answers
            answers = []
            sizes = [n for n in event["checkpoints"] if n > covered]
            yield from (f'[op |-> "publish", size |-> {int(n)}]' for n in sizes)
            if event["projected"] > projected:
                yield f'[op |-> "project", to |-> {int(event["projected"])}]'
            yield _look(event)
            size, covered, projected = size + len(fresh), max([covered, *sizes]), event["projected"]
    yield from answers


def _look(event: dict[str, Any]) -> str:
    entries = ", ".join(f"[{_entry(i, digest)}]" for i, digest in event["entries"])
    sizes = ", ".join(str(int(n)) for n in event["checkpoints"])
    return (
        f'[op |-> "look", head |-> {int(event["head"])}, entries |-> {{{entries}}},'
        f" checkpoints |-> {{{sizes}}}, projected |-> {int(event['projected'])}]"
    )


def _entry(index: int, digest: str) -> str:
    if not re.fullmatch("[0-9a-f]{1,64}", digest):
        raise ValueError(f"not a digest: {digest!r}")
    return f'index |-> {int(index)}, what |-> "{digest}"'


def _module(steps: Sequence[str]) -> str:
    digests = sorted(set(re.findall(r'what \|-> "([0-9a-f]+)"', "".join(steps))))
    names = ", ".join(f'"{digest}"' for digest in digests)
    events = ",\n  ".join(steps)
    return f"---- MODULE TraceData ----\nEvents == <<\n  {events}\n>>\nDigests == {{{names}}}\n====\n"

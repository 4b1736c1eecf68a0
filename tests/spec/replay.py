"""Traces of crash tests (tests/crash/trace.py) as a module for TLC, and its verdict on each of them.

Owns: which steps of the specification an event stands for. Starting TLC takes longer than a trace, so it is
started once for many.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.crash.trace import Trace
from tests.spec import tlc

CONFIGURATION = """SPECIFICATION TraceSpec
CHECK_DEADLOCK FALSE
CONSTANTS
  Statements = {}
  Workers = {w1}
  MaxCrashes = 1000000
  MaxTokens = 1
PROPERTIES NeverBack
"""
_CAME_TO = re.compile(r'<<"trace", (\d+), "came to", (\d+)>>')


def replayed(traces: Sequence[Trace], folder: Path, *, seconds: int = 120) -> list[str]:
    """For each trace "" where it is a behaviour of the specification, else the first event that is none.

    `folder` is for TLC's files.

    Raises: what `tlc.check` and `Trace.events` raise.
    """
    for name in ("Log.tla", "LogTrace.tla"):
        shutil.copy(tlc.SPECIFICATIONS / name, folder)
    told = [_Steps(number, trace.events()) for number, trace in enumerate(traces, 1)]
    (folder / "TraceData.tla").write_text(_module(told), encoding="utf-8")
    answer = tlc.check(folder, "LogTrace", CONFIGURATION, seconds=seconds)
    assert not answer.refuted, answer.text
    came_to = dict.fromkeys(range(1, len(told) + 1), 0)
    for number, at in _CAME_TO.findall(answer.text):
        came_to[int(number)] = max(came_to[int(number)], int(at))
    return [_first_wrong(steps.all, came_to[steps.number]) for steps in told]


def _first_wrong(steps: Sequence[str], came_to: int) -> str:
    return "" if came_to == len(steps) else f"step {came_to + 1} of {len(steps)}: {steps[came_to]}"


class _Steps:
    """The steps of a trace. `log`: the digests as its last look has them, by which most of it can be said."""

    def __init__(self, number: int, events: Sequence[dict[str, Any]]) -> None:
        self.number = number
        looks = [event["entries"] for event in events if event["event"] == "look"]
        self.log = [_digest(digest) for _, digest in (looks[-1] if looks else [])]
        self.all = [*self._of(events), '[op |-> "end"]']

    def _of(self, events: Sequence[dict[str, Any]]) -> Iterator[str]:
        """Each look after the steps that lead to it. Answers wait for the next look, which must show them."""
        size, covered, projected = 0, 0, 0
        told: list[str] = []
        for event in events:
            if event["event"] == "ack":
                told.append(_entry(event["index"], event["digest"]))
            elif event["event"] == "crash":
                yield '[op |-> "crash"]'
            else:
                yield from self._commits([(i, digest) for i, digest in event["entries"] if i >= size])
                yield from _told(told)
                told = []
                sizes = [n for n in event["checkpoints"] if n > covered]
                yield from (f'[op |-> "publish", size |-> {int(n)}]' for n in sizes)
                if event["projected"] > projected:
                    yield f'[op |-> "project", to |-> {int(event["projected"])}]'
                yield self._look(event)
                size = max([size, *(i + 1 for i, _ in event["entries"])])
                covered, projected = max([covered, *sizes]), event["projected"]
        yield from _told(told)

    def _commits(self, fresh: Sequence[tuple[int, str]]) -> Iterator[str]:
        """What follows without a gap is one commit."""
        while fresh:
            first = fresh[0][0]
            end = next((n for n, (index, _) in enumerate(fresh, first) if index != n), first + len(fresh))
            together = [digest for _, digest in fresh[: end - first]]
            fresh = fresh[end - first :]
            if together == self.log[first:end]:
                what = f"SubSeq(Log{self.number}, {first + 1}, {end})"
            else:
                what = f"<<{', '.join(_text(digest) for digest in together)}>>"
            yield f'[op |-> "commit", index |-> {int(first)}, what |-> {what}]'

    def _look(self, event: dict[str, Any]) -> str:
        entries = event["entries"]
        place = 0
        while place < min(len(entries), len(self.log)) and entries[place] == [place, self.log[place]]:
            place += 1
        others = ", ".join(_entry(index, digest) for index, digest in entries[place:])
        sizes = ", ".join(str(int(n)) for n in event["checkpoints"])
        return (
            f'[op |-> "look", head |-> {int(event["head"])},'
            f" entries |-> First(Log{self.number}, {place}) \\union {{{others}}},"
            f" checkpoints |-> {{{sizes}}}, projected |-> {int(event['projected'])}]"
        )


def _told(entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f'[op |-> "told", entries |-> {{{", ".join(entries)}}}]'


def _entry(index: int, digest: str) -> str:
    return f"[index |-> {int(index)}, what |-> {_text(digest)}]"


def _text(digest: str) -> str:
    return f'"{_digest(digest)}"'


def _digest(digest: str) -> str:
    if not re.fullmatch("[0-9a-f]{1,64}", digest):
        raise ValueError(f"not a digest: {digest!r}")
    return digest


def _module(traces: Sequence[_Steps]) -> str:
    lines = [
        "---- MODULE TraceData ----",
        "EXTENDS Integers, Sequences",
        "First(log, count) == {[index |-> i - 1, what |-> log[i]] : i \\in 1..count}",
    ]
    for steps in traces:
        lines.append(f"Log{steps.number} == <<{', '.join(map(_text, steps.log))}>>")
        events = ",\n  ".join(steps.all)
        lines.append(f"Events{steps.number} == <<\n  {events}\n>>")
    lines.append(f"Traces == <<{', '.join(f'Events{steps.number}' for steps in traces)}>>")
    return "\n".join([*lines, "====", ""])

"""Which line of a JSON text a member stands in, so that what is wrong can be shown where it is.

Pure. Owns: finding it. Does not own: whether the text is JSON, or what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]', re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")
_PLACE = re.compile(r"line (\d+)")


def line_of(text: str, where: str) -> int | None:
    """The line (from 1) of a path such as `$.rules[1].every.full`, or of `line 3, column 5`.

    Where the whole path is not in the text, the line of its last part that is; None where none is.
    """
    told = _PLACE.match(where)
    if told:
        return int(told[1])
    wanted = [name or index for name, index in _STEP.findall(where)]
    best: tuple[int, int] | None = None
    for path, position in _members(text, len(wanted)):
        deep = _shared(path, wanted)
        if deep == len(path) and (best is None or deep > best[0]):
            best = deep, text.count("\n", 0, position) + 1
    return None if best is None else best[1]


def _shared(path: list[str], wanted: list[str]) -> int:
    count = 0
    for step, asked in zip(path, wanted, strict=False):
        if asked not in (step, "..."):
            break
        count += 1
    return count


def _members(text: str, deepest: int) -> Iterator[tuple[list[str], int]]:
    """Members and items with their path and position, in order; none that is below `deepest` steps."""
    steps: list[str | int] = []
    key = ""
    for token in _TOKEN.finditer(text):
        mark, position = token[0], token.start()
        if mark in "{[":
            steps.append("" if mark == "{" else 0)
            if mark == "{":
                continue
        elif mark in "}]":
            if steps:
                steps.pop()
            continue
        elif mark == "," and steps and isinstance(steps[-1], int):
            steps[-1] += 1
            position = token.end()
        elif mark == ":" and steps and isinstance(steps[-1], str):
            steps[-1] = key
        else:
            key = mark[1:-1] if mark.startswith('"') else key
            continue
        if len(steps) <= deepest:
            yield [str(step) for step in steps], position

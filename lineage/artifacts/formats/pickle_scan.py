"""Whether loading a pickle is unsafe, as picklescan and fickling see its instructions.

Owns: starting the process that asks them, its limits, and the verdict in words. Does not own: finding the
pickles in a file (`pickles`).

Unsafe if either says so. What fickling says of a module for no other reason than that it doesn't belong to
Python's standard library does not count where picklescan knows every global of the pickle as harmless (its
arrays and tensors); otherwise no array could be kept in a pickle. A pickle too large for fickling is
judged by picklescan alone, and then every global that it doesn't know as harmless makes it unsafe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.artifacts.formats.base import label
from lineage.errors import InconclusiveError

WALL_SECONDS = 120
FICKLING_BYTES = 1 << 20
FICKLING_INSTRUCTIONS = 250_000
FICKLING_REMEMBERED = 90_000
"""fickling takes seconds for a megabyte, and calls a pickle that fills its memo malicious for that alone."""

_LIKELY_UNSAFE = 3
_OF_MODULES = frozenset({"NonStandardImports", "OvertlyBadEval"})
_IMPORTING = frozenset({"NonStandardImports", "UnsafeImports", "UnsafeImportsML", "ScannerDeactivation"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One pickle to examine, condensed. `where` is how a sentence names it."""

    where: str
    content: bytes
    instructions: int
    remembered: int
    imports: bool

    @property
    def for_fickling(self) -> bool:
        return (
            len(self.content) <= FICKLING_BYTES
            and self.instructions <= FICKLING_INSTRUCTIONS
            and self.remembered <= FICKLING_REMEMBERED
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """`globals` are what the pickle imports, `module.name`; `fickling` is False where it was not asked, or
    gave up at its own limits."""

    where: str
    unsafe: tuple[str, ...]
    globals: tuple[str, ...]
    fickling: bool


def judge(candidates: Sequence[Candidate]) -> list[Judged]:
    """What is said of each pickle.

    Raises: InconclusiveError where the examiners are not installed, or didn't come to an end within limits.
    """
    if not candidates:
        return []
    answers = iter(_ask(candidates))
    judged = []
    for candidate in candidates:
        scan = next(answers)
        judged.append(_judge(candidate, scan, next(answers) if candidate.for_fickling else None))
    return judged


def _ask(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    frames = b"".join(
        len(one.content).to_bytes(8, "little") + (b"1" if one.for_fickling else b"0") + one.content
        for one in candidates
    )
    # -P: nothing that lies in the folder one stands in is imported. As a file: it starts in half the time.
    command = [sys.executable, "-P", str(Path(__file__).with_name("pickle_child.py"))]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=frames, capture_output=True, timeout=WALL_SECONDS, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise InconclusiveError(
            f"Its pickles could not be examined within {WALL_SECONDS} seconds."
        ) from error
    if b"ModuleNotFoundError" in done.stderr:
        raise InconclusiveError(
            "Pickles are examined by picklescan and fickling.", hint="Install lineage[formats]."
        )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]
    if done.returncode or len(answers) != sum(1 + one.for_fickling for one in candidates):
        raise InconclusiveError("Its pickles could not be examined within the limits of time and memory.")
    return answers


def _environment() -> dict[str, str]:
    """As it is, but that the same pickle is always told in the same words: fickling makes names of hashes."""
    return {**os.environ, "PYTHONHASHSEED": "0"}


def _judge(candidate: Candidate, scan: dict[str, Any], more: dict[str, Any] | None) -> Judged:
    looked = more is not None and not more["limited"]
    words = {(module, name): word for module, name, word in scan["globals"]}
    said: dict[str, list[str]] = {}
    for (module, name), word in words.items():
        if word == "dangerous" or (word != "innocuous" and not looked):
            said.setdefault(f"imports {label(f'{module}.{name}')}", []).append("picklescan")
    if candidate.imports and not words and not (more and more["imports"]):
        said["imports something that can't be told"] = ["picklescan"]
    if more is not None and looked:
        harmless = {pair for pair, word in words.items() if word == "innocuous"}
        known = not scan.get("error") and {(m, n) for m, n in more["imports"]} <= harmless == words.keys()
        for what in dict.fromkeys(_from_fickling(more, known)):
            said.setdefault(what, []).append("fickling")
    unsafe = tuple(f"{candidate.where} {what} (found by {' and '.join(who)})" for what, who in said.items())
    return Judged(candidate.where, unsafe, tuple(f"{m}.{n}" for m, n in sorted(words)), looked)


def _from_fickling(found: dict[str, Any], known: bool) -> Iterator[str]:
    """What it does, a clause each. `known` where every global is known as harmless."""
    if "error" in found:
        yield "makes no sense, as pickles do that hide something"
    for severity, analysis, trigger, message in found["findings"]:
        if severity < _LIKELY_UNSAFE or (known and severity == _LIKELY_UNSAFE and analysis in _OF_MODULES):
            continue
        if analysis in _IMPORTING and trigger.startswith("from ") and " import " in trigger:
            module, _, name = trigger.removeprefix("from ").partition(" import ")
            yield f"imports {label(f'{module}.{name}')}"
        elif analysis == "OvertlyBadEval" and trigger:
            yield f"calls {label(trigger)} when it is loaded"
        else:
            yield _PLAIN.get(analysis) or _plain(message)


_PLAIN = {
    "DuplicateProtoAnalysis": "says twice which protocol it has, as altered pickles do",
    "MisplacedProtoAnalysis": "says in its middle which protocol it has, as altered pickles do",
    "ExpansionAttackAnalysis": "repeats its values as often as pickles do that are made to use up memory",
}


def _plain(message: str) -> str:
    if "invalid opcode" in message or "malformed opcode" in message:
        return "holds bytes that are no instructions, so that what follows can't be judged"
    return f"is found unsafe: {label(message.partition('; ')[0])}"

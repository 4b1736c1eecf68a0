"""The configurations of the specification, and the faults that TLC must find in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.spec import tlc

INVARIANTS = (
    *("NoAcknowledgedLost", "Dense", "NothingTwice", "WatermarkNotAhead", "CheckpointsCover"),
    *("CheckpointsAgree", "OneEntryAJob", "JobDone"),
)
LIVENESS = ("AllAnswered", "AllPublished", "AllProjected", "JobEnds")


@dataclass(frozen=True, slots=True)
class Model:
    """How much there is of everything, and what is checked."""

    statements: int
    workers: int
    crashes: int
    tokens: int
    invariants: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    def configuration(self) -> str:
        return "\n".join(
            [
                "SPECIFICATION Spec",
                "CHECK_DEADLOCK FALSE",
                "CONSTANTS",
                f"Statements = {{{', '.join(f's{n}' for n in range(self.statements))}}}",
                f"Workers = {{{', '.join(f'w{n}' for n in range(self.workers))}}}",
                f"MaxCrashes = {self.crashes}",
                f"MaxTokens = {self.tokens}",
                *(f"INVARIANT {name}" for name in self.invariants),
                *(f"PROPERTY {name}" for name in self.properties),
                "",
            ]
        )


SAFETY = Model(1, 2, 1, 2, INVARIANTS, ("NeverBack",))
LIVE = Model(1, 1, 1, 1, (), LIVENESS)
LARGE = (
    Model(2, 2, 2, 2, INVARIANTS, ("NeverBack",)),
    Model(1, 2, 1, 2, (), LIVENESS),
    Model(2, 1, 1, 1, (), LIVENESS),
)

_SIGNED = "checkpoints' = checkpoints \\union {[size |-> size, tree |-> Tree(size)]}"
_OTHER = "\\E t \\in {Tree(size), {}} : checkpoints' = checkpoints \\union {[size |-> size, tree |-> t]}"

FAULTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "NoAcknowledgedLost",
        (
            (
                "UNCHANGED <<durable, sent, acked>>",
                "entries' = {} /\\ head' = 0 /\\ "
                "UNCHANGED <<checkpoints, projected, graph, job, sent, acked>>",
            ),
        ),
    ),
    ("Dense", (("/\\ head' = head + count", "/\\ head' = head"),)),
    ("NothingTwice", (("Orders(batch \\ Whats)", "Orders(batch)"),)),
    ("WatermarkNotAhead", (("IF reading[w].from = projected", "IF TRUE"),)),
    ("CheckpointsCover", (("/\\ size <= head\n", "\n"), ("size \\in 1..head :", "size \\in 1..head + 1 :"))),
    ("CheckpointsAgree", (("/\\ size > Published", "/\\ size >= Published"), (_SIGNED, _OTHER))),
    ("OneEntryAJob", (("  /\\ job.step = None\n", ""),)),
    ("JobDone", (("!.step = head]", "!.step = head + 1]"),)),
    ("NeverBack", (("/\\ size > Published\n", "\n"),)),
    ("AllAnswered", (("WF_vars(Answer(s)) /\\ ", ""),)),
    ("AllPublished", (("  /\\ WF_vars(Publish(head))\n", ""),)),
    ("AllProjected", ((" /\\ WF_vars(ProjectWrite(w))", ""),)),
    ("JobEnds", (("WF_vars(Take(w)) /\\ ", ""),)),
)
"""What is to be refuted, and what is written instead of what in the specification."""


def check(model: Model, folder: Path, *, seconds: int, workers: int = 1) -> tlc.Answer:
    shutil.copy(tlc.SPECIFICATIONS / "Log.tla", folder)
    return tlc.check(folder, "Log", model.configuration(), seconds=seconds, workers=workers)


def check_fault(name: str, changes: tuple[tuple[str, str], ...], folder: Path, *, seconds: int) -> tlc.Answer:
    """The same with a fault in the specification; only property `name` is looked at."""
    text = (tlc.SPECIFICATIONS / "Log.tla").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"the specification has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    (folder / "Log.tla").write_text(text, encoding="utf-8")
    if name in LIVENESS:
        model = Model(1, 1, 0, 1, (), (name,))
    elif name == "NeverBack":
        model = Model(1, 2, 1, 2, (), (name,))
    else:
        model = Model(1, 2, 1, 2, (name,))
    return tlc.check(folder, "Log", model.configuration(), seconds=seconds)

"""The configurations of the specifications, and the faults that TLC must find in them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.spec import tlc


@dataclass(frozen=True, slots=True)
class Model:
    """A module with how much there is of everything (`constants`), and what is checked."""

    module: str
    constants: Mapping[str, int | Sequence[str]]
    invariants: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    def configuration(self) -> str:
        return "\n".join(
            [
                "SPECIFICATION Spec",
                "CHECK_DEADLOCK FALSE",
                "CONSTANTS",
                *(f"{name} = {_value(value)}" for name, value in self.constants.items()),
                *(f"INVARIANT {name}" for name in self.invariants),
                *(f"PROPERTY {name}" for name in self.properties),
                "",
            ]
        )

    def only(self, name: str) -> Model:
        """The same, of which only this property is looked at."""
        chosen = (name,)
        return replace(
            self,
            invariants=chosen if name in self.invariants else (),
            properties=() if name in self.invariants else chosen,
        )


def _value(value: int | Sequence[str]) -> str:
    return str(value) if isinstance(value, int) else f"{{{', '.join(value)}}}"


def _log(statements: int, workers: int, crashes: int, tokens: int) -> Mapping[str, int | Sequence[str]]:
    return {
        "Statements": [f"s{n}" for n in range(statements)],
        "Workers": [f"w{n}" for n in range(workers)],
        "MaxCrashes": crashes,
        "MaxTokens": tokens,
    }


def _epochs(entries: int, backups: int, restores: int, crashes: int) -> Mapping[str, int]:
    return {"MaxEntries": entries, "MaxBackups": backups, "MaxRestores": restores, "MaxCrashes": crashes}


def _forgetting(statements: int, workers: int, crashes: int) -> Mapping[str, int | Sequence[str]]:
    return {
        "Statements": [f"s{n}" for n in range(statements)],
        "Workers": [f"w{n}" for n in range(workers)],
        "MaxCrashes": crashes,
    }


_LOG = (
    *("NoAcknowledgedLost", "Dense", "NothingTwice", "WatermarkNotAhead", "CheckpointsCover"),
    *("CheckpointsAgree", "OneEntryAJob", "JobDone"),
)
_LOG_LIVE = ("AllAnswered", "AllPublished", "AllProjected", "JobEnds")
_EPOCHS = ("OneTreeOneName", "LossIsSaid", "NamesGrow", "FileIsSigned")
_FORGETTING = ("OnlyDecidedIsGone", "NothingTwice", "MarkIsTrue", "GraphShowsNothingErased", "GraphIsWhole")

SMALL: Mapping[str, Model] = {
    "log": Model("Log", _log(1, 2, 1, 2), _LOG, ("NeverBack",)),
    "log-live": Model("Log", _log(1, 1, 1, 1), (), _LOG_LIVE),
    "epochs": Model("Epochs", _epochs(2, 2, 2, 1), _EPOCHS, ("NothingWhileLost",)),
    "epochs-live": Model("Epochs", _epochs(2, 1, 1, 1), (), ("Heals", "Covered")),
    "forgetting": Model("Forgetting", _forgetting(2, 1, 1), _FORGETTING, ("LeavesStay", "NothingComesBack")),
    "forgetting-live": Model("Forgetting", _forgetting(1, 1, 1), (), ("DecidedGoes", "Followed")),
}
"""What CI checks: every property of every module is in one of them."""

LARGE = (
    Model("Log", _log(2, 2, 2, 2), _LOG, ("NeverBack",)),
    Model("Log", _log(1, 2, 1, 2), (), _LOG_LIVE),
    Model("Log", _log(2, 1, 1, 1), (), _LOG_LIVE),
    Model("Epochs", _epochs(4, 2, 3, 1), _EPOCHS, ("NothingWhileLost",)),
    Model("Epochs", _epochs(3, 2, 2, 1), (), ("Heals", "Covered")),
    Model("Forgetting", _forgetting(2, 3, 2), _FORGETTING, ("LeavesStay", "NothingComesBack")),
    Model("Forgetting", _forgetting(2, 2, 1), (), ("DecidedGoes", "Followed")),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What `name` must refute: `changes` of the model's module, from what stands there to what is written."""

    model: str
    name: str
    changes: tuple[tuple[str, str], ...]

    @property
    def id(self) -> str:
        return f"{self.model}-{self.name}"


_SIGNED = "checkpoints' = checkpoints \\union {[size |-> size, tree |-> Tree(size)]}"
_OTHER = "\\E t \\in {Tree(size), {}} : checkpoints' = checkpoints \\union {[size |-> size, tree |-> t]}"

_LOG_FAULTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
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

_EPOCH_FAULTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    # A number that only counts on from what is here was used in what is lost.
    ("OneTreeOneName", (("Max({Epoch(log), high.epoch}) + 1", "Epoch(log) + 1"),)),
    # The file's limit, as it is told: killed before it was written, and an older state put back then.
    ("OneTreeOneName", (("/\\ Filed /\\ unfiled = None", "/\\ unfiled = None"),)),
    ("OneTreeOneName", (("/\\ size > Published /\\ size >= Began(log)", "/\\ size > Published"),)),
    ("LossIsSaid", (("/\\ ~Holds(high)", "/\\ high.size > Published"),)),
    ("NamesGrow", (("Max({Epoch(log), high.epoch}) + 1", "2"),)),
    ("FileIsSigned", (("THEN high' = unfiled /", "THEN high' = [unfiled EXCEPT !.size = 9] /"),)),
    ("NothingWhileLost", (("  /\\ ~RolledBack /\\ used < MaxEntries", "  /\\ used < MaxEntries"),)),
    ("Heals", ((" /\\ WF_vars(NewEpoch)", ""),)),
    ("Covered", ((" /\\ WF_vars(Publish(Len(log)))", ""),)),
)

_FORGETTING_FAULTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("OnlyDecidedIsGone", (("/\\ Redaction(s) \\in Range(log) /\\ s \\notin gone", "/\\ s \\notin gone"),)),
    ("NothingTwice", (("IF fresh = {} THEN log ELSE", "IF Len(log) > 3 THEN log ELSE"),)),
    ("MarkIsTrue", (("bytes' = bytes \\ {s} /\\ gone'", "bytes' = bytes /\\ gone'"),)),
    # The watermark alone does not tell whose rows it is of.
    ("GraphShowsNothingErased", (("IF graph = working[w].seen", "IF graph.to = working[w].seen.to"),)),
    ("GraphIsWhole", (("!.to = working[w].to, !.rows", "!.to = Len(log), !.rows"),)),
    (
        "LeavesStay",
        (
            (
                "UNCHANGED <<log, graph, working, crashes>>",
                "log' = <<>> /\\ UNCHANGED <<graph, working, crashes>>",
            ),
        ),
    ),
    ("NothingComesBack", (("bytes' = bytes \\union fresh", "bytes' = bytes \\union {s}"),)),
    ("DecidedGoes", (("\\A s \\in Statements : WF_vars(Erase(s))", "TRUE"),)),
    ("Followed", (("  /\\ WF_vars(Reset)\n", ""),)),
)

FAULTS = (
    *(Fault("log", name, changes) for name, changes in _LOG_FAULTS),
    *(Fault("epochs", name, changes) for name, changes in _EPOCH_FAULTS),
    *(Fault("forgetting", name, changes) for name, changes in _FORGETTING_FAULTS),
)


def check(model: Model, folder: Path, *, seconds: int, workers: int = 1) -> tlc.Answer:
    shutil.copy(tlc.SPECIFICATIONS / f"{model.module}.tla", folder)
    return tlc.check(folder, model.module, model.configuration(), seconds=seconds, workers=workers)


def check_fault(fault: Fault, folder: Path, *, seconds: int) -> tlc.Answer:
    """The small model with the fault in it, of which only what must find it is looked at."""
    live = SMALL[f"{fault.model}-live"]
    model = (live if fault.name in live.properties else SMALL[fault.model]).only(fault.name)
    text = (tlc.SPECIFICATIONS / f"{model.module}.tla").read_text(encoding="utf-8")
    for old, new in fault.changes:
        assert text.count(old) == 1, f"the specification has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    (folder / f"{model.module}.tla").write_text(text, encoding="utf-8")
    return tlc.check(folder, model.module, model.configuration(), seconds=seconds)

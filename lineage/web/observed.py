"""What was seen on MLflow, in words: rows of a table, each change with what was before and after.

Owns wording and what is cut. Does not own: which observations there are (`lineage.services.observations`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lineage.graph.model import EdgeType
from lineage.predicates.mlflow_reading import Change
from lineage.services.lineage_records import Neighbour, NodeRecord, NodeSummary
from lineage.services.observed_entries import Observed

SHOWN_CHANGES = 20
"""Of one observation; the entry's own page has all."""

THINGS: Mapping[str, str] = {
    "experiment": "Experiment",
    "run": "Run",
    "run-files": "Files of the run",
    "run-lineage": "What the run used and made",
    "logged-model": "Logged model",
    "logged-model-files": "Files of the model",
    "registered-model": "Registered model",
    "model-version": "Model version",
    "dataset": "Dataset",
}
"""By kind of object."""

FIELDS: Mapping[str, str] = {
    "tags": "Tag",
    "params": "Parameter",
    "metrics": "Metric",
    "datasets": "Dataset",
    "models_in": "Base model",
    "models_out": "Model made",
    "files": "File",
    "aliases": "Alias",
    "source": "Source",
    "state": "State on MLflow",
    "times": "Time",
    "used": "What it used",
    "generated": "What it made",
    "more": "Not listed",
}
"""By a change's field; any other is shown as MLflow calls it."""

STATES: Mapping[str, str] = {
    "present": "present",
    "deleted": "deleted on MLflow",
    "purged": "no longer on MLflow",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One change; `before` and `after` are None where there was, or is, none."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One observation. Without `lines` the sentence `plain` says what it was."""

    observed: Observed
    thing: str
    plain: str
    lines: Sequence[Line]
    more: int

    @property
    def span(self) -> int:
        """How many lines of the table it takes."""
        return len(self.lines) + bool(self.more) or 1


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was observed, and that the pipeline's own statement leaves out."""

    node: NodeSummary
    words: str


def rows(observed: Iterable[Observed]) -> list[Row]:
    return [_row(each) for each in observed]


def differences(node: NodeRecord) -> list[Difference]:
    """Where a run that a pipeline signed was observed to have used or made something else.

    As `graph.status` judges it: digests are compared with digests of their kind, names with nothing.
    """
    if "observed-differs" not in node.reasons:
        return []
    sides: tuple[tuple[Sequence[Neighbour], str, str], ...] = (
        (node.causes, EdgeType.USED, "used"),
        (node.effects, EdgeType.WAS_GENERATED_BY, "made"),
    )
    found = []
    for neighbours, type, words in sides:
        named = [each for each in neighbours if each.type == type]
        schemes = {_scheme(each) for each in named if each.trust == "signed"}
        found += [
            Difference(each.node, words)
            for each in named
            if each.trust == "observed" and _scheme(each) in schemes - {"uri"}
        ]
    return found


def _scheme(neighbour: Neighbour) -> str:
    return neighbour.node.key.partition(":")[0]


NAMING = frozenset({"model-version", "registered-model"})
"""Kinds that say which bytes they name, once those were hashed."""


def _row(observed: Observed) -> Row:
    lines = [_line(change) for change in observed.changes[:SHOWN_CHANGES]]
    return Row(
        observed=observed,
        thing=_thing(observed),
        plain=_plain(observed),
        lines=lines,
        more=len(observed.changes) - len(lines),
    )


def _thing(observed: Observed) -> str:
    if not observed.readable:
        return "Not readable"
    return THINGS.get(observed.kind, observed.kind.replace("-", " ").capitalize())


def _plain(observed: Observed) -> str:
    if not observed.readable:
        return "The bytes of this entry are not stored here any more, or not understood"
    state = STATES.get(observed.state, observed.state)
    if observed.first:
        return f"First seen, {state}"
    if observed.kind in NAMING:
        return "Its bytes are known now"  # an entry that changes nothing else
    return f"Seen again, {state}; what is recorded of it has no change that can be shown"


def _line(change: Change) -> Line:
    words = FIELDS.get(change.field, change.field.replace("_", " ").capitalize())
    return Line(f"{words} {change.name}".rstrip(), change.before, change.after)

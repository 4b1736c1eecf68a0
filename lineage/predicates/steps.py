"""What our statements about one step (fine-tuning, merging, converting …) have in common.

Owns: their shared members, the run that each of them is, and that what it made was derived from its parents.
Does not own: which inputs a kind of step has. A step is the same run as in `training-run:v1` where builder
and invocation are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lineage.graph.model import EdgeType
from lineage.predicates.artifact_refs import Descriptor, references
from lineage.predicates.base import Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import Machine, machines, paired, rows, told_machines
from lineage.predicates.runs import made, run, used
from lineage.predicates.wire import MAX_REFERENCES, Wire, limited, required, utc
from lineage.trust.statement import Statement


class Builder(Wire, frozen=True):
    id: str


class Step(Wire, frozen=True, kw_only=True):
    """Base of the predicates that tell of one step."""

    builder: Builder | None = None
    invocation_id: str = ""
    name: str = ""
    description: str = ""
    started_on: str = ""
    finished_on: str = ""
    hardware: tuple[Machine, ...] = ()
    parameters: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


def _builder(told: Step) -> str:
    return required(told.builder.id, where="$.predicate.builder.id") if told.builder else ""


def step(delta: Delta, statement: Statement, told: Step, activity: str) -> str:
    """Enter the step's run with its machines; returns its node key.

    Raises:
        MalformedError: a builder without id, a time or machine that is none.
        TooLargeError: too many machines.
    """
    limited(told.hardware, MAX_REFERENCES, where="$.predicate.hardware")
    key = run(
        delta,
        statement,
        builder=_builder(told),
        invocation=told.invocation_id,
        name=told.name,
        activity=activity,
        started=utc(told.started_on, where="$.predicate.startedOn"),
        ended=utc(told.finished_on, where="$.predicate.finishedOn"),
    )
    delta.detail(key, "Description", told.description)
    machines(delta, key, told.hardware, where="$.predicate.hardware")
    return key


def step_used(
    delta: Delta, key: str, told: Step, listed: Sequence[Descriptor], *, where: str, role: str
) -> tuple[str, ...]:
    """The step used these; returns their node keys. Raises as `references`."""
    keys = references(delta, listed, where=where, role=role)
    used(delta, key, _builder(told), zip(keys, (each.uri or "" for each in listed), strict=True))
    return keys


def step_made(
    delta: Delta,
    key: str,
    told: Step,
    statement: Statement,
    subjects: tuple[str, ...],
    parents: Iterable[str],
) -> None:
    """The step made the subjects, each of which was derived from each parent. Raises TooLargeError."""
    named = zip(subjects, (each.uri for each in statement.subjects), strict=True)
    made(delta, key, _builder(told), named)
    for parent in dict.fromkeys(parents):
        for subject in subjects:
            delta.edge(subject, EdgeType.WAS_DERIVED_FROM, parent)


def told_step(told: Step) -> Rows:
    """The shared members as rows."""
    return rows(
        ("Step", told.name),
        ("Built by", _builder(told)),
        ("Invocation", told.invocation_id),
        ("Description", told.description),
        ("Started", utc(told.started_on, where="$.predicate.startedOn")),
        ("Finished", utc(told.finished_on, where="$.predicate.finishedOn")),
        ("Parameters", paired(told.parameters)),
    ) + told_machines(told.hardware)

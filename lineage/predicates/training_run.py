"""Our `training-run:v1`: one run of any kind (training, evaluation, conversion …), its inputs and machines.

The subjects are what the run made. Source: docs/predicates/training-run.md.
"""

from __future__ import annotations

import re

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Machine, machines, paired, rows, told_machines
from lineage.predicates.outputs import Output, output_roles
from lineage.predicates.runs import made, run, used
from lineage.predicates.speakers import of_run
from lineage.predicates.wire import (
    MAX_REFERENCES,
    NO_MEMBERS,
    Wire,
    limited,
    members,
    object_only,
    read,
    required,
    utc,
)
from lineage.trust.statement import Statement

_ACTIVITY = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_PARAMETERS, _METRICS = "$.predicate.parameters", "$.predicate.metrics"
MAX_ACTIVITY = 40
"""Characters of an activity."""


class _Builder(Wire, frozen=True):
    id: str


class _TrainingRun(Wire, frozen=True):
    builder: _Builder
    activity: str
    invocation_id: str = ""
    name: str = ""
    description: str = ""
    started_on: str = ""
    finished_on: str = ""
    inputs: tuple[Descriptor, ...] = ()
    outputs: tuple[Output, ...] = ()
    hardware: tuple[Machine, ...] = ()
    parameters: msgspec.Raw = NO_MEMBERS
    metrics: msgspec.Raw = NO_MEMBERS


_DECODER = msgspec.json.Decoder(_TrainingRun)


def _read(statement: Statement) -> _TrainingRun:
    told = read(_DECODER, statement.predicate)
    object_only(told.parameters, where=_PARAMETERS)
    object_only(told.metrics, where=_METRICS)
    limited(told.hardware, MAX_REFERENCES, where="$.predicate.hardware")
    required(told.builder.id, where="$.predicate.builder.id")
    if len(told.activity) > MAX_ACTIVITY or not _ACTIVITY.fullmatch(told.activity):
        raise MalformedError(
            f"An activity is a word such as training or fine-tuning, at most {MAX_ACTIVITY} characters.",
            where="$.predicate.activity",
        )
    return told


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = _read(statement)
    delta, subjects = opening(statement, signer)
    key = run(
        delta,
        statement,
        builder=told.builder.id,
        invocation=told.invocation_id,
        name=told.name,
        activity=told.activity,
        started=utc(told.started_on, where="$.predicate.startedOn"),
        ended=utc(told.finished_on, where="$.predicate.finishedOn"),
    )
    delta.detail(key, "Description", told.description)
    made(delta, key, told.builder.id, zip(subjects, (each.uri for each in statement.subjects), strict=True))
    if told.outputs:
        output_roles(delta, statement, subjects, told.outputs)
    keys = references(delta, told.inputs, where="$.predicate.inputs")
    used(delta, key, told.builder.id, zip(keys, (each.uri or "" for each in told.inputs), strict=True))
    machines(delta, key, told.hardware, where="$.predicate.hardware")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    told = _read(statement)
    heading = rows(
        ("Activity", told.activity),
        ("Run", told.name),
        ("Built by", told.builder.id),
        ("Invocation", told.invocation_id),
        ("Description", told.description),
        ("Started", utc(told.started_on, where="$.predicate.startedOn")),
        ("Finished", utc(told.finished_on, where="$.predicate.finishedOn")),
    )
    figures = rows(
        ("Parameters", paired(members(told.parameters, where=_PARAMETERS))),
        ("Results", paired(members(told.metrics, where=_METRICS))),
    )
    return heading + told_all("Used", told.inputs) + told_machines(told.hardware) + figures


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:training-run:v1",),
    slug="training-run",
    title="Training run",
    summary="Says what a run (training, evaluation …) made, from what, and on which machines.",
    project=_project,
    describe=_describe,
    schema="training-run.json",
    example="training-run.json",
    materials=("inputs",),
    speaks_for=of_run,
)

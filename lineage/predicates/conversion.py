"""Our `conversion:v1`: one model was quantised, pruned or brought into another format.

Source: docs/predicates/conversion.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.speakers import of_run
from lineage.predicates.steps import Step, step, step_made, step_used, told_step
from lineage.predicates.wire import Wire, read
from lineage.trust.statement import Statement


class _Form(Wire, frozen=True):
    """Such as `{"format": "gguf", "precision": "Q4_K_M"}`."""

    format: str = ""
    precision: str = ""


class _Conversion(Step, frozen=True):
    source: Descriptor
    operation: Literal["quantise", "convert", "prune"]
    role: Literal["model", "adapter"] = "model"
    method: str = ""
    before: _Form = msgspec.field(default_factory=_Form, name="from")
    after: _Form = msgspec.field(default_factory=_Form, name="to")
    calibration: tuple[Descriptor, ...] = ()


_DECODER = msgspec.json.Decoder(_Conversion)


def _worded(form: _Form) -> str:
    return " ".join(filter(None, (form.format, form.precision)))


def _facts(told: _Conversion) -> Rows:
    return rows(("Method", told.method), ("From", _worded(told.before)), ("To", _worded(told.after)))


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = read(_DECODER, statement.predicate)
    delta, subjects = opening(statement, signer, role=told.role)
    key = step(delta, statement, told, told.operation)
    for label, value in _facts(told):
        delta.detail(key, label, value)
    for subject in subjects:
        delta.detail(subject, "Format", _worded(told.after))
    parents = step_used(delta, key, told, (told.source,), where="$.predicate.source", role=told.role)
    where = "$.predicate.calibration"
    parents += step_used(delta, key, told, told.calibration, where=where, role="dataset")
    step_made(delta, key, told, statement, subjects, parents)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    told = read(_DECODER, statement.predicate)
    return (
        rows(("Operation", told.operation))
        + _facts(told)
        + told_step(told)
        + told_all("Source", (told.source,), default_role=told.role)
        + told_all("Calibrated on", told.calibration, default_role="dataset")
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:conversion:v1",),
    slug="conversion",
    title="Conversion",
    summary="Says that one model was quantised, pruned or brought into another format.",
    project=_project,
    describe=_describe,
    schema="conversion.json",
    example="conversion.json",
    materials=("calibration",),
    speaks_for=of_run,
)

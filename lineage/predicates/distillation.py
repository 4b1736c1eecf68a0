"""Our `distillation:v1`: a student model was trained on what teacher models answer.

Source: docs/predicates/distillation.md.
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.speakers import of_run
from lineage.predicates.steps import Step, step, step_made, step_used, told_step
from lineage.predicates.wire import read
from lineage.trust.statement import Statement


class _Distillation(Step, frozen=True):
    """`student`: the model that the training began with, where there was one."""

    teachers: tuple[Descriptor, ...]
    student: Descriptor | None = None
    method: str = ""
    datasets: tuple[Descriptor, ...] = ()


_DECODER = msgspec.json.Decoder(_Distillation)


def _read(statement: Statement) -> _Distillation:
    found = read(_DECODER, statement.predicate)
    if not found.teachers:
        raise MalformedError("A distillation has at least one teacher.", where="$.predicate.teachers")
    return found


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = _read(statement)
    delta, subjects = opening(statement, signer, role="model")
    key = step(delta, statement, found, "distillation")
    delta.detail(key, "Method", found.method)
    student = (found.student,) if found.student else ()
    parents = step_used(delta, key, found, found.teachers, where="$.predicate.teachers", role="model")
    parents += step_used(delta, key, found, student, where="$.predicate.student", role="model")
    parents += step_used(delta, key, found, found.datasets, where="$.predicate.datasets", role="dataset")
    step_made(delta, key, found, statement, subjects, parents)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    student = (found.student,) if found.student else ()
    return (
        rows(("Method", found.method))
        + told_step(found)
        + told_all("Teacher", found.teachers, default_role="model")
        + told_all("Student", student, default_role="model")
        + told_all("Trained on", found.datasets, default_role="dataset")
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:distillation:v1",),
    slug="distillation",
    title="Distillation",
    summary="Says that a model was trained on what other models answer.",
    project=_project,
    describe=_describe,
    schema="distillation.json",
    example="distillation.json",
    materials=("teachers",),
    speaks_for=of_run,
)

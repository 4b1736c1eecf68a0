"""Our `fine-tune:v1`: a model was trained further, on datasets; the result is a model or an adapter.

Source: docs/predicates/fine-tune.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import paired, rows
from lineage.predicates.speakers import of_run
from lineage.predicates.steps import Step, step, step_made, step_used, told_step
from lineage.predicates.wire import read
from lineage.trust.statement import Statement


class _FineTune(Step, frozen=True):
    base_model: Descriptor
    role: Literal["model", "adapter"] = "model"
    method: str = ""
    datasets: tuple[Descriptor, ...] = ()
    metrics: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict)


_DECODER = msgspec.json.Decoder(_FineTune)


def _project(statement: Statement, signer: str) -> GraphDelta:
    told = read(_DECODER, statement.predicate)
    delta, subjects = opening(statement, signer, role=told.role)
    key = step(delta, statement, told, "fine-tuning")
    delta.detail(key, "Method", told.method)
    parents = step_used(delta, key, told, (told.base_model,), where="$.predicate.baseModel", role="model")
    parents += step_used(delta, key, told, told.datasets, where="$.predicate.datasets", role="dataset")
    step_made(delta, key, told, statement, subjects, parents)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    told = read(_DECODER, statement.predicate)
    return (
        rows(("Makes", told.role), ("Method", told.method))
        + told_step(told)
        + rows(("Results", paired(told.metrics)))
        + told_all("Base model", (told.base_model,), default_role="model")
        + told_all("Trained on", told.datasets, default_role="dataset")
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:fine-tune:v1",),
    slug="fine-tune",
    title="Fine-tuning",
    summary="Says that a model was trained further, on which datasets, and what came of it.",
    project=_project,
    describe=_describe,
    schema="fine-tune.json",
    example="fine-tune.json",
    materials=("datasets",),
    speaks_for=of_run,
)

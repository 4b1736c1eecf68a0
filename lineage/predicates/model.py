"""Our `model:v1`: what a model or adapter is, and the models and datasets that it was made from.

How it was made, and where, is for `training-run:v1`. Source: docs/predicates/model.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Supplier, rows, supplied
from lineage.predicates.wire import Wire, read, required
from lineage.trust.statement import Statement


class _Model(Wire, frozen=True):
    name: str
    version: str = ""
    role: Literal["model", "adapter"] = "model"
    license: str = ""
    description: str = ""
    architecture: str = ""
    task: str = ""
    format: str = ""
    parameter_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    intended_use: str = ""
    limitations: str = ""
    languages: tuple[str, ...] = ()
    supplier: Supplier | None = None
    base_models: tuple[Descriptor, ...] = ()
    datasets: tuple[Descriptor, ...] = ()


_DECODER = msgspec.json.Decoder(_Model)


def _facts(model: _Model) -> Rows:
    """What is shown beside the name, in the same words on the node and on the statement."""
    return rows(
        ("Description", model.description),
        ("Architecture", model.architecture),
        ("Task", model.task),
        ("Format", model.format),
        ("Parameters", model.parameter_count),
        ("Intended use", model.intended_use),
        ("Limitations", model.limitations),
        ("Languages", model.languages),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    model = read(_DECODER, statement.predicate)
    name = required(model.name, where="$.predicate.name")
    delta, subjects = opening(statement, signer, role=model.role)
    bases = references(delta, model.base_models, where="$.predicate.baseModels", role="model")
    datasets = references(delta, model.datasets, where="$.predicate.datasets", role="dataset")
    facts = _facts(model)
    for subject in subjects:
        delta.claim(subject, ClaimKind.NAME, name)
        delta.claim(subject, ClaimKind.VERSION, model.version)
        delta.claim(subject, ClaimKind.LICENSE, model.license)
        for label, value in facts:
            delta.detail(subject, label, value)
        supplied(delta, subject, model.supplier, where="$.predicate.supplier")
        for origin in bases + datasets:
            delta.edge(subject, EdgeType.WAS_DERIVED_FROM, origin)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    model = read(_DECODER, statement.predicate)
    heading = rows(
        (model.role.capitalize(), model.name),
        ("Version", model.version),
        ("License", model.license),
        ("Supplier", model.supplier.name if model.supplier else ""),
    )
    origins = told_all("Base model", model.base_models, default_role="model") + told_all(
        "Dataset", model.datasets, default_role="dataset"
    )
    return heading + _facts(model) + origins


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:model:v1",),
    slug="model",
    title="Model",
    summary="Says what a model is, who supplied it, under which license, and what it was derived from.",
    project=_project,
    describe=_describe,
    schema="model.json",
    example="model.json",
    materials=("baseModels",),
)

"""Our `model-merge:v1`: several models were merged into one, by a method, with weights.

Source: docs/predicates/model-merge.md.
"""

from __future__ import annotations

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, told
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import number, rows
from lineage.predicates.speakers import of_run
from lineage.predicates.steps import Step, step, step_made, step_used, told_step
from lineage.predicates.wire import read, required
from lineage.trust.statement import Statement

SHOWN = 20


class _Parent(Descriptor):
    """One of the merged models; `weight` is its part as the method means it."""

    weight: float | None = None


class _Merge(Step, frozen=True):
    method: str
    parents: tuple[_Parent, ...]


_DECODER = msgspec.json.Decoder(_Merge)


def _read(statement: Statement) -> _Merge:
    found = read(_DECODER, statement.predicate)
    required(found.method, where="$.predicate.method")
    if len(found.parents) < 2:
        raise MalformedError("A merge has two parents or more.", where="$.predicate.parents")
    return found


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = _read(statement)
    delta, subjects = opening(statement, signer, role="model")
    key = step(delta, statement, found, "merge")
    delta.detail(key, "Method", found.method)
    parents = step_used(delta, key, found, found.parents, where="$.predicate.parents", role="model")
    for parent in found.parents[:SHOWN]:
        if parent.weight is not None:
            delta.detail(key, "Weight", f"{number(parent.weight)}, of {told(parent)}")
    step_made(delta, key, found, statement, subjects, parents)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    shown = [
        told(parent, default_role="model")
        + (f", weight {number(parent.weight)}" if parent.weight is not None else "")
        for parent in found.parents[:SHOWN]
    ]
    more = f"and {len(found.parents) - SHOWN:,} more" if len(found.parents) > SHOWN else ""
    return (
        rows(("Method", found.method))
        + told_step(found)
        + rows(*(("Merged", each) for each in (*shown, more)))
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:model-merge:v1",),
    slug="model-merge",
    title="Model merge",
    summary="Says that several models were merged into one, by which method, with which weights.",
    project=_project,
    describe=_describe,
    schema="model-merge.json",
    example="model-merge.json",
    materials=("parents",),
    speaks_for=of_run,
)

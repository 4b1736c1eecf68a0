"""Our `evaluation:v1`: a model was measured on datasets, and met its thresholds or missed them.

The subjects are what was measured: the statement says nothing of where they came from, and makes none
verified. Source: docs/predicates/evaluation.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.errors import MalformedError
from lineage.graph.model import EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, references, told_all
from lineage.predicates.base import BadNews, PredicateType, Rows
from lineage.predicates.findings import looked_at
from lineage.predicates.members import number, rows
from lineage.predicates.speakers import of_run
from lineage.predicates.steps import Step, step, step_used, told_step
from lineage.predicates.wire import Wire, limited, read, required
from lineage.trust.statement import Statement

MAX_METRICS = 1_000
SHOWN = 20
"""Metrics that are shown on the run."""


class _Metric(Wire, frozen=True):
    """`better` says on which side of the threshold a value is good; with a threshold it must be there."""

    name: str
    value: float
    unit: str = ""
    threshold: float | None = None
    better: Literal["", "higher", "lower"] = ""
    slice: str = ""

    def missed(self) -> bool:
        if self.threshold is None:
            return False
        return self.value < self.threshold if self.better == "higher" else self.value > self.threshold


class _Evaluation(Step, frozen=True):
    metrics: tuple[_Metric, ...]
    datasets: tuple[Descriptor, ...] = ()
    report: Descriptor | None = None
    passed: bool | None = None


_DECODER = msgspec.json.Decoder(_Evaluation)


def _read(statement: Statement) -> _Evaluation:
    found = read(_DECODER, statement.predicate)
    limited(found.metrics, MAX_METRICS, where="$.predicate.metrics")
    for place, metric in enumerate(found.metrics):
        where = f"$.predicate.metrics[{place}]"
        required(metric.name, where=f"{where}.name")
        if metric.threshold is not None and not metric.better:
            raise MalformedError(
                "With a threshold say whether higher or lower is better.", where=f"{where}.better"
            )
    return found


def _missed(found: _Evaluation) -> int:
    return sum(metric.missed() for metric in found.metrics)


def _result(found: _Evaluation) -> str:
    """In words; a missed threshold is told beside whatever the signer concluded from it."""
    said = {True: "passed", False: "failed", None: ""}[found.passed]
    missed = _missed(found)
    return ", ".join(filter(None, (said, f"{missed:,} thresholds missed" if missed else "")))


def _worded(metric: _Metric) -> str:
    text = f"{metric.name} = {number(metric.value)}{f' {metric.unit}' if metric.unit else ''}"
    if metric.threshold is not None:
        least = "at least" if metric.better == "higher" else "at most"
        outcome = "missed" if metric.missed() else "met"
        text += f" ({least} {number(metric.threshold)}: {outcome})"
    return f"{text}, on {metric.slice}" if metric.slice else text


def _facts(found: _Evaluation) -> Rows:
    more = f"and {len(found.metrics) - SHOWN:,} more" if len(found.metrics) > SHOWN else ""
    shown = [*map(_worded, found.metrics[:SHOWN]), more]
    return rows(("Result", _result(found)), *(("Metric", each) for each in shown))


def _project(statement: Statement, signer: str) -> GraphDelta:
    found = _read(statement)
    delta, subjects = looked_at(statement, signer)
    key = step(delta, statement, found, "evaluation")
    delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
    for label, value in _facts(found):
        delta.detail(key, label, value)
    for subject in subjects:
        delta.edge(key, EdgeType.USED, subject)
        delta.detail(subject, "Evaluation", _result(found) or f"{len(found.metrics):,} metrics")
    step_used(delta, key, found, found.datasets, where="$.predicate.datasets", role="dataset")
    report = (found.report,) if found.report else ()
    for each in references(delta, report, where="$.predicate.report", role="report"):
        delta.edge(each, EdgeType.WAS_GENERATED_BY, key)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    found = _read(statement)
    return (
        _facts(found)
        + told_step(found)
        + told_all("Measured on", found.datasets, default_role="dataset")
        + told_all("Report", (found.report,) if found.report else (), default_role="report")
    )


def _bad_news(statement: Statement) -> BadNews | None:
    found = _read(statement)
    missed = _missed(found)
    if found.passed is not False and not missed:
        return None
    return BadNews(f"an evaluation that failed or missed thresholds ({missed} missed)")


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:evaluation:v1",),
    slug="evaluation",
    title="Evaluation",
    summary="Says how a model was measured, on which datasets, and whether it met its thresholds.",
    project=_project,
    describe=_describe,
    schema="evaluation.json",
    example="evaluation.json",
    materials=("datasets",),
    bad_news=_bad_news,
    speaks_for=of_run,
)

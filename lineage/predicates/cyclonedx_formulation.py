"""How a CycloneDX BOM says that things were made: workflows and tasks as runs.

Source: CycloneDX 1.5 to 1.7, formulation. A task names no builder, so its run is known by the statement and
the task's reference in it. Environment variables and parameters are not shown: they may hold secrets.
"""

from __future__ import annotations

from lineage.errors import TooLargeError
from lineage.graph.model import EdgeType
from lineage.predicates.composition import part_run
from lineage.predicates.cyclonedx_parts import Parts
from lineage.predicates.cyclonedx_reading import Formula, Put, Task
from lineage.predicates.delta import Delta
from lineage.predicates.wire import utc
from lineage.trust.statement import Statement

MAX_TASKS = 5_000
"""Workflows and tasks of one BOM."""


def tasks(formulation: tuple[Formula, ...]) -> list[tuple[Task, str]]:
    """Workflows and their tasks with their JSON paths. Raises TooLargeError."""
    found: list[tuple[Task, str]] = []
    for number, formula in enumerate(formulation):
        for place, workflow in enumerate(formula.workflows):
            path = f"$.predicate.formulation[{number}].workflows[{place}]"
            found.append((workflow, path))
            found += [(task, f"{path}.tasks[{n}]") for n, task in enumerate(workflow.tasks)]
            if len(found) > MAX_TASKS:
                raise TooLargeError(
                    f"The BOM tells of more than {MAX_TASKS:,} tasks, the limit.", limit=MAX_TASKS, where=path
                )
    return found


def formulated(delta: Delta, statement: Statement, formulation: tuple[Formula, ...], parts: Parts) -> None:
    """Enter each workflow and task that took or left something.

    Raises: MalformedError for a time that is none, TooLargeError.
    """
    for task, where in tasks(formulation):
        used = _keys(parts, task.inputs, f"{where}.inputs")
        made = _keys(parts, task.outputs, f"{where}.outputs")
        if not used and not made:
            continue
        run = _run(delta, statement, task, where)
        for key in used:
            delta.edge(run, EdgeType.USED, key)
        for key in made:
            delta.edge(key, EdgeType.WAS_GENERATED_BY, run)


def _keys(parts: Parts, puts: tuple[Put, ...], where: str) -> list[str]:
    keys: list[str] = []
    for number, put in enumerate(puts):
        at = f"{where}[{number}].resource"
        if put.resource is None:
            continue
        if put.resource.ref:
            keys += parts.part(put.resource.ref, where=at)
        elif put.resource.external_reference:
            keys += parts.elsewhere(put.resource.external_reference, where=at)
    return keys


def _run(delta: Delta, statement: Statement, task: Task, where: str) -> str:
    key = part_run(
        delta,
        statement,
        task.bom_ref,
        name=task.name or task.uid,
        activity=task.task_types[0] if task.task_types else "",
        started=utc(task.time_start, where=f"{where}.timeStart"),
        ended=utc(task.time_end, where=f"{where}.timeEnd"),
    )
    delta.detail(key, "Description", task.description)
    return key

"""TLC on the specification as it is, with a fault in it, and on traces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lineage.errors import UnavailableError
from tests.crash.trace import Trace
from tests.services import unavailable
from tests.spec import models, replay, tlc

pytestmark = pytest.mark.service
SECONDS = 300


@pytest.fixture(autouse=True)
def _tlc() -> None:
    try:
        tlc.jar()
    except UnavailableError as error:
        unavailable(f"{error.message} {error.hint}".rstrip())


@pytest.mark.parametrize("name", models.SMALL)
def test_the_specification_holds(name: str, tmp_path: Path) -> None:
    answer = models.check(models.SMALL[name], tmp_path, seconds=SECONDS)
    print(f"{answer.states} distinct states")
    assert not answer.refuted, answer.text
    assert answer.states > 50


@pytest.mark.parametrize("fault", models.FAULTS, ids=lambda fault: fault.id)
def test_a_fault_is_refuted(fault: models.Fault, tmp_path: Path) -> None:
    answer = models.check_fault(fault, tmp_path, seconds=SECONDS)
    assert answer.refuted
    live = fault.name in models.SMALL[f"{fault.model}-live"].properties
    assert fault.name in answer.refuted or (live and "Temporal" in answer.refuted)


def test_each_property_has_its_fault() -> None:
    told = {(m.module, name) for m in models.SMALL.values() for name in (*m.invariants, *m.properties)}
    assert {(models.SMALL[fault.model].module, fault.name) for fault in models.FAULTS} == told


FIRST: dict[str, Any] = {"head": 2, "entries": {0: "aa", 1: "bb"}, "checkpoints": [2], "projected": 1}
LATER: dict[str, Any] = {
    "head": 3,
    "entries": {0: "aa", 1: "bb", 2: "cc"},
    "checkpoints": [2, 3],
    "projected": 3,
}


FALSE: dict[str, tuple[tuple[str, int], dict[str, Any], str]] = {
    "other-index": (("cc", 1), LATER, "told"),
    "lost": (("dd", 3), LATER, "told"),
    "exchanged": (("cc", 2), {**LATER, "entries": {0: "aa", 1: "dd", 2: "cc"}}, "look"),
    "twice": (("cc", 2), {**LATER, "head": 4, "entries": {**LATER["entries"], 3: "aa"}}, "commit"),
    "a-gap": (("cc", 3), {**LATER, "head": 4, "entries": {**FIRST["entries"], 3: "cc"}}, "commit"),
    "graph-ahead": (("cc", 2), {**LATER, "projected": 4}, "project"),
    "graph-behind": (("cc", 2), {**LATER, "projected": 0}, "look"),
    "checkpoint-gone": (("cc", 2), {**LATER, "checkpoints": [3]}, "look"),
    "checkpoint-ahead": (("cc", 2), {**LATER, "checkpoints": [2, 4]}, "publish"),
    "head-behind": (("cc", 2), {**LATER, "head": 2}, "look"),
}
"""What was answered and seen later, and the step that is none."""


def test_true_traces_are_replayed_and_false_ones_refused(tmp_path: Path) -> None:
    cases = {"right": (("cc", 2), LATER, ""), **FALSE}
    traces = []
    for name, (answered, later, _) in cases.items():
        trace = Trace(tmp_path / f"{name}.jsonl")
        trace.acknowledged("bb", 1)
        trace.seen(**FIRST)
        trace.crashed()
        trace.acknowledged(*answered)
        trace.seen(**later)
        traces.append(trace)
    refused = dict(zip(cases, replay.replayed(traces, tmp_path), strict=True))
    assert refused.pop("right") == ""
    assert {name: re.findall(r'op \|-> "(\w+)"', step) for name, step in refused.items()} == {
        name: [op] for name, (_, _, op) in FALSE.items()
    }

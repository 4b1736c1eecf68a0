"""TLC on the specification as it is, with a fault in it, and on traces."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("model", [models.SAFETY, models.LIVE], ids=["safety", "liveness"])
def test_the_specification_holds(model: models.Model, tmp_path: Path) -> None:
    answer = models.check(model, tmp_path, seconds=SECONDS)
    print(f"{answer.states} distinct states")
    assert not answer.refuted, answer.text
    assert answer.states > 100


@pytest.mark.parametrize(("name", "changes"), models.FAULTS, ids=[name for name, _ in models.FAULTS])
def test_a_fault_is_refuted(name: str, changes: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    answer = models.check_fault(name, changes, tmp_path, seconds=SECONDS)
    assert answer.refuted
    assert name in answer.refuted or (name in models.LIVENESS and "Temporal" in answer.refuted)


def test_each_property_has_its_fault() -> None:
    assert {name for name, _ in models.FAULTS} == {*models.INVARIANTS, *models.LIVENESS, "NeverBack"}


FIRST = {"head": 2, "entries": {0: "aa", 1: "bb"}, "checkpoints": [2], "projected": 1}
LATER = {"head": 3, "entries": {0: "aa", 1: "bb", 2: "cc"}, "checkpoints": [2, 3], "projected": 3}


@pytest.mark.parametrize(
    ("answered", "later", "holds"),
    [
        (("cc", 2), LATER, True),
        (("cc", 1), LATER, False),
        (("dd", 3), LATER, False),
        (("bb", 1), {**LATER, "entries": {0: "aa", 1: "dd", 2: "cc"}}, False),
        (("cc", 2), {**LATER, "projected": 4}, False),
        (("cc", 2), {**LATER, "checkpoints": [3]}, False),
        (("cc", 2), {**LATER, "head": 2}, False),
    ],
    ids=["right", "other-index", "lost", "exchanged", "graph-ahead", "checkpoint-gone", "head-behind"],
)
def test_a_trace_is_replayed(answered: tuple[str, int], later: dict, holds: bool, tmp_path: Path) -> None:  # type: ignore[type-arg]
    trace = Trace(tmp_path / "trace.jsonl")
    trace.acknowledged("bb", 1)
    trace.seen(**FIRST)  # type: ignore[arg-type]
    trace.crashed()
    trace.acknowledged(*answered)
    trace.seen(**later)
    answer = replay.replayed(trace, tmp_path)
    assert bool(answer.refuted) is not holds, answer.text

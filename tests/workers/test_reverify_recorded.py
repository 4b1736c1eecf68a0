"""What re-verification remembers of bytes that matched, and says with it of those that don't any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.db.models import Check, Copy, Entry
from lineage.example import weights
from lineage.services import intake, inventories, jobs
from lineage.services.check_sweep import Sweep
from tests import factories
from tests.integration.made_anew import emptied
from tests.workers.test_reverify import MATCH, MISMATCH, verify
from tests.workers.test_reverify import lies as lies  # noqa: PLC0414 a fixture
from tests.workers.test_reverify import root as root  # noqa: PLC0414 a fixture


def test_what_matched_is_recorded_once_and_differences_are_told_by_it(
    root: Path, lies: Callable[..., str], graph: Callable[[], int]
) -> None:
    import numpy as np

    path = root / "model.safetensors"
    weights.write(path, {"weights": np.arange(4.0)}, {"threshold": "0.50"})
    key = lies(path)
    assert verify(key) == MATCH
    graph()
    recorded = inventories.of_node(key)
    assert recorded is not None
    assert [(file.size, (file.description or {}).get("format")) for file in recorded.files] == [
        (path.stat().st_size, "safetensors")
    ]
    assert verify(key) == MATCH
    said = Entry.objects.filter(predicate_type="urn:lineage:predicate:inventory:v1")
    assert said.count() == 1
    weights.set_metadata(path, "threshold", "0.05")
    assert verify(key) == MISMATCH
    graph()
    reason = Check.objects.get(outcome="mismatch").reason
    assert reason.startswith("The metadata key threshold differs: expected ")


def test_while_the_graph_is_made_anew_nobody_says_that_nothing_was_recorded(
    root: Path, lies: Callable[..., str], graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "model.bin"
    path.write_bytes(b"weights")
    key = lies(path)
    assert verify(key) == MATCH
    graph()
    path.write_bytes(b"other weights")
    real = Sweep._take

    def meanwhile(self: Sweep, *given: Any) -> Any:
        again = real(self, *given)
        emptied()
        return again

    monkeypatch.setattr(Sweep, "_take", meanwhile)
    jobs.enqueue("reverify", key)
    jobs.drain("tests")
    graph()
    assert "never recorded" not in Check.objects.get(outcome="mismatch").reason


def test_what_no_digest_identifies_is_no_copy(root: Path, graph: Callable[[], int]) -> None:
    """One row about it would have a whole sweep say nothing."""
    (root / "data.csv").write_bytes(b"1,2")
    named = {"name": "data.csv", "uri": (root / "data.csv").as_uri(), "digest": {"crc32": "00000001"}}
    intake.submit(factories.registered().envelope(factories.statement(named)), token="tests")
    graph()
    assert not Copy.objects.exists()

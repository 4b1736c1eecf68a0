"""What is known only after something was recorded: when a run ended, what a champion's bytes are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lineage.config import current
from lineage.graph.model import artifact_key
from lineage.localservices.service import LocalService
from lineage.mlflow.api import Mlflow
from lineage.mlflow.errors import SourceError
from lineage.services import run_ends, sources, sync_files
from lineage.services.source_values import SourceValues
from lineage.trust.digest import sha256_hex
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest

FAR_MS = 4_000_000_000_000
"""An end in the year 2096."""


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


@pytest.fixture
def folder(lab: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files the source may read as datasets."""
    monkeypatch.setenv("LINEAGE_STORAGE_ROOTS", str(tmp_path))
    current.cache_clear()
    sources.change("lab", SourceValues(data_roots=[str(tmp_path)]), by="tests")
    yield tmp_path
    monkeypatch.undo()
    current.cache_clear()


def written(path: Path, content: bytes, at: float) -> None:
    path.write_bytes(content)
    os.utime(path, (at, at))


def used(lab: Followed, run: str) -> list[dict[str, str]]:
    return [dict(each.digest or {}) for each in lab.newest("run-lineage", run).used]


def test_a_file_that_was_written_after_we_saw_the_end(lab: Followed, folder: Path) -> None:
    """A client may claim that its run ends in 70 years; what is written meanwhile is no input of it."""
    file, rest = folder / "train.csv", lab.rest
    written(file, b"read", time.time() - 3600)
    run = rest.run()
    rest.dataset(run, "train", digest=file.parent.name[-30:], source=f"file://{file}")
    rest.finish(run, end=FAR_MS)
    lab.sync()
    assert used(lab, run) == [{"sha256": sha256_hex(b"read")}]
    written(file, b"written later", time.time() + 60)
    for number in range(2):
        rest.tag(run, "late", str(number))
        lab.sync(sweep=True)
        assert used(lab, run) == [{}]
    assert "dataset-undigested" in lab.newest("run", run).gaps


def test_a_file_that_was_written_while_a_known_run_went_on(lab: Followed, folder: Path) -> None:
    """It was recorded before the file was there, and its end was seen after that."""
    file, rest = folder / "train.csv", lab.rest
    run = rest.run()
    lab.sync()
    first = run_ends._received_ms(lab.row("run", run).first_index)
    written(file, b"prepared by the run", first / 1000 + 0.5)
    time.sleep(1)
    rest.dataset(run, "train", digest=file.parent.name[-30:], source=f"file://{file}")
    rest.finish(run, end=FAR_MS)
    lab.sync()
    assert used(lab, run) == [{"sha256": sha256_hex(b"prepared by the run")}]


def test_a_run_that_no_listing_shows_keeps_its_gaps(lab: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = lab.rest
    run = rest.run()
    rest.model(run, {"MLmodel": b"m"})
    rest.dataset(run, "train")
    rest.finish(run)
    lab.sync()
    gaps = lab.newest("run", run).gaps
    assert gaps
    rest.tag(run, "late", "1")
    monkeypatch.setattr(Mlflow, "all_runs", lambda self, experiments: iter(()))
    lab.sync(sweep=True)
    found = lab.newest("run", run)
    assert found.after_end
    assert found.gaps == gaps


def test_a_champion_that_was_hashed_later(lab: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alias moved to a model whose files could not be listed yet: once they are, it is said."""
    rest, name = lab.rest, "late champion"
    run = rest.run()
    rest.post("registered-models/create", name=name)
    rest.alias(name, "champion", rest.version(name, rest.model(run, {"MLmodel": b"first"}), run))
    rest.finish(run)
    lab.sync()
    second = rest.model(run, {"MLmodel": b"second"})
    rest.alias(name, "champion", rest.version(name, second, run))
    real = Mlflow.model_files

    def listed(self: Mlflow, model_id: str) -> Any:
        if model_id == second:
            raise SourceError("server-error", "not yet")
        return real(self, model_id)

    monkeypatch.setattr(Mlflow, "model_files", listed)
    lab.sync()
    assert lab.newest("registered-model", name).record["aliases"] == {"champion": "2"}
    monkeypatch.undo()
    lab.sync()
    about = [artifact_key(each.digest or {}) for each in lab.newest("registered-model", name).about]
    assert about == [f"sha256:{sha256_hex(b'second')}"]
    once = lab.row("registered-model", name).entry_index
    lab.sync(sweep=True)
    assert lab.row("registered-model", name).entry_index == once


def test_what_is_pending_is_found_by_its_indexes(lab: Followed) -> None:
    """A poll asks for it, and 100,000 records that are all followed are not read for that."""
    with CaptureQueriesContext(connection) as asked:
        assert sync_files.pending("lab") == 0
    with connection.cursor() as cursor:
        plans = []
        for each in asked.captured_queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {each['sql']}")
            plans.append(" ".join(str(row) for row in cursor.fetchall()))
    assert len(plans) == 2
    for plan, index in zip(plans, ("source_object_files", "source_object_lineage"), strict=True):
        assert f"USING INDEX {index}" in plan

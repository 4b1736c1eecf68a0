"""Following a real MLflow server: what is recorded, what it is in the graph, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.db.models import Entry, Node
from lineage.graph.model import run_key
from lineage.localservices.service import LocalService
from lineage.predicates.folders import dir_hash
from lineage.services import sync
from lineage.services.clock import now_us
from lineage.trust.digest import sha256_hex
from tests import factories
from tests.conftest import Api
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest

on_both = pytest.mark.both_databases
"""For what differs by what our tables say; the others are about what the server says."""

FILES = {"MLmodel": b"flavors: {}\n", "data/model.pkl": b"weights"}
DIRHASH = "dirHash:" + dir_hash({path: sha256_hex(content) for path, content in FILES.items()})


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


def node(api: Api, key: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/nodes/{key}")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def lineage(api: Api, key: str, direction: str) -> set[str]:
    answer = api.get(f"/api/v1/nodes/{key}/{direction}")
    assert answer.status_code == 200, answer.content
    return {each["key"] for each in answer.json()["nodes"]}


def of_run(run: str) -> str:
    return run_key("urn:lineage:mlflow:lab", run, "")


@on_both
def test_a_run_its_model_and_who_evaluated_it(lab: Followed, api: Api) -> None:
    rest = lab.rest
    run = rest.run(name="train it")
    rest.param(run, "lr", "0.1")
    rest.dataset(run, "customers")
    rest.file(run, "report.txt", b"hi")
    model = rest.model(run, FILES)
    rest.finish(run)
    evaluation = rest.run(name="evaluate it")
    rest.uses_model(evaluation, model)
    rest.finish(evaluation)
    lab.sync()

    found = node(api, of_run(run))
    assert (found["name"], found["status"]) == ("train it", "unverified")
    assert set(found["reasons"]) == {"input-undigested", "observed-only"}
    assert lineage(api, DIRHASH, "ancestors") > {of_run(run)}
    assert lineage(api, DIRHASH, "descendants") == {of_run(evaluation)}
    assert node(api, DIRHASH)["reasons"] == ["never-checked", "observed-only"]
    files = {sha256_hex(content) for content in FILES.values()}
    assert Node.objects.filter(key__in={f"sha256:{each}" for each in files}).count() == len(files)
    listed = lab.newest("run-files", run).record["files"]
    assert listed == {"report.txt": {"size": 2, "sha256": sha256_hex(b"hi")}}


@on_both
def test_nothing_new_is_nothing_recorded(lab: Followed) -> None:
    run = lab.rest.run()
    lab.rest.model(run, FILES)
    lab.rest.finish(run)
    lab.rest.run(name="still running")
    assert lab.sync()["recorded"] > 0
    entries = Entry.objects.count()
    for how in ({}, {"sweep": True}, {"sweep": True, "rehash": True}):
        assert lab.sync(**how)["recorded"] == 0
    assert Entry.objects.count() == entries


@on_both
def test_what_a_poll_finds(lab: Followed) -> None:
    """New, running, ended meanwhile, and back-dated: the last only by a sweep, as nothing else can."""
    rest = lab.rest
    open_run = rest.run(name="open")
    lab.sync()
    ended = rest.run(name="ended")
    rest.finish(ended, end=now_us() // 1000)
    rest.finish(open_run, end=1_500_000_000_000)
    back_dated = rest.run(name="back-dated")
    rest.finish(back_dated, end=1_000_000_000_000)
    without_end = rest.run(name="without end")
    rest.post("runs/update", run_id=without_end, status="FINISHED")
    lab.sync()
    assert lab.newest("run", ended).record["status"] == "FINISHED"
    assert lab.newest("run", open_run).record["status"] == "FINISHED"
    lab.sync(sweep=True)
    assert lab.newest("run", back_dated).record["status"] == "FINISHED"
    assert lab.newest("run", without_end).record["end_time"] in (None, 0)


def test_an_end_in_the_future_hides_no_later_run(lab: Followed) -> None:
    rest = lab.rest
    lab.sync()
    rest.finish(rest.run(name="from the future"), end=4_000_000_000_000)
    lab.sync()
    later = rest.run(name="later")
    rest.finish(later, end=now_us() // 1000)
    lab.sync()
    assert lab.newest("run", later).record["status"] == "FINISHED"


def test_deleted_experiments_are_followed(lab: Followed) -> None:
    rest = lab.rest
    experiment = rest.experiment("gone soon")
    run = rest.run(experiment)
    rest.finish(run)
    rest.post("experiments/delete", experiment_id=experiment)
    lab.sync()
    assert lab.newest("experiment", experiment).object.state == "deleted"
    assert lab.newest("run", run).object.state == "deleted"


def test_a_folder_that_cannot_be_listed_is_a_problem_and_no_change(
    lab: Followed, mlflow_service: LocalService
) -> None:
    run = lab.rest.run()
    lab.rest.file(run, "a.txt", b"a")
    lab.rest.finish(run)
    lab.sync()
    before = lab.row("run-files", run).entry_index
    folder = Path(mlflow_service.directory) / "artifacts" / "0" / run / "artifacts"
    (folder / "dangling").symlink_to("nowhere")
    lab.sync(sweep=True, rehash=True)
    assert lab.problems() == {("run-files", "server-error")}
    assert lab.row("run-files", run).entry_index == before
    (folder / "dangling").unlink()
    lab.sync(sweep=True, rehash=True)
    assert lab.problems() == set()
    assert lab.row("run-files", run).entry_index == before


def test_files_that_are_all_gone_at_once_are_a_problem_and_no_change(
    lab: Followed, mlflow_service: LocalService
) -> None:
    """A store that is not mounted lists as an empty folder."""
    run = lab.rest.run()
    lab.rest.file(run, "a.txt", b"a")
    lab.rest.finish(run)
    lab.sync()
    before = lab.row("run-files", run).entry_index
    folder = Path(mlflow_service.directory) / "artifacts" / "0" / run / "artifacts"
    folder.rename(folder.with_name("away"))
    lab.sync(sweep=True, rehash=True)
    assert ("run-files", "bad-answer") in lab.problems()
    assert lab.row("run-files", run).entry_index == before
    folder.with_name("away").rename(folder)
    lab.sync(sweep=True, rehash=True)
    assert ("run-files", "bad-answer") not in lab.problems()
    assert lab.row("run-files", run).entry_index == before


def test_a_file_that_the_server_lists_and_does_not_give(lab: Followed, mlflow_service: LocalService) -> None:
    run = lab.rest.run()
    lab.rest.finish(run)
    folder = Path(mlflow_service.directory) / "artifacts" / "0" / run / "artifacts"
    folder.mkdir(parents=True)
    names = ["a#b.bin", "q?x.txt", "s p.txt", "pct%.txt", "日本.txt"]
    for name in names:
        (folder / name).write_bytes(name.encode())
    lab.sync()
    files = lab.newest("run-files", run).record["files"]
    assert set(files) == set(names)
    assert "could not be read" in files.pop("a#b.bin")["reason"]
    assert {name: file["sha256"] for name, file in files.items()} == {
        name: sha256_hex(name.encode()) for name in files
    }


@on_both
def test_a_dry_run_says_what_it_would_record_and_records_nothing(lab: Followed) -> None:
    run = lab.rest.run()
    lab.rest.finish(run)
    size = Entry.objects.count()
    lines = list(sync.dry_run("lab"))
    assert any(f"mlflow:lab/run/{run}" in line for line in lines)
    assert Entry.objects.count() == size
    assert lab.sync()["run"] >= 1


@on_both
def test_a_lost_table_is_made_anew_from_the_log(lab: Followed) -> None:
    from lineage.db.models import SourceObject, SourceState

    run = lab.rest.run()
    lab.rest.model(run, FILES)
    lab.rest.finish(run)
    lab.sync()
    rows = list(SourceObject.objects.order_by("kind", "external_id").values("kind", "external_id", "digest"))
    SourceObject.objects.all().delete()
    SourceState.objects.all().delete()
    assert lab.sync()["recorded"] == 0
    assert (
        list(SourceObject.objects.order_by("kind", "external_id").values("kind", "external_id", "digest"))
        == rows
    )


def test_a_dataset_whose_name_and_digest_mean_something_else(lab: Followed) -> None:
    """MLflow's digest covers the first rows only; across experiments it shows that the source is another."""
    rest = lab.rest
    first, second = rest.run(), rest.run(rest.experiment("another"))
    rest.dataset(first, "reused", digest="11112222", source="s3://a/x.csv")
    rest.finish(first)
    lab.sync()
    rest.dataset(second, "reused", digest="11112222", source="s3://b/y.csv")
    rest.finish(second)
    lab.sync()
    found = lab.newest("dataset", "reused@11112222")
    assert [(c.field, c.before, c.after) for c in found.changes] == [("sources", None, second)]
    assert found.after_end
    assert found.run == second


@on_both
def test_a_dataset_that_many_runs_use_is_said_once(lab: Followed) -> None:
    for number in range(8):
        run = lab.rest.run(name=f"run {number}")
        lab.rest.dataset(run, "shared", digest="33334444", source="https://user:secret@host/x.csv")
        lab.rest.finish(run)
    lab.sync()
    row = lab.row("dataset", "shared@33334444")
    assert (row.first_index, row.changed_after_end) == (row.entry_index, False)
    lab.sync(sweep=True)
    assert lab.row("dataset", "shared@33334444").entry_index == row.entry_index


def test_a_dataset_in_a_configured_folder_is_hashed(
    lab: Followed, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from lineage.config import current
    from lineage.services import sources
    from lineage.services.source_values import SourceValues

    (tmp_path / "in").mkdir()
    monkeypatch.setenv("LINEAGE_STORAGE_ROOTS", str(tmp_path / "in"))
    current.cache_clear()
    sources.change("lab", SourceValues(data_roots=[str(tmp_path / "in")]), by="tests")
    names = {
        "inside": tmp_path / "in" / "a.csv",
        "changed": tmp_path / "in" / "b.csv",
        "outside": tmp_path / "c.csv",
    }
    for path in names.values():
        path.write_bytes(path.name.encode())
        os.utime(path, (1_700_000_000, 1_700_000_000))
    os.utime(names["changed"], (1_799_000_000, 1_799_000_000))
    (tmp_path / "in" / "link.csv").symlink_to(names["outside"])
    names["link"] = tmp_path / "in" / "link.csv"
    run = lab.rest.run()
    for name, path in names.items():
        lab.rest.dataset(run, name, digest=f"d-{name}", source=f"file://{path}")
    lab.rest.finish(run)
    try:
        lab.sync()
    finally:
        monkeypatch.undo()
        current.cache_clear()
    used = {each.name: each.digest for each in lab.newest("run-lineage", run).used}
    assert used == {"inside": {"sha256": sha256_hex(b"a.csv")}, "changed": {}, "outside": {}, "link": {}}


def test_what_the_pipeline_signed_and_what_was_observed_are_one_run(lab: Followed, api: Api) -> None:
    """Same digests: verified by the signature. Another one observed: the run has failed."""
    rest = lab.rest
    honest, other = rest.run(name="honest"), rest.run(name="other")
    signer = factories.registered()
    for run, files in ((honest, FILES), (other, FILES | {"MLmodel": b"other"})):
        rest.model(run, files)
        rest.finish(run)
        model = {"name": "model", "digest": {"dirHash": DIRHASH.partition(":")[2]}}
        said = factories.provenance([model], builder="urn:lineage:mlflow:lab", invocation=run)
        assert api.attest(signer.envelope(said)).status_code == 201
    lab.sync()
    assert (node(api, of_run(honest))["status"], node(api, of_run(honest))["reasons"]) == ("verified", [])
    found = node(api, of_run(other))
    assert (found["status"], found["reasons"]) == ("failed", ["observed-differs"])

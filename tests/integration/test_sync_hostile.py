"""What one bad thing on a server, an accident of ours or an awkward name must not do to a sync."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lineage.db.models import Job, SourceObject, SourceState
from lineage.graph.model import run_key
from lineage.localservices.service import LocalService
from lineage.mlflow.api import Mlflow
from lineage.mlflow.errors import SourceError, Trouble
from lineage.services import mlflow_state, sources, sync_lineage
from lineage.services.clock import now_us
from lineage.services.source_values import SourceValues
from lineage.trust.digest import sha256_hex
from tests import factories
from tests.conftest import Api
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest

YEAR_US = 366 * 86_400_000_000


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


def failing(monkeypatch: pytest.MonkeyPatch, method: str, of: str, trouble: Trouble) -> None:
    """From now on this call fails where it is about `of`; whatever else it is asked goes to the server."""
    real = getattr(Mlflow, method)

    def call(self: Mlflow, first: str, *rest: Any) -> Any:
        if of in (first, *rest):
            raise SourceError(trouble, "as the test wants it")
        return real(self, first, *rest)

    monkeypatch.setattr(Mlflow, method, call)


def artifacts(service: LocalService, run: str) -> Path:
    return Path(service.directory) / "artifacts" / "0" / run / "artifacts"


def test_names_that_look_like_those_of_a_cut_list(lab: Followed) -> None:
    """Three params called as what stands for a long list are three params, also once there are four."""
    run = lab.rest.run()
    for name in ("count", "sha256", "first"):
        lab.rest.param(run, name, "x")
        lab.rest.file(run, name, b"1")
    lab.sync()
    lab.rest.param(run, "lr", "0.1")
    lab.rest.finish(run)
    lab.sync()
    assert ("params", "lr", None, "0.1") in [
        (c.field, c.name, c.before, c.after) for c in lab.newest("run", run).changes
    ]
    lab.rest.file(run, "late", b"2")
    lab.sync(sweep=True)
    assert [(c.field, c.name) for c in lab.newest("run-files", run).changes] == [("files", "late")]


def test_files_of_a_list_that_was_cut_are_compared(lab: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is too long for a record has members count, sha256 and first: those are no files."""
    monkeypatch.setattr("lineage.mlflow.records.MAX_FILES_BYTES", 200)
    run = lab.rest.run()
    for name in ("count", "sha256", "first", "other"):
        lab.rest.file(run, name, b"1")
    lab.rest.finish(run)
    lab.sync()
    assert lab.newest("run-files", run).record["files"]["count"] == 4
    assert lab.sync(sweep=True)["recorded"] == 0


def test_a_model_that_is_never_ready_hides_no_lineage(lab: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that dies while it uploads leaves a model PENDING for ever."""
    rest = lab.rest
    run = rest.run()
    rest.dataset(run, "customers of it")
    model = rest.post("logged-models", experiment_id="0", name="m", source_run_id=run)["model"]["info"]
    rest.finish(run, "FAILED")
    monkeypatch.setattr(sync_lineage, "PATIENCE_US", 0)
    lab.sync()
    found = lab.newest("run-lineage", run)
    assert [each.name for each in found.used] == ["customers of it"]
    assert lab.row("logged-model", model["model_id"]).ended is False
    # It is ready after all, and no output of its run: whose model it is must be said all the same.
    rest.model_file(model["model_id"], "MLmodel", b"m")
    rest.call(
        "PATCH",
        f"mlflow/logged-models/{model['model_id']}",
        {"model_id": model["model_id"], "status": "LOGGED_MODEL_READY"},
    )
    lab.sync()
    assert lab.row(mlflow_state.PROVENANCE, run).entry_index > 0


def test_a_model_that_is_still_uploaded_is_waited_for(lab: Followed) -> None:
    rest = lab.rest
    run = rest.run()
    rest.dataset(run, "customers of it")
    rest.post("logged-models", experiment_id="0", name="m", source_run_id=run)
    rest.finish(run)
    lab.sync()
    assert not SourceObject.objects.filter(kind="run-lineage", external_id=run).exists()


def test_files_that_are_never_listed_hide_no_lineage(
    lab: Followed, mlflow_service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = lab.rest
    run = rest.run()
    rest.dataset(run, "customers of it")
    rest.finish(run)
    artifacts(mlflow_service, run).mkdir(parents=True)
    (artifacts(mlflow_service, run) / "dangling").symlink_to("nowhere")
    lab.sync()
    assert not SourceObject.objects.filter(kind="run-lineage", external_id=run).exists()
    monkeypatch.setattr(sync_lineage, "PATIENCE_US", 0)
    lab.sync()
    assert lab.newest("run-lineage", run).used
    assert lab.problems() == {("run-files", "server-error")}
    (artifacts(mlflow_service, run) / "dangling").unlink()


def test_a_file_that_could_not_be_read_this_once_has_not_changed(
    lab: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab.rest.run()
    model = lab.rest.model(run, {"MLmodel": b"m", "model.pkl": b"good"})
    lab.rest.finish(run)
    lab.sync()
    before = lab.row("logged-model-files", model)
    with monkeypatch.context() as patched:
        failing(patched, "read_model_file", "model.pkl", "server-error")
        lab.sync(sweep=True, rehash=True)
    after = lab.row("logged-model-files", model)
    assert (after.entry_index, after.changed_after_end) == (before.entry_index, False)
    assert lab.problems() == {("logged-model-files", "server-error")}
    lab.sync(sweep=True, rehash=True)
    assert lab.row("logged-model-files", model).entry_index == before.entry_index
    assert lab.problems() == set()


def test_a_file_that_can_be_read_later_was_not_changed_then(
    lab: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = lab.rest.run()
    model = lab.rest.model(run, {"MLmodel": b"m", "model.pkl": b"good"})
    lab.rest.finish(run)
    with monkeypatch.context() as patched:
        failing(patched, "read_model_file", "model.pkl", "server-error")
        lab.sync()
        assert lab.newest("logged-model-files", model).record["files"]["model.pkl"]["size"] == 4
    lab.sync(sweep=True)
    found = lab.newest("logged-model-files", model)
    assert (found.after_end, len(found.about)) == (False, 1)
    assert lab.row("logged-model-files", model).changed_after_end is False
    lab.rest.model_file(model, "model.pkl", b"evil")
    lab.sync(sweep=True, rehash=True)
    assert lab.newest("logged-model-files", model).after_end is True


def test_a_lower_limit_of_ours_changes_no_file_of_theirs(lab: Followed) -> None:
    run = lab.rest.run()
    model = lab.rest.model(run, {"MLmodel": b"m", "model.pkl": b"a hundred megabytes"})
    lab.rest.finish(run)
    lab.sync()
    before = lab.row("logged-model-files", model).entry_index
    sources.change("lab", SourceValues(max_file_bytes=10), by="tests")
    lab.sync(sweep=True, rehash=True)
    assert lab.row("logged-model-files", model).entry_index == before


@pytest.mark.parametrize("trouble", ["unauthorized", "timeout", "not-mlflow"])
def test_what_only_one_run_is_refused_for_stops_no_other(
    trouble: Trouble, lab: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as an experiment that the collector may no longer read, or a folder that takes hours to list."""
    one, other = sorted([lab.rest.run(), lab.rest.run()])
    for run in (one, other):
        lab.rest.file(run, "a.txt", b"a")
        lab.rest.finish(run)
    failing(monkeypatch, "run_files", one, trouble)
    lab.sync()
    assert lab.problems() == {("run-files", trouble)}
    assert lab.newest("run-files", other).record["files"]


def test_what_everything_is_refused_for_stops_the_sync(
    lab: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.rest.finish(run := lab.rest.run())
    lab.sync()

    def refused(self: Mlflow, *_: Any) -> Iterator[Any]:
        raise SourceError("unauthorized", "The server refuses our credentials.")
        yield

    with monkeypatch.context() as patched:
        failing(patched, "run", run, "unauthorized")
        patched.setattr(Mlflow, "experiments", refused)
        assert lab.sync_job(sweep=True).state != Job.State.DONE
    assert lab.problems() == set()


def test_a_clock_that_was_ahead_delays_no_sweep_for_ever(lab: Followed) -> None:
    lab.sync()
    ahead = now_us() + 30 * YEAR_US
    SourceState.objects.filter(source="lab").update(
        tried_us=ahead,
        swept_us=ahead,
        rehashed_us=ahead,
        polled_us=ahead,
        listed_us=ahead,
        files_tried_us=ahead,
        ended_ms=ahead // 1000,
        models_ms=ahead // 1000,
        versions_ms=ahead // 1000,
    )
    assert sources.due(now_us()) == [("lab", {"sweep": True, "rehash": True})]
    run = lab.rest.run()
    lab.rest.finish(run, end=now_us() // 1000)
    lab.sync()
    assert lab.newest("run", run).record["status"] == "FINISHED"


def test_what_was_recorded_meanwhile_is_not_taken_back(
    lab: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sync-files` names the artifact of a version that the other job sees changing just then."""
    rest = lab.rest
    run = rest.run()
    model = rest.model(run, {"MLmodel": b"m"})
    rest.finish(run)
    rest.post("registered-models/create", name="raced")
    rest.version("raced", model, run)
    from lineage.services import sync_models

    real = sync_models._about
    raced: list[bool] = []

    def changed_meanwhile(visit: Any, record: Any, before: Any) -> Any:
        found = real(visit, record, before)
        if found and record.id == "raced/1" and not raced:
            raced.append(True)
            rest.post(
                "model-versions/transition-stage",
                name="raced",
                version="1",
                stage="Production",
                archive_existing_versions=False,
            )
            from lineage.services import sync

            with other_visit(sync) as visit_too:
                sync_models.registry(visit_too, 0)
                visit_too.flush()
        return found

    monkeypatch.setattr(sync_models, "_about", changed_meanwhile)
    lab.sync()
    assert raced
    assert lab.newest("model-version", "raced/1").record["stage"] == "Production"
    lab.sync()
    stages = lab_stages(lab)
    assert stages == ["None", "Production"]


@contextmanager
def other_visit(sync: Any) -> Iterator[Any]:
    from lineage.mlflow.connection import Connection
    from lineage.services import append, sync_recorder, sync_visit

    def sink(prepared: Any) -> None:
        for outcome in append.append(list(prepared)):
            append.raise_first([outcome])
        mlflow_state.follow("lab")

    source = sources.find("lab")
    with Connection(sources.settings_of(source)) as connection:
        server = Mlflow(connection)
        recorder = sync_recorder.Recorder("lab", {"url": source.url, "version": "3.17"}, sink)
        yield sync_visit.Visit(
            source, server, recorder, lambda *_: None, sweep=False, rehash=False, first=False
        )


def lab_stages(lab: Followed) -> list[str]:
    """The stages of the version, each record once, oldest first."""
    stages: list[str] = []
    found = lab.newest("model-version", "raced/1")
    while True:
        if not stages or stages[-1] != found.record["stage"]:
            stages.append(found.record["stage"])
        if found.previous is None:
            return stages[::-1]
        from lineage.predicates import mlflow_observation

        found = mlflow_observation.read(lab.statement(found.previous.entry))


def test_a_version_of_a_run_with_an_endless_name(lab: Followed) -> None:
    """A version's run is any text; no index of a database holds all of it."""
    rest = lab.rest
    rest.post("registered-models/create", name="odd")
    run = "".join(chr(0x1F300 + number % 600) for number in range(900))
    rest.post("model-versions/create", name="odd", source="s3://b/odd", run_id=run)
    lab.sync()
    assert lab.row("model-version", "odd/1").run_id == ""
    assert json.dumps(lab.newest("model-version", "odd/1").record["run_id"])


def test_a_base_model_that_is_hashed_in_the_same_sync_is_no_gap(lab: Followed) -> None:
    rest = lab.rest
    base = rest.model(rest.run(), {"MLmodel": b"base"})
    ready, pending = rest.run(), rest.run()
    rest.uses_model(ready, base)
    unready = rest.post("logged-models", experiment_id="0", name="m", source_run_id=pending)
    rest.uses_model(pending, unready["model"]["info"]["model_id"])
    other = rest.run()
    rest.uses_model(other, unready["model"]["info"]["model_id"])
    for run in (ready, other):
        rest.finish(run)
    lab.sync()
    assert "base-model-undigested" not in lab.newest("run", ready).gaps
    assert "base-model-undigested" in lab.newest("run", other).gaps


def test_a_tag_contradicts_no_signature(lab: Followed, api: Api) -> None:
    """Who may set tags may not make a signed run fail: a tag is nothing that our collector saw."""
    rest = lab.rest
    run = rest.run()
    rest.dataset(run, "signed one")
    rest.model(run, {"MLmodel": b"m of a signed run"})
    rest.finish(run)
    signer = factories.registered()
    model = {"name": "model", "digest": {"sha256": sha256_hex(b"m of a signed run")}}
    dataset = {"name": "signed one", "digest": {"sha256": "a" * 64}}
    said = factories.provenance([model], [dataset], builder="urn:lineage:mlflow:lab", invocation=run)
    assert api.attest(signer.envelope(said)).status_code == 201
    lab.graph()
    for _ in range(2):
        lab.sync(sweep=True)
        found = api.get(f"/api/v1/nodes/{run_key('urn:lineage:mlflow:lab', run, '')}").json()
        assert (found["status"], found["reasons"]) == ("verified", [])
        rest.tag(run, "lineage.dataset.signed one.sha256", "b" * 64)
    assert lab.newest("run", run).after_end

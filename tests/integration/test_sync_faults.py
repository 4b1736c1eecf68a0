"""A real MLflow server whose gateway or store fails for some of what is there, or for all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lineage.db.models import Job, SourceObject, SourceProblem
from lineage.localservices.service import LocalService
from lineage.mlflow import connection
from lineage.mlflow.connection import CIRCUIT, RETRIES
from lineage.services import mlflow_state, sync
from lineage.services.clock import now_us
from lineage.services.sync_bytes import LISTINGS
from lineage.services.sync_runs import OVERLAP_MS
from tests.gateway import NEVER, Gateway, gateway, nothing
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest, gc


@pytest.fixture
def between(emptied_mlflow: LocalService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setattr(connection, "BACKOFF_SECONDS", 0.001)
    with gateway(emptied_mlflow.url) as made:
        yield made


@pytest.fixture
def lab(graph: Callable[[], int], between: Gateway) -> Followed:
    followed = Followed(Rest(between.url), graph)
    followed.follow()
    return followed


def trained(rest: Rest, count: int) -> dict[str, str]:
    """That many models, each with its run, in the order in which their files are looked at."""
    made = {}
    for number in range(count):
        run = rest.run()
        made[rest.model(run, {"MLmodel": f"model {number}".encode()})] = run
        rest.finish(run)
    return dict(sorted(made.items()))


def listed(address: str) -> bool:
    return "/artifacts/directories" in address


def files_of(address: str) -> bool:
    """Whether these are the bytes of a file of a model."""
    return "/mlflow-artifacts/" in address and "/models/" in address


def hashed(lab: Followed) -> set[str]:
    rows = SourceObject.objects.filter(source=lab.name, kind="logged-model-files")
    return set(rows.values_list("external_id", flat=True))


# Files that can't be listed


def test_listings_that_a_gateway_gives_up_stop_no_other(lab: Followed, between: Gateway) -> None:
    models = trained(lab.rest, 14)
    away, there = list(models)[:6], list(models)[6:]
    between.fault = lambda address: 504 * (listed(address) and any(each in address for each in away))
    lab.rest.file(models[away[0]], "report.txt", b"hi")
    for _ in range(2):
        lab.sync()
        problems = SourceProblem.objects.values_list("kind", "external_id", "slug")
        assert set(problems) == {("logged-model-files", each, "server-error") for each in away}
        assert hashed(lab) == set(there)
        for model in there:
            assert lab.row(mlflow_state.PROVENANCE, models[model]).entry_index > 0
        assert lab.newest("run-files", models[away[0]]).record["files"]
    between.fault = nothing
    lab.sync()
    assert lab.problems() == set()
    assert hashed(lab) == set(models)


def test_listings_that_never_come_stop_no_other(
    lab: Followed, between: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_SECONDS", 3.0)
    monkeypatch.setattr(connection, "RETRIES", 0)
    models = trained(lab.rest, 10)
    away, there = list(models)[:6], list(models)[6:]
    between.fault = lambda address: NEVER * (listed(address) and any(each in address for each in away))
    lab.sync()
    problems = SourceProblem.objects.values_list("kind", "external_id", "slug")
    assert set(problems) == {("logged-model-files", each, "timeout") for each in away}
    assert hashed(lab) == set(there)


def test_runs_that_a_gateway_gives_up_stop_no_other(lab: Followed, between: Gateway) -> None:
    runs = sorted(lab.rest.run() for _ in range(14))
    for run in runs:
        lab.rest.finish(run)
    away = runs[:6]
    between.fault = lambda address: 504 * ("runs/get?" in address and any(each in address for each in away))
    lab.sync()
    problems = SourceProblem.objects.values_list("kind", "external_id", "slug")
    assert set(problems) == {("run", each, "server-error") for each in away}
    assert lab.rows("run") == len(runs) - len(away)


def test_a_server_that_went_away_is_asked_a_few_times_more(lab: Followed, between: Gateway) -> None:
    trained(lab.rest, 20)
    gone: list[str] = []

    def fault(address: str) -> int:
        if gone or listed(address):
            gone.append(address)
        return 503 if gone else 0

    between.fault = fault
    lab.sync_job()
    assert Job.objects.get(kind="sync-files").state == Job.State.FAILED
    assert len(gone) <= (CIRCUIT + LISTINGS) * (1 + RETRIES)


def test_what_was_hashed_before_a_server_went_away_is_not_hashed_again(
    lab: Followed, between: Gateway
) -> None:
    last = list(trained(lab.rest, 5))[-1]
    gone: list[str] = []

    def fault(address: str) -> int:
        if gone or (files_of(address) and last in address):
            gone.append(address)
        return 401 if gone else 0

    between.fault = fault
    lab.sync_job()
    assert Job.objects.get(kind="sync-files").state == Job.State.FAILED
    between.fault = nothing
    between.asked.clear()
    lab.sync()
    looked_at = [address for address in between.asked if listed(address) or files_of(address)]
    assert looked_at
    assert all(last in address for address in looked_at)
    assert len(hashed(lab)) == 5


# Runs that can't be fetched


def test_the_end_of_a_run_that_could_not_be_fetched_is_recorded_by_a_later_poll(
    lab: Followed, between: Gateway
) -> None:
    run = lab.rest.run()
    lab.sync()
    lab.rest.finish(run)
    between.fault = lambda address: 500 * ("runs/get?" in address and run in address)
    for _ in range(2):
        lab.sync()
        assert lab.problems() == {("run", "server-error")}
        assert lab.newest("run", run).record["status"] == "RUNNING"
    between.fault = nothing
    lab.sync()
    assert lab.problems() == set()
    assert lab.newest("run", run).record["status"] == "FINISHED"
    assert lab.sync()["recorded"] == 0


def test_a_new_run_that_could_not_be_fetched_is_recorded_after_later_ones_have_ended(
    lab: Followed, between: Gateway, mlflow_service: LocalService
) -> None:
    rest, now = lab.rest, now_us() // 1000
    lab.sync()
    early, late, gone = rest.run(), rest.run(), rest.run()
    rest.finish(early, end=now - 3 * OVERLAP_MS)
    rest.finish(gone, end=now - 3 * OVERLAP_MS)
    rest.finish(late, end=now)
    between.fault = lambda address: 500 * ("runs/get?" in address and late not in address)
    lab.sync()
    assert lab.rows("run") == 1
    between.fault = nothing
    rest.post("runs/delete", run_id=gone)
    gc(mlflow_service, [gone])
    assert [line.split()[-1] for line in sync.dry_run(lab.name)] == [f"mlflow:lab/run/{early}"]
    assert lab.problems() == {("run", "server-error")}
    lab.sync()
    assert lab.problems() == set()
    assert lab.newest("run", early).record["status"] == "FINISHED"
    assert lab.rows("run") == 2


def test_a_change_that_a_sweep_could_not_fetch_is_recorded_by_the_next_poll(
    lab: Followed, between: Gateway
) -> None:
    """What a search leaves out, such as a model input, shows in no listing that differs."""
    rest = lab.rest
    base = rest.model(rest.run(), {"MLmodel": b"base"})
    run = rest.run()
    rest.finish(run, end=1_600_000_000_000)
    lab.sync()
    rest.uses_model(run, base)
    between.fault = lambda address: 500 * ("runs/get?" in address and run in address)
    lab.sync(sweep=True)
    between.fault = nothing
    lab.sync()
    assert [change.field for change in lab.newest("run", run).changes] == ["models_in"]
    assert lab.problems() == set()


# Files that were hashed before


def overwritten(lab: Followed, between: Gateway) -> tuple[str, str]:
    """A run with a file and its model, both written over with their sizes kept, and unreadable at the rehash
    after that."""
    rest = lab.rest
    run = rest.run()
    rest.file(run, "report.txt", b"good")
    model = rest.model(run, {"MLmodel": b"m", "model.pkl": b"good"})
    rest.finish(run)
    lab.sync()
    rest.file(run, "report.txt", b"evil")
    rest.model_file(model, "model.pkl", b"evil")
    between.fault = lambda address: 500 * address.endswith(("/report.txt", "/model.pkl"))
    lab.sync(sweep=True, rehash=True)
    assert lab.problems() == {("run-files", "server-error"), ("logged-model-files", "server-error")}
    return run, model


def test_a_file_that_a_rehash_could_not_read_is_read_by_the_next_sync(
    lab: Followed, between: Gateway
) -> None:
    run, model = overwritten(lab, between)
    before = lab.row("logged-model-files", model).entry_index
    said = lab.row(mlflow_state.PROVENANCE, run).entry_index
    lab.sync()  # the store is still away
    assert lab.row("logged-model-files", model).entry_index == before
    between.fault = nothing
    lab.sync()
    assert lab.problems() == set()
    for kind, thing, file in (
        ("run-files", run, "report.txt"),
        ("logged-model-files", model, "model.pkl"),
    ):
        found = lab.newest(kind, thing)
        assert [(each.field, each.name) for each in found.changes] == [("files", file)]
        assert found.after_end
    subjects = [dict(each.digests) for each in lab.statement(said).subjects]
    newest = lab.statement(lab.row(mlflow_state.PROVENANCE, run).entry_index)
    assert [dict(each.digests) for each in newest.subjects] == subjects
    between.asked.clear()
    assert lab.sync()["recorded"] == 0
    assert not [address for address in between.asked if "mlflow-artifacts" in address]


def test_files_that_go_on_failing_are_read_less_and_less_often(lab: Followed, between: Gateway) -> None:
    """Each try may read terabytes until it fails; a sweep tries in any case."""
    _, model = overwritten(lab, between)
    hour = 3600 * 1_000_000

    def read(failed_for: int, tried_ago: int, *, sweep: bool = False) -> bool:
        """Whether a sync reads what has failed for so long and was tried so long ago."""
        tried = now_us() - tried_ago
        SourceProblem.objects.update(first_us=tried - failed_for, last_us=tried)
        between.asked.clear()
        lab.sync(sweep=sweep)
        return any(address.endswith("/model.pkl") for address in between.asked)

    assert read(0, 0)
    assert not read(2 * hour, hour)
    assert lab.problems() == {("run-files", "server-error"), ("logged-model-files", "server-error")}
    assert read(2 * hour, hour, sweep=True)
    assert read(2 * hour, 3 * hour)
    assert read(100 * hour, 7 * hour)
    assert read(2 * hour, -hour)  # by a clock that has been set back since
    between.fault = nothing
    assert read(2 * hour, 3 * hour)
    assert lab.problems() == set()
    assert lab.newest("logged-model-files", model).after_end


def test_a_listing_that_failed_in_a_sweep_is_asked_for_by_the_next_sync(
    lab: Followed, between: Gateway
) -> None:
    rest = lab.rest
    run = rest.run()
    rest.file(run, "report.txt", b"good")
    rest.finish(run)
    lab.sync()
    rest.file(run, "late.txt", b"late")
    between.fault = lambda address: 500 * ("artifacts/list?" in address)
    assert lab.sync(sweep=True)["recorded"] == 0
    between.fault = nothing
    between.asked.clear()
    lab.sync()
    assert [(each.field, each.name) for each in lab.newest("run-files", run).changes] == [
        ("files", "late.txt")
    ]
    assert not any(address.endswith("/report.txt") for address in between.asked)

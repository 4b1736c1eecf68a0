"""What users of an MLflow server do after the fact, and what the platform then says. Prints the table.

Each change is made on a real server after a run was recorded as finished; one sweep must then record all of
them, with before and after, exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lineage.db.models import SourceObject
from lineage.localservices.service import LocalService
from lineage.predicates import mlflow_observation
from tests.integration.followed import Followed
from tests.mlflow_rest import Rest, gc


@dataclass
class Trained:
    """A finished run with a model, registered as version 1 of `registered` and its champion."""

    run: str
    model: str
    registered: str


@dataclass(frozen=True)
class Change:
    """`make` changes something; the newest observation of its thing then has `says` among its changes.

    `beside`: it is made to the training of that change, which is to another kind of thing.
    """

    name: str
    make: Callable[[Rest, Trained], Any]
    kind: str
    says: tuple[str, str, str | None, str | None]
    beside: str = ""
    late: bool = True

    def id(self, trained: Trained) -> str:
        return {
            "run": trained.run,
            "run-files": trained.run,
            "logged-model": trained.model,
            "logged-model-files": trained.model,
            "registered-model": trained.registered,
            "model-version": f"{trained.registered}/1",
        }[self.kind]


ANY = "*"


def _delete_run(rest: Rest, trained: Trained) -> None:
    rest.post("runs/delete", run_id=trained.run)


def _second_champion(rest: Rest, trained: Trained) -> None:
    other = rest.model(trained.run, {"MLmodel": b"second", "model.pkl": b"second"})
    rest.alias(trained.registered, "champion", rest.version(trained.registered, other, trained.run))


CHANGES = (
    Change("a tag added", lambda r, t: r.tag(t.run, "note", "late"), "run", ("tags", "note", None, "late")),
    Change("a tag changed", lambda r, t: r.tag(t.run, "stage", "b"), "run", ("tags", "stage", "a", "b")),
    Change(
        "a tag deleted",
        lambda r, t: r.post("runs/delete-tag", run_id=t.run, key="stage"),
        "run",
        ("tags", "stage", "a", None),
    ),
    Change("a param added", lambda r, t: r.param(t.run, "late", "1"), "run", ("params", "late", None, "1")),
    Change("a metric added", lambda r, t: r.metric(t.run, "auc", 0.5), "run", ("metrics", "auc", None, ANY)),
    Change(
        "a metric logged again",
        lambda r, t: r.metric(t.run, "acc", 0.99, 1_790_000_040_000),
        "run",
        ("metrics", "acc", ANY, ANY),
    ),
    Change("a dataset added", lambda r, t: r.dataset(t.run, "extra"), "run", ("datasets", ANY, None, ANY)),
    Change(
        "a base model added",
        lambda r, t: r.uses_model(t.run, r.model(r.run(), {"MLmodel": b"base"})),
        "run",
        ("models_in", ANY, None, ANY),
    ),
    Change(
        "an artifact added",
        lambda r, t: r.file(t.run, "late.txt", b"late"),
        "run-files",
        ("files", "late.txt", None, ANY),
        beside="a tag added",
    ),
    Change(
        "an artifact overwritten",
        lambda r, t: r.file(t.run, "report.txt", b"HI"),
        "run-files",
        ("files", "report.txt", ANY, ANY),
        beside="a tag changed",
    ),
    Change(
        "a ready model's file overwritten, same size",
        lambda r, t: r.model_file(t.model, "model.pkl", b"evil"),
        "logged-model-files",
        ("files", "model.pkl", ANY, ANY),
        beside="a tag deleted",
    ),
    Change(
        "a file added to a ready model",
        lambda r, t: r.model_file(t.model, "extra.bin", b"1"),
        "logged-model-files",
        ("files", "extra.bin", None, ANY),
        beside="a param added",
    ),
    Change("a run deleted", _delete_run, "run", ("state", ANY, "present", "deleted")),
    Change(
        "a run reopened",
        lambda r, t: r.post("runs/update", run_id=t.run, status="RUNNING"),
        "run",
        ("status", ANY, "FINISHED", "RUNNING"),
    ),
    Change(
        "a run that failed after all",
        lambda r, t: r.finish(t.run, "FAILED"),
        "run",
        ("status", ANY, "FINISHED", "FAILED"),
    ),
    Change(
        "a run's end moved back",
        lambda r, t: r.finish(t.run, end=1_600_000_000_000),
        "run",
        ("times", ANY, ANY, ANY),
    ),
    Change(
        "a run's end moved into the future",
        lambda r, t: r.finish(t.run, end=4_000_000_000_000),
        "run",
        ("times", ANY, ANY, ANY),
    ),
    Change(
        "a logged model deleted",
        lambda r, t: r.call("DELETE", f"mlflow/logged-models/{t.model}"),
        "logged-model",
        ("state", ANY, "present", "purged"),
        beside="a metric added",
    ),
    Change(
        "an alias moved",
        _second_champion,
        "registered-model",
        ("aliases", "champion", "1", "2"),
        beside="a metric logged again",
        late=False,
    ),
    Change(
        "an alias removed",
        lambda r, t: r.call(
            "DELETE", "mlflow/registered-models/alias", {"name": t.registered, "alias": "champion"}
        ),
        "registered-model",
        ("aliases", "champion", "1", None),
        beside="a dataset added",
        late=False,
    ),
    Change(
        "a version deleted",
        lambda r, t: (
            r.call("DELETE", "mlflow/model-versions/delete", {"name": t.registered, "version": "1"}),
        ),
        "model-version",
        ("state", ANY, "present", "purged"),
        beside="a run's end moved back",
        late=False,
    ),
    Change(
        "a version's stage moved",
        lambda r, t: r.post(
            "model-versions/transition-stage",
            name=t.registered,
            version="1",
            stage="Production",
            archive_existing_versions=False,
        ),
        "model-version",
        ("stage", ANY, "None", "Production"),
        beside="a run that failed after all",
        late=False,
    ),
)


@pytest.fixture
def lab(graph: Callable[[], int], emptied_mlflow: LocalService) -> Followed:
    followed = Followed(Rest(emptied_mlflow.url), graph)
    followed.follow()
    return followed


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[list[str]]:
    lines: list[str] = []
    yield lines
    print("\nchange on the server -> what the platform says", *lines, sep="\n")


def train(rest: Rest, name: str) -> Trained:
    run = rest.run()
    rest.tag(run, "stage", "a")
    rest.metric(run, "acc", 0.9)
    rest.file(run, "report.txt", b"hi")
    model = rest.model(run, {"MLmodel": b"flavors: {}\n", "model.pkl": b"good"})
    rest.finish(run)
    rest.post("registered-models/create", name=name)
    rest.alias(name, "champion", rest.version(name, model, run))
    return Trained(run, model, name)


def test_changes_after_the_fact(lab: Followed, table: list[str]) -> None:
    """Each change is the only one of its kind of thing that a training gets, and is looked at there."""
    places = {change.name: change.beside or change.name for change in CHANGES}
    assert len({(places[change.name], change.kind) for change in CHANGES}) == len(CHANGES)
    trainings = {place: train(lab.rest, f"model of {place}") for place in sorted(set(places.values()))}
    trained = {name: trainings[place] for name, place in places.items()}
    lab.sync()
    before = {change.name: lab.row(change.kind, change.id(trained[change.name])) for change in CHANGES}
    for change in CHANGES:
        change.make(lab.rest, trained[change.name])
    lab.sync(sweep=True, rehash=True)
    for change in CHANGES:
        told(lab, change, trained[change.name], before[change.name], table)
    once = lab.entries()
    lab.sync(sweep=True, rehash=True)
    assert lab.entries() == once


def told(lab: Followed, change: Change, trained: Trained, before: SourceObject, table: list[str]) -> None:
    """The newest observation says what was changed, and follows the one that was there before."""
    found = lab.newest(change.kind, change.id(trained))
    if not found.changes:  # a champion's bytes are told once they are known, after the alias
        assert found.previous is not None, change.name
        assert found.about, change.name
        found = mlflow_observation.read(lab.statement(found.previous.entry))
    table += [f"{change.name}: {c.field} {c.name} {c.before} -> {c.after}" for c in found.changes]
    assert lab.row(change.kind, change.id(trained)).entry_index > before.entry_index, change.name
    assert any(
        all(
            want in {ANY, got}
            for want, got in zip(change.says, (c.field, c.name, c.before, c.after), strict=True)
        )
        for c in found.changes
    ), (change.name, found.changes)
    assert found.after_end is change.late, change.name
    assert found.previous is not None, change.name
    assert (found.previous.entry, found.previous.record) == (before.entry_index, before.digest), change.name


def test_deleted_restored_and_purged_with_all_that_went_along(
    lab: Followed, mlflow_service: LocalService, table: list[str]
) -> None:
    """`mlflow gc` takes the run for good; what it leaves and what it takes is each asked for by its id."""
    trained = train(lab.rest, "model of a purged run")
    lab.sync()
    first = lab.row("run", trained.run).entry_index
    lab.rest.post("runs/delete", run_id=trained.run)
    lab.sync(sweep=True)
    lab.rest.post("runs/restore", run_id=trained.run)
    lab.sync(sweep=True)
    restored = lab.newest("run", trained.run)
    assert [(c.field, c.before, c.after) for c in restored.changes] == [("state", "deleted", "present")]
    lab.rest.post("runs/delete", run_id=trained.run)
    lab.sync(sweep=True)
    gc(mlflow_service, [trained.run])
    lab.sync(sweep=True)
    gone = lab.newest("run", trained.run)
    assert (gone.object.state, gone.after_end) == ("purged", True)
    table.append(f"a run restored: {restored.changes[0]}")
    table.append(f"a run purged by gc: {gone.changes[0]}")
    entries = [gone]
    while (before := entries[-1].previous) is not None:
        entries.append(mlflow_observation.read(lab.statement(before.entry)))
    assert [each.object.state for each in entries] == ["purged", "deleted", "present", "deleted", "present"]
    assert lab.row("run", trained.run).first_index == first
    for kind in ("run-files", "logged-model", "logged-model-files"):
        row = lab.row(kind, trained.run if kind == "run-files" else trained.model)
        table.append(f"  and its {kind}: {row.state}")
        assert (kind, row.state) == (kind, "purged" if kind == "run-files" else "present")
    assert lab.problems() == set()
    once = lab.entries()
    lab.sync(sweep=True, rehash=True)
    assert lab.entries() == once


def test_a_run_that_never_ends_is_looked_at_each_time(lab: Followed, table: list[str]) -> None:
    run = lab.rest.run(name="never ends")
    lab.sync()
    for value in ("1", "2"):
        lab.rest.tag(run, "epoch", value)
        lab.sync()
        found = lab.newest("run", run)
        assert (found.record["tags"]["epoch"], found.after_end) == (value, False)
    table.append("a run that never ends: each of its states, none of them after its end")

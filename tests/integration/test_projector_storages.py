"""Which changes of storages make the graph anew, and that the others change nothing in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection

from lineage.graph import sql
from lineage.graph.locations import Root
from lineage.graph.status_copies import roots_of
from lineage.services import project, redactions, sources, storage_changes, storage_records
from lineage.services.source_values import SourceValues
from lineage.services.storage_values import StorageValues
from tests import factories
from tests.integration.projections import deployment, dump, send, the_same_after_a_rebuild

pytestmark = pytest.mark.usefixtures("log")

WHO = "operator@example.com"
HERE = "s3://models/prod/a.bin"


def follow() -> sql.State:
    while project.project_pending(50):
        pass
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
    assert state is not None
    assert state.rules == project.fingerprint()
    return state


def add(uri: str, name: str = "bucket", kind: str = "s3") -> None:
    storage_records.add(name, kind, StorageValues(uri=uri), by=WHO)
    send_another()


def send_another() -> None:
    """The graph is looked at once there is something to follow."""
    send(factories.registered(), deployment(factories.fresh("d"), factories.artifact(factories.fresh("a"))))


@pytest.fixture
def begun() -> sql.State:
    """A graph with a location that is no copy yet."""
    send(factories.registered(), deployment("d", factories.artifact("a", downloadLocation=HERE)))
    return follow()


@pytest.mark.parametrize(
    "uri", ["s3://other", "s3://models/test", "gs://models", "https://models.example/prod"]
)
def test_a_storage_under_which_nothing_lies_leaves_the_graph(begun: sql.State, uri: str) -> None:
    kind = {"s3": "s3", "gs": "gcs", "https": "http"}[uri.partition(":")[0]]
    add(uri, kind=kind)
    after = follow()
    assert after.generation == begun.generation
    assert after.rules != begun.rules
    storage_records.remove("bucket", by=WHO)
    send_another()
    assert follow().generation == begun.generation
    the_same_after_a_rebuild()


def test_a_source_of_which_nothing_is_known_leaves_the_graph(begun: sql.State) -> None:
    sources.add("lab", SourceValues(url="https://mlflow.example"), by=WHO)
    send_another()
    assert follow().generation == begun.generation
    the_same_after_a_rebuild()


def test_a_storage_makes_copies_of_what_lies_under_it(begun: sql.State) -> None:
    add("s3://models/prod")
    after = follow()
    assert after.generation != begun.generation
    assert [row[1:4] for row in dump()["copies"]] == [(HERE, "bucket", "never-checked")]
    add("s3://models", "wider")
    wider = follow()
    assert wider.generation == after.generation, "it lies deeper in the other one still"
    assert [row[2] for row in dump()["copies"]] == ["bucket"]
    storage_records.remove("bucket", by=WHO)
    send_another()
    assert follow().generation != wider.generation
    assert [row[2] for row in dump()["copies"]] == ["wider"]


def test_a_location_counts_whoever_stated_it() -> None:
    """It is a copy again where its signer is believed again, as after the offline root has said so."""
    thief = factories.registered()
    send(thief, deployment("d", factories.artifact("a", downloadLocation=HERE)))
    factories.revoke(thief)
    before = follow()
    add("s3://models")
    assert follow().generation != before.generation


def test_where_many_locations_begin_so_the_graph_is_made_anew(
    begun: sql.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_changes, "MOST", 0)
    add("s3://models/test")
    assert follow().generation != begun.generation


def test_an_entry_that_comes_meanwhile_is_looked_at(
    begun: sql.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with the old storages projects it between the question and its answer."""
    where = "s3://others/b.bin"
    real, asked = storage_changes.moves, list[bool]()

    def meanwhile(before: tuple[Root, ...], after: tuple[Root, ...]) -> bool:
        asked.append(real(before, after))
        if len(asked) == 1:
            with monkeypatch.context() as patched:
                patched.setattr(project, "_stands", lambda look: pytest.fail("the old storages"))
                patched.setattr(project.storages, "roots_of", lambda rows: before)  # type: ignore[attr-defined]
                assert project.project_pending() > 0
        return asked[-1]

    monkeypatch.setattr(storage_changes, "moves", meanwhile)
    storage_records.add("bucket", "s3", StorageValues(uri="s3://others"), by=WHO)
    send(factories.registered(), deployment("d", factories.artifact("b", downloadLocation=where)))
    send_another()
    after = follow()
    assert asked == [False, True]
    assert after.generation != begun.generation
    assert [row[1] for row in dump()["copies"]] == [where]


def test_other_rules_or_a_redaction_make_the_graph_anew(
    begun: sql.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside a storage that moves nothing."""
    with connection.cursor() as cursor:
        assert sql.relabel(cursor, begun, begun.rules.replace("v", "v0", 1))
    add("s3://other")
    after = follow()
    assert after.generation != begun.generation
    with connection.cursor() as cursor:
        assert sql.relabel(cursor, after, f"{after.rules} redacted 1")
    assert redactions.mark() == 0
    add("s3://another", "another")
    assert follow().generation != after.generation


def test_only_the_state_that_was_seen_is_relabelled(begun: sql.State) -> None:
    others = (
        replace(begun, projected=begun.projected - 1),
        replace(begun, generation=begun.generation + 1),
        replace(begun, rules=begun.rules + " redacted 1"),
    )
    with connection.cursor() as cursor:
        assert [sql.relabel(cursor, seen, "others") for seen in others] == [False] * 3
        assert sql.read_state(cursor) == begun
        assert sql.relabel(cursor, begun, "others")
    assert roots_of(begun.rules) == ()

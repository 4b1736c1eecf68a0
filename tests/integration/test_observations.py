"""What was observed of a node, of a registered model's aliases, and of runs' gaps, at every moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lineage.db.models import Entry, Envelope
from lineage.errors import NotFoundError
from lineage.mlflow import records
from lineage.services import as_of, lineage, observations, registered_models
from lineage.services.as_of import AsOf
from lineage.services.observed_entries import Observed
from tests import factories, observing
from tests.integration.test_publish import lifted
from tests.observing import Observing, folder_key, run_node

FILES = {"MLmodel": "flavors", "model.pkl": "weights"}
ALTERED = {**FILES, "model.pkl": "weightz"}


def now() -> AsOf:
    return as_of.resolve(None)


def at(size: int) -> AsOf:
    return as_of.resolve(str(size))


def told(found: Observed) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.field, each.name, each.before, each.after) for each in found.changes]


def unsaid(index: int) -> None:
    """Take the envelope's bytes away, as a redaction does."""
    with lifted("log_envelope"):
        Envelope.objects.filter(pk=index).delete()


@pytest.fixture
def lab(graph: Callable[[], int]) -> Observing:
    return Observing()


def test_a_change_after_the_end_has_before_and_after(lab: Observing, graph: Callable[[], int]) -> None:
    first = lab.run("r1", tags={"stage": "a"})
    second = lab.run("r1", tags={"approved": "yes"})
    graph()
    newest, oldest = observations.of_node(run_node("r1"), now()).observed
    assert (newest.index, newest.after_end, newest.first) == (second, True, False)
    assert told(newest) == [("tags", "approved", None, "yes"), ("tags", "stage", "a", None)]
    assert (oldest.index, oldest.first, oldest.changes) == (first, True, ())
    assert (oldest.key, oldest.source, oldest.id) == (run_node("r1"), "lab", "r1")


def test_each_moment_shows_what_was_shown_then(lab: Observing, graph: Callable[[], int]) -> None:
    shown: dict[int, Any] = {}

    def look() -> None:
        graph()
        moment = now()
        shown[moment.size] = _everything(moment)

    steps: list[Callable[[], int]] = [
        lambda: lab.run("r1", gaps=["code-unrecorded"]),
        lambda: lab.model("m-1", FILES),
        lambda: lab.version("fraud", "1", "m-1", FILES),
        lambda: lab.registered("fraud", {"champion": "1"}),
        lambda: lab.run("r1", tags={"late": "yes"}, gaps=["uncommitted-code"]),
        lambda: lab.model("m-1", ALTERED),
        lambda: lab.version("fraud", "2", "m-1", ALTERED),
        lambda: lab.registered("fraud", {"champion": "2", "old": "1"}),
        lambda: lab.gone("model-version", "fraud/1"),
        lambda: lab.registered("fraud", {}),
        lambda: lab.gone("registered-model", "fraud"),
        lambda: lab.gone("run", "r1"),
    ]
    for step in steps:
        step()
        look()
    assert len({repr(each) for each in shown.values()}) == len(steps)
    for size, then in shown.items():
        assert _everything(at(size)) == then, size


def _everything(moment: AsOf) -> dict[str, Any]:
    found: dict[str, Any] = {"history": registered_models.alias_history("lab", "fraud", moment)}
    for name, key in (
        ("run", run_node("r1")),
        ("model", folder_key(FILES)),
        ("altered", folder_key(ALTERED)),
    ):
        try:
            found[name] = observations.of_node(key, moment), registered_models.of_node(key, moment)
            found[f"{name} gaps"] = lineage.gaps(key, moment)
        except NotFoundError:
            found[name] = None
    try:
        found["page"] = registered_models.model("lab", "fraud", moment)
    except NotFoundError:
        found["page"] = None
    found["changed"] = observations.after_the_fact(moment, 0, 50)
    return found


def test_both_the_bytes_before_and_after_show_that_a_model_was_overwritten(
    lab: Observing, graph: Callable[[], int]
) -> None:
    lab.model("m-1", FILES)
    altered = lab.model("m-1", ALTERED)
    graph()
    for key in (folder_key(FILES), folder_key(ALTERED)):
        newest = observations.of_node(key, now()).observed[0]
        assert (newest.index, newest.kind, newest.after_end) == (altered, "logged-model-files", True)
        assert [change[:2] for change in told(newest)] == [("files", "model.pkl")]


def test_a_logged_model_edited_and_gone_is_shown_with_its_bytes(
    lab: Observing, graph: Callable[[], int]
) -> None:
    raw = {"info": {"model_id": "m-1", "name": "fraud", "status": "LOGGED_MODEL_READY"}}
    lab.offer(records.logged_model(raw))
    lab.model("m-1", FILES)
    raw["info"]["tags"] = [{"key": "approved", "value": "no"}]  # type: ignore[assignment]
    edited = lab.offer(records.logged_model(raw))
    gone = lab.gone("logged-model", "m-1")
    graph()
    seen = observations.of_node(folder_key(FILES), now()).observed
    assert [each.index for each in seen][:2] == [gone, edited]
    assert (seen[0].state, told(seen[0])) == ("purged", [("state", "", "present", "purged")])
    changed = observations.after_the_fact(now(), 0, 50)
    assert [(each.index, each.key) for each in changed.observed] == [
        (gone, folder_key(FILES)),
        (edited, folder_key(FILES)),
    ]


def test_who_was_champion_when(lab: Observing, graph: Callable[[], int]) -> None:
    first = lab.registered("fraud", {"champion": "1"})
    second = lab.registered("fraud", {"champion": "2", "previous": "1"})
    third = lab.registered("fraud", {"previous": "1"})
    fourth = lab.registered("fraud", {"champion": "1", "previous": "1"})
    graph()
    history = registered_models.alias_history("lab", "fraud", now())
    assert history.complete
    assert [(s.alias, s.version, s.from_index, s.to_index, s.since_first) for s in history.spells] == [
        ("champion", "1", fourth, None, False),
        ("previous", "1", second, None, False),
        ("champion", "2", second, third, False),
        ("champion", "1", first, second, True),
    ]
    assert history.spells[2].to_entry == "sha256:" + Entry.objects.get(index=third).envelope_digest
    then = registered_models.alias_history("lab", "fraud", at(second + 1))
    assert [(s.alias, s.version, s.to_index) for s in then.spells] == [
        ("champion", "2", None),
        ("previous", "1", None),
        ("champion", "1", second),
    ]
    assert registered_models.alias_history("lab", "fraud", at(first)).spells == ()
    assert registered_models.alias_history("lab", "none", now()).spells == ()


def test_a_registered_model_has_its_own_versions_alone(lab: Observing, graph: Callable[[], int]) -> None:
    lab.model("m-1", FILES)
    for version in ("1", "2", "10"):
        lab.version("fraud", version, "m-1", FILES)
    lab.version("fraud/deep", "3", "m-1", FILES)
    lab.version("fraud%", "4", "m-1", FILES)
    lab.registered("fraud", {"champion": "10"})
    graph()
    found = registered_models.model("lab", "fraud", now())
    assert [(each.version, each.aliases) for each in found.versions] == [
        ("10", ("champion",)),
        ("2", ()),
        ("1", ()),
    ]
    assert found.version_total == 3
    assert {each.artifact for each in found.versions} == {folder_key(FILES)}
    assert {each.run for each in found.versions} == {run_node("r1")}
    names = {(each.model, each.version) for each in registered_models.of_node(folder_key(FILES), now())}
    assert names == {("fraud", "1"), ("fraud", "2"), ("fraud", "10"), ("fraud/deep", "3"), ("fraud%", "4")}


def test_thousands_of_observations_cost_what_fifty_do(lab: Observing, graph: Callable[[], int]) -> None:
    for number in range(130):
        lab.run("r1", tags={"step": str(number)})
    graph()
    with CaptureQueriesContext(connection) as queries:
        seen = observations.of_node(run_node("r1"), now())
    assert (len(seen.observed), seen.older) == (50, 80)
    assert len(queries) < 15
    assert [each.index for each in seen.observed] == sorted(
        (each.index for each in seen.observed), reverse=True
    )


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_an_entry_without_its_bytes_leaves_the_others(
    lab: Observing, graph: Callable[[], int], taken: int
) -> None:
    places = [lab.registered("fraud", {"champion": str(number)}) for number in (1, 2, 3)]
    runs = [lab.run("r1", tags={"n": str(number)}, gaps=["code-unrecorded"]) for number in (1, 2, 3)]
    graph()
    unsaid(places[taken])
    unsaid(runs[taken])
    seen = observations.of_node(run_node("r1"), now()).observed
    assert [each.index for each in seen] == runs[::-1]
    assert [each.readable for each in seen] == [each.index != runs[taken] for each in seen]
    history = registered_models.alias_history("lab", "fraud", now())
    assert not history.complete
    assert {spell.version for spell in history.spells} == {str(n) for n in range(taken + 2, 4)}
    assert {gap.slug for gap in lineage.gaps(run_node("r1"), now())} >= {"code-unrecorded"}


def test_what_a_pipeline_says_to_have_observed_is_no_observation(
    lab: Observing, graph: Callable[[], int]
) -> None:
    lab.run("r1")
    other = factories.registered()
    record = observing.run("r1", tags={"injected": "yes"})
    predicate = {
        "source": "lab",
        "object": {"kind": "run", "id": "r1", "state": "present", "name": "r1"},
        "observedAt": "2026-03-09T02:00:00Z",
        "record": record.content,
        "afterEnd": True,
        "changes": [{"field": "tags", "name": "injected", "after": "yes"}],
        "gaps": ["code-unrecorded"],
    }
    subject = {"name": "x", "digest": {"sha256": record.digest}}
    from lineage.errors import LineageError
    from lineage.services import intake

    said = factories.statement(subject, predicate_type=observing.TYPE, predicate=predicate)
    try:
        intake.submit(other.envelope(said), token="tests")
    except LineageError:
        return
    graph()
    assert len(observations.of_node(run_node("r1"), now()).observed) == 1
    assert "code-unrecorded" not in {gap.slug for gap in lineage.gaps(run_node("r1"), now())}


def test_changes_after_the_fact_of_recent_days(lab: Observing, graph: Callable[[], int]) -> None:
    lab.run("r1", status="RUNNING")
    lab.run("r1", status="FINISHED")
    lab.run("r2")
    first = lab.run("r2", tags={"late": "1"})
    second = lab.run("r2", tags={"late": "2"})
    graph()
    found = observations.after_the_fact(now(), 0, 1)
    assert ([each.index for each in found.observed], found.total, found.complete) == ([second], 2, True)
    received = Entry.objects.get(index=second).received_us
    assert observations.after_the_fact(now(), received, 10).total == 1
    assert observations.after_the_fact(now(), received + 1, 10).total == 0
    assert [each.index for each in observations.after_the_fact(at(second), 0, 10).observed] == [first]


GAPS = [
    "base-model-unrecorded",
    "base-model-undigested",
    "dataset-undigested",
    "code-unrecorded",
    "uncommitted-code",
]


def test_what_a_run_did_not_record_is_a_gap_until_a_signed_statement_says_it(
    lab: Observing, graph: Callable[[], int]
) -> None:
    observed = lab.run("r1", gaps=GAPS)
    graph()
    gaps = {gap.slug: gap for gap in lineage.gaps(run_node("r1"), now())}
    assert gaps.keys() >= set(GAPS)
    assert "lineage.base_model" in gaps["base-model-unrecorded"].closes
    assert "urn:lineage:mlflow:lab and the invocation id r1" in gaps["code-unrecorded"].closes
    assert "training-run" in gaps["dataset-undigested"].command
    assert (gaps["uncommitted-code"].command, gaps["uncommitted-code"].signers) == ("", ())

    signer = factories.registered(name="trainer")
    assert lineage.gaps(run_node("r1"), now())[-1].key == run_node("r1")
    said = factories.provenance(
        [factories.artifact("m")],
        [factories.artifact("d")],
        builder="urn:lineage:mlflow:lab",
        invocation="r1",
    )
    from lineage.services import intake

    intake.submit(signer.envelope(said), token="tests")
    graph()
    assert {gap.slug for gap in lineage.gaps(run_node("r1"), now())} & set(GAPS) == {"uncommitted-code"}
    before = {gap.slug for gap in lineage.gaps(run_node("r1"), at(observed + 1))}
    assert before >= set(GAPS)

    factories.revoke(signer)
    graph()
    assert {gap.slug for gap in lineage.gaps(run_node("r1"), now())} >= set(GAPS)


def test_a_gap_is_closed_by_the_newest_observation(lab: Observing, graph: Callable[[], int]) -> None:
    lab.run("r1", gaps=["code-unrecorded", "base-model-unrecorded"])
    lab.run("r1", tags={"lineage.base_model": "none"}, gaps=["code-unrecorded"])
    for number in range(5):
        found = [records.FileFound(f"{number}.txt", 1, factories.sha256(str(number)))]
        lab.offer(records.files("run-files", "r1", "run r1", found, ended=True))
    graph()
    slugs = {gap.slug for gap in lineage.gaps(run_node("r1"), now())} & set(GAPS)
    assert slugs == {"code-unrecorded"}

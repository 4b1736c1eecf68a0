"""Nothing is concluded from a graph that does not tell all of the log: while it is behind, or made anew."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django.db import connections

from lineage.db.models import Job
from lineage.errors import GraphBehindError, NotFoundError
from lineage.services import (
    as_of,
    check_asked,
    copies,
    decide_incidents,
    export_closure,
    follow,
    gate,
    incidents,
    job_kinds,
    jobs,
    lineage,
    log_head,
    node_record,
    project,
    redact,
    retention,
    reverify,
    standing,
    storages,
)
from lineage.services.clock import now_us
from lineage.services.export_records import Export
from lineage.services.lineage_records import NodeRecord
from lineage.trust.forgetting_decisions import Retention, RetentionClass
from tests import factories
from tests.conftest import Api, problem
from tests.factories import PERSON
from tests.integration.made_anew import emptied, made_by_others, replayed
from tests.integration.projections import ROOT, check, key_of, observe, send
from tests.integration.redacting import WHY, envelope_of, stored

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]
PLACE = f"file://{ROOT}/m.bin"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and no entry is too new to be asked for."""
    monkeypatch.setattr(standing, "LATE_US", 0)
    monkeypatch.setattr(redact, "GRAPH_SECONDS", 0.0)
    monkeypatch.setattr(standing, "JOB_SECONDS", 0.0)


@pytest.fixture
def bad(graph: Follow) -> int:
    """The entry that says where a bad copy of `m` lies; the mismatch comes after it."""
    index = send(factories.registered(), factories.statement(factories.artifact("m", downloadLocation=PLACE)))
    observe(check(factories.sha256("m"), PLACE, "mismatch", now_us()))
    graph()
    return index


def job_of(kind: str) -> Job:
    return Job.objects.filter(kind=kind).latest("pk")


def test_what_stands(graph: Follow, bad: int) -> None:
    size = graph()
    watch = standing.begin(size)
    assert standing.of(size) == watch.version
    assert watch.stands()
    assert standing.of(size + 1) is None
    made_by_others()
    assert standing.of(size) is None
    assert watch.stands(), "nobody has emptied it yet"
    replayed(bad)
    assert not watch.stands()
    assert standing.of(bad) is not None
    with pytest.raises(GraphBehindError):
        watch.check()
    with pytest.raises(GraphBehindError):
        standing.begin(size)


def test_who_waits_goes_on_once_it_stands(graph: Follow, bad: int) -> None:
    size = graph()
    emptied()

    def tick() -> None:
        project.project_pending()

    assert standing.begin(size, 60, tick).size == size


def test_what_is_emptied_while_it_is_read_is_noticed(graph: Follow, bad: int) -> None:
    size = graph()
    with pytest.raises(GraphBehindError), standing.whole(size):
        emptied()
    graph()
    with pytest.raises(GraphBehindError), standing.whole(size):
        project.rebuild()


def test_what_proves_a_failure_is_not_erased(graph: Follow, bad: int) -> None:
    for entries in (bad + 1, 0):
        replayed(entries)
        with pytest.raises(GraphBehindError):
            redact.redact([envelope_of(bad)], WHY, person=PERSON)
    retention.adopt(Retention((RetentionClass("all", 1),), "the board"), person=PERSON)
    replayed(bad + 1)
    with pytest.raises(GraphBehindError):
        retention.enforce(now_us() + 2 * retention.DAY_US, log_head.size())
    assert stored(bad)
    graph()
    assert retention.enforce(now_us() + 2 * retention.DAY_US, log_head.size())[0] == 0
    assert lineage.node(key_of("m"), as_of.resolve(None)).reasons == ("copy-mismatch",)


def test_a_job_waits_for_the_graph_and_loses_no_attempt(graph: Follow, bad: int) -> None:
    kinds = [each for each in job_kinds.KINDS if each.name == retention.KIND]
    replayed(bad)
    number = jobs.enqueue(retention.KIND, "")
    jobs.drain("w", kinds=kinds)
    job = Job.objects.get(pk=number)
    assert (job.state, job.attempts) == ("queued", 0)
    assert "GraphBehindError" in job.error
    graph()
    Job.objects.filter(pk=number).update(due_us=0)
    jobs.drain("w", kinds=kinds)
    assert Job.objects.get(pk=number).state == "done"


def test_a_job_brings_the_graph_level_where_nobody_does(
    graph: Follow, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "JOB_SECONDS", 60.0)
    emptied()
    jobs.enqueue(reverify.KIND, key_of("m"))
    jobs.enqueue(retention.KIND, "")
    jobs.drain("w")
    assert [job.state for job in Job.objects.order_by("pk")] == ["done", "done"]
    assert project.watermark() > bad


def test_who_waits_for_the_graph_waits_for_no_stream(
    graph: Follow, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries come as fast as they are followed: the gate's command and jobs would wait for their end."""
    who, real, sent = factories.registered(), project.project_pending, list[int]()

    def another() -> None:
        sent.append(send(who, factories.statement(factories.artifact())))
        connections.close_all()

    def meanwhile(limit: int) -> int:
        if len(sent) < 20:
            sender = Thread(target=another)
            sender.start()
            sender.join()
        return real(limit)

    monkeypatch.setattr(project, "project_pending", meanwhile)
    goal = log_head.size()
    follow.project()
    assert len(sent) == 1
    assert project.watermark() >= goal


def test_a_job_that_follows_a_long_log_gives_way_to_a_stop(
    graph: Follow, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "JOB_SECONDS", 60.0)
    monkeypatch.setattr(follow, "FIRST", 1)
    monkeypatch.setattr(follow, "BATCH", 1)
    emptied()
    jobs.enqueue(reverify.KIND, key_of("m"))
    jobs.drain("w", stop=lambda: project.watermark() >= 2)
    assert (job_of(reverify.KIND).state, job_of(reverify.KIND).attempts) == ("queued", 0)
    assert project.watermark() == 2 < log_head.size()


def test_the_gate_stays_shut(graph: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    send(factories.registered(), factories.statement(factories.artifact("m", downloadLocation=PLACE)))
    observe(check(factories.sha256("m"), PLACE, "match", now_us()))
    key, size = key_of("m"), graph()

    def judged() -> gate.GateAnswer:
        return gate.judge(key, wait_seconds=0.0)

    assert judged().verdict == "open"
    replayed(size - 1)
    answer = judged()
    assert (answer.verdict, answer.reasons[-1].slug) == ("inconclusive", "graph-behind")
    emptied()
    with pytest.raises(GraphBehindError, match=f"does not know {key}"):
        judged()
    graph()
    with pytest.raises(NotFoundError):
        gate.judge(key_of("nobody's"), wait_seconds=0.0)
    made_by_others()
    answer = judged()
    assert (answer.verdict, answer.reasons[-1].slug) == ("inconclusive", "graph-behind")
    assert "made anew" in answer.reasons[-1].sentence
    graph()


def test_the_gate_looks_again_where_the_graph_was_emptied_meanwhile(
    graph: Follow, bad: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = node_record.node, list[int]()

    def meanwhile(key: str, moment: as_of.AsOf, **more: Any) -> NodeRecord:
        asked.append(moment.size)
        if len(asked) == 1:
            replayed(bad + 1)
            moment = as_of.resolve(None)
        found = real(key, moment, **more)
        graph()
        return found

    monkeypatch.setattr(node_record, "node", meanwhile)
    answer = gate.judge(key_of("m"), wait_seconds=60.0)
    assert len(asked) == 2
    assert [reason.slug for reason in answer.reasons] == ["copy-mismatch"]
    assert answer.verdict == "closed"


def test_by_rest_a_gate_that_can_t_tell_is_no_404(api: Api, graph: Follow, bad: int) -> None:
    emptied()
    assert problem(api.get(f"/api/v1/nodes/{key_of('m')}/gate")) == (503, "unavailable")


def test_the_schedule_reads_no_copy_for_what_was_not_replayed(graph: Follow) -> None:
    index = send(factories.registered(), factories.statement(factories.artifact("m", downloadLocation=PLACE)))
    observe(check(factories.sha256("m"), PLACE, "match", now_us()))
    graph()
    assert list(reverify.due(now_us())) == []
    replayed(index + 1)
    (place,) = storages.listed()
    assert copies.is_any_due(place.name, now_us()), "its check was not replayed yet"
    assert list(reverify.due(now_us())) == []


@pytest.mark.parametrize("key", ["all", "due"])
def test_no_copy_is_left_out_of_a_check_for_its_sake(graph: Follow, bad: int, key: str) -> None:
    replayed(bad)
    jobs.enqueue(reverify.KIND, key)
    jobs.drain("w")
    assert (job_of(reverify.KIND).state, job_of(reverify.KIND).attempts) == ("queued", 0)
    graph()
    Job.objects.update(due_us=0)
    jobs.drain("w")
    assert (job_of(reverify.KIND).state, (job_of(reverify.KIND).result or {})["gone"].keys()) == (
        "done",
        {place.name for place in storages.listed()},
    )


def test_a_graph_that_is_emptied_between_two_pages_is_no_end(
    graph: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "PAGE", 1)
    for name in ("a", "b"):
        made = factories.artifact(name, downloadLocation=f"file://{ROOT}/{name}.bin")
        send(factories.registered(), factories.statement(made))
    watch = standing.begin(graph())
    (asked,) = check_asked.asked("all", watch)
    assert len(next(asked.pages)) == 1
    emptied()
    with pytest.raises(GraphBehindError):
        next(asked.pages)
    with pytest.raises(GraphBehindError):
        check_asked.asked("all", watch)


def test_an_open_incident_is_listed_all_the_same(graph: Follow, bad: int) -> None:
    opened = decide_incidents.open_incident(
        key_of("m"), title="Rot", severity="high", reason="a disk", person=PERSON
    ).receipt
    graph()
    emptied()
    now = as_of.resolve(None)
    page = incidents.listed(now)
    assert (page.open, page.tree_size, [each.digest for each in page.incidents]) == (
        1,
        log_head.size(),
        [opened.digest],
    )
    assert incidents.open_now(now, 5)[1] == 1
    assert incidents.read(opened.digest, now).impact is None
    before = as_of.resolve(str(opened.index))
    assert incidents.listed(before).open == 0


def test_an_export_is_of_one_graph(graph: Follow, bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = export_closure._gathered

    def meanwhile(key: str, moment: as_of.AsOf) -> Export:
        found = real(key, moment)
        emptied()
        return found

    moment = as_of.resolve(str(bad + 1))
    assert export_closure.gather(key_of("m"), moment).root == key_of("m")
    monkeypatch.setattr(export_closure, "_gathered", meanwhile)
    with pytest.raises(GraphBehindError):
        export_closure.gather(key_of("m"), moment)


def test_entries_are_late_after_a_while(bad: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert standing.late_size() == log_head.size()
    monkeypatch.setattr(standing, "LATE_US", 3600 * 1_000_000)
    assert standing.late_size() == 0

"""The rows of what is tainted: made by a job, right after every decision, whole or said not to be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineage.db.models import Taint, TaintState
from lineage.errors import FencedError
from lineage.graph import sql_nodes, sql_taint_rows
from lineage.services import as_of, belief, decide, decide_taint, job_kinds, jobs, project, taint, taint_rows
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease
from tests import factories
from tests.integration.projections import key_of, send

OFFICER = "officer@example.org"
DAY_US = 86_400_000_000
Follow = Callable[[], int]
Kept = dict[str, tuple[str, str, int]]


@pytest.fixture
def chain(graph: Follow, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """A dataset, a base made from it, a model tuned from that, a stranger; two row ids a transaction."""
    monkeypatch.setattr(sql_taint_rows, "PART", 2)
    who = factories.registered()
    for used, made in (("dataset", "base"), ("base", "model"), ("other", "stranger")):
        made_of = [factories.artifact(used)]
        send(who, factories.provenance([factories.artifact(made)], made_of, invocation=f"run {made}"))
    graph()
    return graph


def write() -> int:
    """Let a worker look for what is due; how many jobs it ran."""
    jobs.enqueue_recurring([job_kinds.by_name(taint_rows.KIND)])
    return jobs.drain("test", kinds=[job_kinds.by_name(taint_rows.KIND)])


def kept() -> Kept:
    """The rows, by names: source, why, hops. They are the pages' own answer, or this fails."""
    moment = belief.moment(as_of.resolve(None))
    rows = list(Taint.objects.all())
    ids = [row.node_id for row in rows] + [row.source_id for row in rows]
    names = {row.id: row.name for row in sql_nodes.load(ids, moment)}
    assert {row.node_id for row in rows} == taint.tainted_ids(moment)
    return {names[row.node_id]: (names[row.source_id], row.why, row.hops) for row in rows}


def test_they_follow_what_is_decided(chain: Follow) -> None:
    assert write() == 0, "nothing taints, so there is nothing to write"
    decide_taint.designate(key_of("dataset"), "poisoned", person=OFFICER)
    chain()
    assert write() == 1
    assert kept() == {
        "dataset": ("dataset", "designated", 0),
        "run base": ("dataset", "designated", 1),
        "base": ("dataset", "designated", 2),
        "run model": ("dataset", "designated", 3),
        "model": ("dataset", "designated", 4),
    }
    assert write() == 0
    decide_taint.designate(key_of("base"), "poisoned too", person=OFFICER)
    chain()
    assert write() == 1
    assert kept()["model"] == ("base", "designated", 2)
    standing = taint_rows.standing()
    assert (standing.level, standing.tainted) == (True, 5)
    assert [(each.source.name, each.nearest_of, each.farthest) for each in standing.sources] == [
        ("base", 3, 2),
        ("dataset", 2, 1),
    ]
    decide_taint.clear(key_of("base"), "no", person=OFFICER)
    decide_taint.waive_taint(key_of("base"), None, "evaluated", person=OFFICER)
    chain()
    assert write() == 1
    assert set(kept()) == {"dataset", "run base"}
    decide_taint.clear(key_of("dataset"), "no", person=OFFICER)
    chain()
    assert write() == 1
    assert kept() == {}
    assert write() == 0


def test_a_decision_that_ends_by_itself_is_written_when_it_does(
    chain: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_taint.designate(key_of("dataset"), "recalled", person=OFFICER, until_us=now_us() + DAY_US)
    chain()
    assert write() == 1
    assert len(kept()) == 5
    assert write() == 0
    later = now_us() + 2 * DAY_US
    monkeypatch.setattr("lineage.services.as_of.now_us", lambda: later)
    assert write() == 1
    assert kept() == {}


def test_what_a_thiefs_key_alone_supports_is_written_too(chain: Follow) -> None:
    who = factories.registered(name="stolen")
    send(who, factories.provenance([factories.artifact("stolen")], [], invocation="stolen run"))
    decide.revoke_key(who.key_id, 0, "on a lost laptop", person=OFFICER, compromised=True)
    chain()
    assert write() == 1
    kept()  # the pages' own answer
    rows = Taint.objects.values_list("why", "hops")
    assert list(rows) == [("key-compromised", 0)] * 2, "what it made, and the run"


def test_cut_off_half_way_they_say_so_and_the_next_run_goes_on(
    chain: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_taint.designate(key_of("dataset"), "poisoned", person=OFFICER)
    chain()
    real, calls = sql_taint_rows.write, list[object]()

    def cut(*arguments: object) -> int | None:
        if len(calls) == 2:
            raise SystemExit  # as a process that ends: nothing catches it
        calls.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sql_taint_rows, "write", cut)
    with pytest.raises(SystemExit):
        write()
    assert not taint_rows.standing().level
    assert 0 < Taint.objects.count() < 5
    monkeypatch.setattr(sql_taint_rows, "write", real)
    assert [key for key, _ in taint_rows.due(now_us())] == [""]
    assert taint_rows.run(_lease())["tainted"] == 5
    assert len(kept()) == 5


def test_of_two_that_write_the_older_one_ends(chain: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    decide_taint.designate(key_of("dataset"), "poisoned", person=OFFICER)
    chain()
    real = sql_taint_rows.write

    def overtaken(*arguments: object) -> int | None:
        TaintState.objects.update(writer="another")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sql_taint_rows, "write", overtaken)
    with pytest.raises(FencedError):
        taint_rows.run(_lease())
    assert Taint.objects.count() == 0
    assert not taint_rows.standing().level


def test_made_anew_with_the_graph(chain: Follow) -> None:
    decide_taint.designate(key_of("dataset"), "poisoned", person=OFFICER)
    chain()
    assert write() == 1
    project.rebuild()
    assert Taint.objects.count() == 0
    assert not taint_rows.standing().level, "row ids are others now"
    assert write() == 1
    assert len(kept()) == 5


def _lease() -> Lease:
    """Nobody takes it away."""
    kind = job_kinds.by_name(taint_rows.KIND)
    job_id = jobs.enqueue(taint_rows.KIND)
    return Lease(job_id, kind, "", {}, 0, 1, 1, "test", lambda: False, _renew_at=float("inf"))

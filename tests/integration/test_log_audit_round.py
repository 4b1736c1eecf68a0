"""The schedule reads the log again: all of it within a round, the newest each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from lineage.db.log import Entry, LogHead
from lineage.db.models import Job, LogAudit
from lineage.db.packing import pack
from lineage.services import (
    audit_condition,
    graph_check,
    intake,
    job_kinds,
    jobs,
    log_audit,
    log_audit_beside,
    log_audit_part,
    log_audit_round,
    log_audit_tree,
    publish,
)
from lineage.services.audit_condition import BAD, GOOD, LATE, NEW
from lineage.services.clock import now_us
from tests import factories, kept_logs
from tests.bench import load
from tests.integration.thefts import as_thief, grown

HOUR, DAY = 3_600_000_000, 86_400_000_000
PART, PARTS = 512, 3
"""Two tiles, which is the least that has a tree of its own above them."""


def _fill() -> None:
    signer = factories.registered()
    for _ in range(PARTS * 4):
        intake.submit_set(load.envelopes(signer.private, PART // 4, size=300), token="t")
    publish.publish_once()


@pytest.fixture
def parts(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> int:
    """A log of `PARTS` parts, smaller ones, of which a run reads one of the round and the newest."""
    for room in (log_audit_tree, log_audit_part, log_audit_round):
        monkeypatch.setattr(room, "PART", PART)
    monkeypatch.setattr(log_audit_round, "LEAST_PARTS", 1)
    kept_logs.ensure("parts", _fill)
    return LogHead.objects.get(pk=1).size


def once() -> dict[str, Any]:
    """One run, as a worker makes it."""
    job = jobs.enqueue(log_audit_round.KIND)
    jobs.drain("test", kinds=[job_kinds.by_name(log_audit_round.KIND)])
    row = Job.objects.get(pk=job)
    assert row.state == Job.State.DONE, row.error
    assert row.result is not None
    return dict(row.result)


def state() -> LogAudit:
    return LogAudit.objects.get(pk=1)


def exchange(index: int) -> Callable[[], None]:
    """Exchange an envelope's bytes in the database; what comes back puts them right again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM log_envelope WHERE entry_id = %s", [index])
        (before,) = cursor.fetchone()

    def put(content: bytes) -> None:
        with as_thief() as steal:
            steal("UPDATE log_envelope SET content = %s WHERE entry_id = %s", content, index)

    put(pack(b'{"payload":""}'))
    return lambda: put(bytes(before))


@pytest.mark.usefixtures("log")
def test_a_small_log_is_read_whole_each_time() -> None:
    grown(20)
    size = LogHead.objects.get(pk=1).size
    assert once() == {"read": size, "of": size, "wrong": ""}
    assert state().rounded_us is not None
    assert state().position == 0
    assert once()["read"] == size


@pytest.mark.usefixtures("log")
def test_it_is_due_an_hour_after_the_log_began_and_then_each_hour() -> None:
    def due(at_us: int) -> int:
        return len(list(log_audit_round.due(at_us)))

    began = Entry.objects.get(pk=0).received_us
    assert [due(began + after) for after in (0, HOUR - 1, HOUR)] == [0, 0, 1]
    assert due(began - 1) == 1, "a clock that was set back"
    once()
    ran = state().ran_us
    assert ran is not None
    assert [due(ran + after) for after in (0, HOUR - 1, HOUR)] == [0, 0, 1]


def test_runs_come_round_and_read_the_newest_each_time(parts: int) -> None:
    tail = parts % PART
    reads = [once()["read"] for _ in range(PARTS + 1)]
    assert reads == [*([PART + tail] * PARTS), tail]
    assert state().rounded_us is not None
    assert state().position == 0
    signer = factories.registered()
    for number in range(2):
        intake.submit(signer.envelope(factories.statement(factories.artifact(f"{number}"))), token="t")
    assert once()["read"] == PART + tail + 3, "the key's registration and both statements"


def test_damage_is_told_until_that_part_is_right_again(parts: int) -> None:
    once()
    repair = exchange(100)  # in the part that was just read
    assert once()["wrong"] == ""
    whole = log_audit.audit()
    assert "entry 100" in whole.wrong
    log_audit_round.keep(whole)
    for _ in range(2):
        assert "entry 100" in once()["wrong"], "other parts that are right don't hide it"
    assert state().wrong_us is not None
    repair()
    assert once()["wrong"] == ""
    assert (state().wrong, state().wrong_us, state().wrong_part) == ("", None, None)


def test_damage_among_the_newest_is_found_by_the_next_run(parts: int) -> None:
    exchange(parts - 1)
    assert f"entry {parts - 1}" in once()["wrong"]


def test_tiles_and_checkpoints_of_earlier_parts_are_tied_to_the_newest(parts: int) -> None:
    """A tile's row, far from what the run reads: the newest checkpoint does not fit it."""
    for _ in range(2):
        assert once()["wrong"] == ""
    with as_thief() as steal:
        steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 1", b"\1" * 8192)
    assert "was signed over other entries" in once()["wrong"]


def test_missing_tiles_are_damage_and_no_defect(parts: int) -> None:
    once()
    with as_thief() as steal:
        steal("DELETE FROM log_tile")
    assert once()["wrong"] != ""


def beside(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """What happens once, after the next run has read its parts and before it says what it found."""
    really = log_audit_beside.check

    def check(head: LogHead) -> None:
        monkeypatch.setattr(log_audit_beside, "check", really)
        happens()
        really(head)

    monkeypatch.setattr(log_audit_beside, "check", check)


def by_hand() -> None:
    since = log_audit_round.last_us()
    log_audit_round.keep(log_audit.audit(), since)


def test_a_run_does_not_take_back_what_an_audit_by_hand_finds_meanwhile(
    parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    once()
    repair = exchange(100)  # in the part that was just read
    beside(monkeypatch, by_hand)
    assert once()["wrong"] == ""
    assert "entry 100" in state().wrong
    assert (state().wrong_part, state().position) == (0, 2 * PART), "it has gone on in its round all the same"
    assert "entry 100" in once()["wrong"], "that part is read again"
    repair()
    assert once()["wrong"] == ""
    assert (state().wrong, state().wrong_us, state().wrong_part) == ("", None, None)


def test_not_even_where_it_has_read_that_part_itself(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was right then."""

    def damaged_and_found() -> None:
        exchange(100)
        by_hand()

    beside(monkeypatch, damaged_and_found)
    assert once()["wrong"] == ""
    assert "entry 100" in state().wrong


def test_an_audit_by_hand_does_not_take_back_what_a_run_finds_meanwhile(parts: int) -> None:
    """It had read that part before."""
    since = log_audit_round.last_us()
    report = log_audit.audit()
    exchange(parts - 1)
    assert once()["wrong"] != ""
    log_audit_round.keep(report, since)
    assert f"entry {parts - 1}" in state().wrong


def test_a_whole_audit_meanwhile_begins_the_round_anew(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    once()
    beside(monkeypatch, by_hand)
    once()
    assert (state().position, state().rounded_us) == (0, state().round_us)


def test_a_run_that_has_lost_its_lease_says_nothing(parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    once()
    before = LogAudit.objects.values().get()
    beside(monkeypatch, lambda: Job.objects.filter(state=Job.State.RUNNING).update(token=F("token") + 1))
    jobs.enqueue(log_audit_round.KIND)
    jobs.drain("test", kinds=[job_kinds.by_name(log_audit_round.KIND)])
    assert LogAudit.objects.values().get() == before


@pytest.mark.usefixtures("log")
def test_an_audit_by_hand_counts_as_a_round_where_it_read_everything() -> None:
    grown(20)
    log_audit_round.keep(log_audit.audit(start=5))
    assert not LogAudit.objects.exists()
    log_audit_round.keep(log_audit.audit())
    assert state().rounded_us is not None


# What it means for people


def tones(at_us: int) -> list[str]:
    return [line.tone for line in audit_condition.lines(audit_condition.standing(), at_us)]


@pytest.mark.usefixtures("log")
def test_what_was_never_looked_at_is_late_and_not_well() -> None:
    grown(3)
    now = now_us()
    assert tones(now) == [NEW, NEW], "not known to be well"
    assert tones(now + DAY) == [LATE, LATE]


def test_what_was_looked_at_long_ago_is_late(graph: Callable[[], int]) -> None:
    grown(3)
    graph()
    once()
    jobs.enqueue(graph_check.KIND, "sql")
    jobs.drain("test", kinds=[job_kinds.by_name(graph_check.KIND)])
    now = now_us()
    assert tones(now) == [GOOD, GOOD]
    assert tones(now + DAY) == [LATE, GOOD], "nobody reads the log any more"
    assert tones(now + 9 * DAY) == [LATE, LATE]


def test_a_round_that_never_ends_is_late(parts: int) -> None:
    once()
    LogAudit.objects.update(ran_us=now_us() + 9 * DAY)
    assert tones(now_us() + 9 * DAY)[0] == LATE
    (line, *_) = audit_condition.lines(audit_condition.standing(), now_us() + 9 * DAY)
    assert "never been read whole" in line.words


@pytest.mark.usefixtures("log")
def test_damage_is_bad() -> None:
    grown(20)
    exchange(10)
    once()
    assert tones(now_us())[0] == BAD
    assert "The log is damaged: the envelope of entry 10" in audit_condition.damaged(
        audit_condition.standing()
    )


def test_the_graph_is_compared_within_the_days_of_an_audit(graph: Callable[[], int]) -> None:
    grown(3)
    graph()
    began = Entry.objects.get(pk=0).received_us

    def due(at_us: int) -> list[str]:
        return [key for key, _ in graph_check.due(at_us)]

    assert due(began + HOUR - 1) == []
    assert due(began + HOUR) == ["sql"]
    jobs.enqueue(graph_check.KIND, "sql")
    jobs.drain("test", kinds=[job_kinds.by_name(graph_check.KIND)])
    ended = Job.objects.get(kind=graph_check.KIND).finished_us
    assert ended is not None
    assert due(ended + 7 * DAY - 1) == []
    assert due(ended + 7 * DAY) == ["sql"]
    Job.objects.update(state=Job.State.FAILED, result=None, error="it went away")
    assert due(ended + DAY) == ["sql"]
    assert tones(ended)[1] == LATE

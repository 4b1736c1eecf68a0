"""Giving way: only in a process that does so, and no rest while it is behind."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lineage import giving_way


class Clock:
    """A clock that stands, and what was asked of the scheduler."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[str] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds == giving_way.REST_SECONDS
        self.asked.append("rest")

    def sched_yield(self) -> None:
        self.asked.append("yield")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(giving_way, "_way", giving_way._Way())
    monkeypatch.setattr(giving_way, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    monkeypatch.setattr(giving_way, "os", SimpleNamespace(sched_yield=clock.sched_yield))
    return clock


def test_who_answers_requests_gives_way_to_nobody(clock: Clock) -> None:
    giving_way.give_way()
    assert clock.asked == []


def test_a_worker_that_does_everything_itself_yields_after_each_piece(clock: Clock) -> None:
    giving_way.start(rests=False)
    giving_way.hurry(behind=True)
    giving_way.give_way()
    giving_way.give_way()
    assert clock.asked == ["yield", "yield"]


def test_a_worker_beside_its_database_rests_after_a_millisecond_of_work(clock: Clock) -> None:
    giving_way.start(rests=True)
    giving_way.give_way()
    giving_way.give_way()
    assert clock.asked == ["rest"]
    clock.now += giving_way.WORK_SECONDS * 1.5
    giving_way.give_way()
    assert clock.asked == ["rest", "rest"]


def test_who_is_behind_does_not_rest(clock: Clock) -> None:
    giving_way.start(rests=True)
    giving_way.hurry(behind=True)
    giving_way.give_way()
    assert clock.asked == []
    giving_way.hurry(behind=False)
    giving_way.give_way()
    assert clock.asked == ["rest"]

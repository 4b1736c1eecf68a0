"""A woken follower stays behind a stream for longer than senders pause, so none of its entries waits; and it
lets a burst pass, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from lineage.services import bursts, follow, wake


class Clock:
    """`time`, in which nothing takes long but sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(follow, "time", clock)
    monkeypatch.setattr(bursts, "time", clock)
    return clock


def exhaust(steps: list[int], stay: float) -> tuple[int, int]:
    """How many entries were followed, and how often was looked."""
    left: Iterator[int] = iter(steps)
    looks = 0

    def step(limit: int) -> int:
        nonlocal looks
        looks += 1
        return next(left, 0)

    return follow._exhaust(step, 0.05, stay, lambda: sum(steps)), looks


class Log:
    """A log that grows by the clock, and a graph that follows so many entries a second."""

    def __init__(
        self, clock: Clock, sets_a_second: float, seconds: float, followed_a_second: int = 1_000
    ) -> None:
        self._clock = clock
        self._sets_a_second = sets_a_second
        self._ends = clock.now + seconds
        self._followed_a_second = followed_a_second
        self._begun = clock.now
        self.followed = 0
        self.batches: list[tuple[float, int]] = []
        """Seconds since the beginning, and entries."""
        self.most_behind = 0.0
        """Seconds that an entry has waited, at most, when its batch began."""

    def size(self) -> int:
        seconds = min(self._clock.now, self._ends) - self._begun
        return 500 * (1 + int(self._sets_a_second * seconds))

    def step(self, limit: int) -> int:
        now = self._clock.now - self._begun
        done = min(limit, self.size() - self.followed)
        if done:
            self.batches.append((now, done))
            came = max(0, -(-(self.followed + 1) // 500) - 1) / self._sets_a_second
            self.most_behind = max(self.most_behind, now - came)
        self.followed += done
        self._clock.now += done / self._followed_a_second
        return done

    def follow(self, stay: float = follow.STAY_SECONDS) -> None:
        follow._exhaust(self.step, 0.05, stay, self.size)


def test_a_woken_follower_outlasts_the_pause_of_a_stream(clock: Clock) -> None:
    assert exhaust([4, 0, 0, 2], follow.STAY_SECONDS)[0] == 6
    assert clock.now - 100 >= 3 * 0.05 + follow.STAY_SECONDS > 3 * 0.05 + wake.STREAM_PAUSE_SECONDS


def test_entries_that_trickle_in_are_a_stream_too(clock: Clock) -> None:
    assert exhaust([1, 1, 1, 0, 0, 1], follow.STAY_SECONDS)[0] == 4


@pytest.mark.parametrize("steps", [[], [1], [2, 0], [follow.BATCH]])
def test_who_does_not_stay_leaves_at_once(clock: Clock, steps: list[int]) -> None:
    assert exhaust(steps, 0.0) == (sum(steps), 1 + len([each for each in steps if each]))
    assert clock.slept == []


def test_a_lone_entry_keeps_nobody(clock: Clock) -> None:
    assert exhaust([1], follow.STAY_SECONDS) == (1, 2)
    assert clock.slept == []


def test_a_stream_is_taken_up_in_batches_where_nobody_stays(clock: Clock) -> None:
    assert exhaust([follow.BATCH, 20, 20], 0.0) == (follow.BATCH + 40, 4)
    assert clock.slept == [0.05, 0.05]


def test_a_burst_is_let_pass_and_then_followed_whole(clock: Clock) -> None:
    log = Log(clock, sets_a_second=16, seconds=1.5)
    log.follow()
    assert log.followed == log.size() == 500 * 25
    first, *rest = log.batches
    assert first == (0.0, follow.FIRST)
    assert rest[0][0] >= 1.5
    assert rest[0][0] < 1.5 + 2 * bursts.LOOK_SECONDS
    assert {count for _, count in rest[:-1]} == {follow.BATCH}


def test_a_burst_without_an_end_is_followed_after_a_while(clock: Clock) -> None:
    log = Log(clock, sets_a_second=16, seconds=30)
    log.follow()
    assert log.followed == log.size()
    beginnings = [now for now, _ in log.batches]
    took = follow.BATCH / 1_000
    rested = [b - a - took for (a, b) in pairwise(beginnings[1:])]
    assert beginnings[1] <= bursts.MOST_SECONDS + follow.FIRST / 1_000
    assert max(rested) < 0.01, "it rests once, however long it takes to become level"


def test_who_can_follow_sets_is_never_far_behind(clock: Clock) -> None:
    log = Log(clock, sets_a_second=5, seconds=60, followed_a_second=10_000)
    log.follow()
    assert log.followed == log.size()
    assert log.most_behind <= bursts.MOST_SECONDS + 0.3


@pytest.mark.parametrize("sets_a_second", [0.001, 3])
def test_one_set_or_a_few_are_followed_at_once(clock: Clock, sets_a_second: float) -> None:
    log = Log(clock, sets_a_second=sets_a_second, seconds=2, followed_a_second=3_000)
    log.follow()
    assert log.batches[:2] == [(0.0, 100), (pytest.approx(100 / 3_000), 400)]
    assert log.most_behind < 0.3


def test_whom_somebody_waits_for_lets_no_burst_pass(clock: Clock) -> None:
    log = Log(clock, sets_a_second=16, seconds=1.5)
    log.follow(stay=0.0)
    assert bursts.LOOK_SECONDS not in clock.slept
    assert log.followed == log.size()

"""A woken follower stays behind a stream for longer than senders pause, so none of its entries waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.services import follow, wake


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
    return clock


def exhaust(steps: list[int], stay: float) -> tuple[int, int]:
    """How many entries were followed, and how often was looked."""
    left: Iterator[int] = iter(steps)
    looks = 0

    def step() -> int:
        nonlocal looks
        looks += 1
        return next(left, 0)

    return follow._exhaust(step, 0.05, stay), looks


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

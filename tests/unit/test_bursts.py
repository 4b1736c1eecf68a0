"""How long a follower lets a burst pass: never for single statements, and for a bounded time in all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.services import bursts
from lineage.services.bursts import LOOK_SECONDS, MOST_SECONDS, Burst
from tests.unit.test_stay import Clock


def rests(burst: Burst, clock: Clock, grown: list[tuple[float, int]]) -> list[float]:
    """What is answered after each of these: seconds that passed before, and entries that came in them."""
    size, answers = burst.size or 0, []
    burst.rest(size)
    for seconds, entries in grown:
        clock.now += seconds
        size += entries
        answers.append(burst.rest(size))
        clock.now += answers[-1]
    return answers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bursts, "time", clock)
    return clock


def test_single_statements_are_no_burst(clock: Clock) -> None:
    assert rests(Burst(), clock, [(0.1, 175), (0.5, 875), (0.01, 18), (3.0, 5_250)]) == [0.0] * 4


def test_one_set_while_it_catches_up_costs_one_look_at_most(clock: Clock) -> None:
    assert rests(Burst(), clock, [(0.1, 500), (0.0, 0), (0.2, 0)]) == [LOOK_SECONDS, 0.0, 0.0]


def test_what_was_there_before_the_first_look_is_no_burst(clock: Clock) -> None:
    assert Burst().rest(1_000_000) == 0.0


def test_who_became_level_may_rest_again(clock: Clock) -> None:
    burst = Burst()
    endless = [(0.0, 2_000)] * 20
    assert rests(burst, clock, endless)[-1] == 0.0
    assert rests(burst, clock, endless) == [0.0] * 20
    burst.level()
    assert sum(rests(burst, clock, endless)) == pytest.approx(MOST_SECONDS)


def test_a_log_that_has_shrunk_is_no_burst(clock: Clock) -> None:
    assert rests(Burst(10_000, clock.now), clock, [(0.1, -9_000), (0.1, 100)]) == [0.0, 0.0]


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 50_000))))
def test_all_rests_between_two_levels_are_bounded(grown: list[tuple[float, int]]) -> None:
    clock, burst = Clock(), Burst()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bursts, "time", clock)
        answers = rests(burst, clock, grown)
    assert sum(answers) <= MOST_SECONDS + 1e-6
    assert all(0 <= answer <= LOOK_SECONDS for answer in answers)

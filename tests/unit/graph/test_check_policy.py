"""Check policies: whose rule it is, when a match has aged out, what is due when, what no policy may say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import MalformedError
from lineage.graph import check_policy
from lineage.graph.check_policy import CONTENT, FULL, QUICK, SECOND_US, Limits, Schedule
from lineage.graph.status_copies import CopyState, next_check, state
from lineage.graph.status_facts import CheckFact, Trust

DAY = 86_400
NOW_US = 1_800_000_000_000_000
POLICY: dict[str, Any] = {
    "default": {"full": "30d", "quick": "1d"},
    "rules": [
        {"name": "crown jewels", "every": {"full": "1d"}, "criticality": ["critical"]},
        {
            "name": "data in the bucket",
            "every": {"full": "90d"},
            "roles": ["dataset"],
            "locations": ["s3://data"],
        },
    ],
    "limits": [{"location": "s3://data", "bytesPerSecond": 65_536, "quietHours": ["22:00-06:00"]}],
}


def read(**members: Any) -> check_policy.CheckPolicy:
    return check_policy.parse(json.dumps(POLICY | members).encode())


def test_the_first_rule_that_fits_in_all_is_the_copys() -> None:
    policy = read()
    assert policy.schedule("s3://data/a", ["dataset"], "critical").full == DAY
    assert policy.schedule("s3://data/a", ["dataset", "file"], "normal").full == 90 * DAY
    assert policy.schedule("s3://database/a", ["dataset"], "normal") == Schedule(DAY, None, 30 * DAY)
    assert policy.schedule("s3://data/a", [], "normal").full == 30 * DAY


def test_a_policy_is_written_as_it_is_read() -> None:
    policy = read()
    assert check_policy.parse(json.dumps(check_policy.body(policy)).encode()) == policy


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"default": {"quick": "1h"}}, "$.default.full"),
        ({"default": {"full": "0d"}}, "$.default.full"),
        ({"default": {"full": "11000d"}}, "$.default.full"),
        ({"default": {"full": "1w"}}, "$.default.full"),
        ({"default": {"full": "\u0661d"}}, "$.default.full"),
        ({"rules": [{"name": " ", "every": {"full": "1d"}}]}, "$.rules[0].name"),
        (
            {"rules": [{"name": "a", "every": {"full": "1d"}, "criticality": ["High"]}]},
            "$.rules[0].criticality",
        ),
        ({"rules": [{"name": "a", "every": {"full": "1d"}, "locations": ["s3:"]}]}, "$.rules[0].locations"),
        ({"limits": [{"location": "s3://d", "quietHours": ["00:00-00:00"]}]}, "$.limits[0].quietHours"),
        (
            {"limits": [{"location": "s3://d", "quietHours": ["00:00-12:00", "12:00-00:00"]}]},
            "$.limits[0].quietHours",
        ),
        (
            {"limits": [{"location": "s3://d", "quietHours": ["06:00-05:59", "05:30-06:30"]}]},
            "$.limits[0].quietHours",
        ),
        ({"limits": [{"location": "s3://d", "bytesPerSecond": 1}]}, "$.limits[0].bytesPerSecond"),
        ({"limits": [{"location": "s3://d", "concurrency": 0}]}, "$.limits[0].concurrency"),
    ],
)
def test_a_policy_by_which_nothing_would_be_checked_is_none(members: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(**members)
    assert caught.value.where == where


def test_quiet_hours_over_midnight() -> None:
    limits = Limits("s3://data", quiet=((22 * 60, 6 * 60),))
    minutes = {minute for minute in range(1440) if limits.is_quiet(minute * 60 * SECOND_US)}
    assert minutes == {*range(22 * 60, 1440), *range(6 * 60)}


SECONDS = st.one_of(st.none(), st.integers(60, check_policy.LONGEST_SECONDS))
SCHEDULES = st.builds(Schedule, SECONDS, SECONDS, st.integers(60, check_policy.LONGEST_SECONDS))


@given(SCHEDULES, st.integers(1, NOW_US), st.text(max_size=20))
def test_what_matched_whole_is_due_again_before_it_is_overdue(asked: Schedule, at_us: int, name: str) -> None:
    matches = {QUICK: at_us, CONTENT: at_us, FULL: at_us}
    due, _ = check_policy.next_check(asked, matches, name)
    assert at_us < due < check_policy.overdue_us(asked, matches)


@given(SCHEDULES, st.text(max_size=20))
def test_whoever_is_checked_when_due_is_never_overdue(asked: Schedule, name: str) -> None:
    """And every method that is asked for has its turn."""
    matches = {QUICK: NOW_US, CONTENT: NOW_US, FULL: NOW_US}
    at_us, done = NOW_US, set()
    for _ in range(60):
        at_us, method = check_policy.next_check(asked, matches, name)
        assert at_us < check_policy.overdue_us(asked, matches)
        done.add(method)
        weaker = [
            m for m in check_policy.METHODS if check_policy.STRENGTH[m] <= check_policy.STRENGTH[method]
        ]
        matches |= dict.fromkeys(weaker, at_us)
    if asked.full is not None and asked.full <= 40 * min(seconds for _, seconds in asked.items()):
        assert FULL in done


OUTCOMES = st.sampled_from(["match", "mismatch", "inconclusive"])
CHECKS = st.lists(
    st.builds(
        CheckFact,
        st.integers(NOW_US - 400 * DAY * SECOND_US, NOW_US),
        st.integers(0, 50),
        OUTCOMES,
        st.integers(1, 3),
        st.sampled_from(list(Trust)),
    ),
    max_size=8,
)


def due(copy: CopyState, asked: Schedule) -> int:
    return next_check(copy, asked, "copy")[0]


@given(CHECKS, CHECKS, SCHEDULES)
def test_nobody_else_puts_a_check_off(own: list[CheckFact], others: list[CheckFact], asked: Schedule) -> None:
    """Whatever others say of a copy, it is due as soon as by our own looks, or sooner."""
    ours = [CheckFact(c.at_us, c.index, c.outcome, c.strength, Trust.OBSERVED) for c in own]
    theirs = [CheckFact(c.at_us, c.index, c.outcome, c.strength, Trust.SIGNED) for c in others]
    alone, together = due(state(ours), asked), due(state(ours + theirs), asked)
    if not ours:
        assert together == check_policy.NEVER_US
    retry_us = max(check.at_us for check in ours) + 6 * 3600 * SECOND_US if ours else 0
    assert together <= max(alone, retry_us)

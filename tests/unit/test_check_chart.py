"""The picture of a copy's checks: where marks stand, and that its words say the same."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.services.lineage_records import CheckRecord
from lineage.trust.leaf import parse_rfc3339
from lineage.web import check_chart
from lineage.web.check_chart import LEFT, MAX_TICKS, RIGHT

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
START = parse_rfc3339("2026-11-01T00:00:00.000000Z")


def check(at: str, outcome: str = "match", **more: Any) -> CheckRecord:
    key = "sha256:" + "5" * 64
    values: dict[str, Any] = {
        "location": "file:///srv/a", "method": "sha256", "expected": key, "observed": key, "reason": "",
        "index": 7, "signer": "key:1", "signer_name": "re-verifier", "trust": "observed",
    }  # fmt: skip
    return CheckRecord(**{**values, **more}, at=at, outcome=outcome)


def test_marks_stand_in_order_of_time_from_edge_to_edge() -> None:
    days = (1, 11, 21)
    drawn = check_chart.draw(
        [check(f"2026-11-{day:02}T00:00:00.000000Z") for day in days], START, START + 20 * DAY_US
    )
    assert [mark.x for mark in drawn.marks] == [LEFT, (LEFT + RIGHT) // 2, RIGHT]
    assert drawn.words == "3 checks from 1 Nov 2026 to 21 Nov 2026: 3 matched."
    assert drawn.marks[0].title == "1 Nov 2026 00:00 UTC: matched"


def test_checks_of_one_point_and_outcome_are_one_mark_and_a_mismatch_hides_behind_none() -> None:
    checks = [
        check("2026-11-05T10:00:00.000000Z"),
        check("2026-11-05T10:00:01.000000Z", "mismatch"),
        check("2026-11-05T10:00:02.000000Z"),
        check("2026-11-05T10:00:03.000000Z", "inconclusive"),
    ]
    drawn = check_chart.draw(checks, START, START + 20 * DAY_US)
    assert [mark.outcome for mark in drawn.marks] == ["match", "inconclusive", "mismatch"]
    assert len({mark.x for mark in drawn.marks}) == 1
    assert drawn.marks[0].title == "2 checks, the last 5 Nov 2026 10:00 UTC: matched"
    words = "4 checks on 5 Nov 2026: 2 matched, 1 differed, 1 could not be carried out."
    assert drawn.words == words


def test_what_a_revoked_key_said_is_not_drawn() -> None:
    drawn = check_chart.draw(
        [check("2026-11-05T10:00:00.000000Z", trust="revoked")], START, START + 20 * DAY_US
    )
    assert drawn.marks == ()
    assert drawn.words == "No check yet."


def test_from_when_it_is_overdue_is_drawn_only_once_it_is() -> None:
    checks, end = [check("2026-11-01T00:00:00.000000Z")], START + 20 * DAY_US
    assert check_chart.draw(checks, START, end, START + 10 * DAY_US).overdue_x == (LEFT + RIGHT) // 2
    assert check_chart.draw(checks, START, end, end + 1).overdue_x is None
    assert check_chart.draw(checks, START, end, None).overdue_x is None


@pytest.mark.parametrize("hours", [0, 1, 5, 30, 100, 24 * 40, 24 * 400, 24 * 3660])
def test_the_axis_has_few_ticks_in_order_inside_it(hours: int) -> None:
    drawn = check_chart.draw(
        [check("2026-11-01T00:00:00.000000Z")], START, START + hours * HOUR_US + 777_000_000
    )
    places = [tick.x for tick in drawn.ticks]
    assert 1 <= len(places) <= MAX_TICKS + 1
    assert places == sorted(places)
    assert all(LEFT <= place <= RIGHT for place in places)
    assert all(LEFT <= mark.x <= RIGHT for mark in drawn.marks)

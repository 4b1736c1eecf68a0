"""Times on the command line."""

from __future__ import annotations

import time

import click
import pytest

from lineage.cli.moments import moment, shown, to_datetime


def test_rfc_3339_and_dates_are_read_as_utc() -> None:
    assert moment("1970-01-01T00:00:01.5Z") == moment("1970-01-01T02:00:01.5+02:00") == 1_500_000
    assert moment("1970-01-02") == 86_400_000_000
    assert moment(5) == 5


def test_now_is_now() -> None:
    before = time.time_ns() // 1000
    assert before <= moment("now") <= time.time_ns() // 1000


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-01-01T00:00:00", "2026-1-1"])
def test_what_is_no_time_is_an_argument_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        moment(text)


def test_showing_undoes_reading() -> None:
    assert shown(moment("2026-01-31T12:00:00Z")) == "2026-01-31T12:00:00.000000Z"
    assert shown(None) == ""
    assert to_datetime(None) is None
    found = to_datetime(1_500_000)
    assert found is not None
    assert found.timestamp() == 1.5

"""Lengths of time on the command line."""

from __future__ import annotations

from datetime import timedelta

import click
import pytest

from lineage.cli.durations import duration


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("0h", timedelta(0)),
    ],
)
def test_a_number_and_its_unit(text: str, meant: timedelta) -> None:
    assert duration(text) == meant


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1w", "1H", "1 h", "٣h", "9999999d"])
def test_anything_else_is_an_argument_error(text: str) -> None:
    with pytest.raises(click.BadParameter, match="length of time"):
        duration(text)

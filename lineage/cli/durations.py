"""Lengths of time on the command line: `90s`, `30m`, `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_FORM = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(value: str | timedelta) -> timedelta:
    """A number and its unit as a length of time. Raises: click.BadParameter."""
    if isinstance(value, timedelta):
        return value
    found = _FORM.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no length of time such as 30m, 24h or 7d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})

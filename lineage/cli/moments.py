"""Times on the command line: read as RFC 3339 or a date, shown as RFC 3339."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

from lineage.errors import MalformedError
from lineage.trust.leaf import parse_rfc3339, rfc3339

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def moment(value: str | int) -> int:
    """A moment as microseconds since the epoch, UTC: RFC 3339, a date (its midnight, UTC), or `now`.

    Raises: click.BadParameter, which click words as an argument error.
    """
    if isinstance(value, int):
        return value
    if value == "now":
        return time.time_ns() // 1000
    try:
        return parse_rfc3339(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value)
    except MalformedError as error:
        raise click.BadParameter(f"{value!r}: {error.message}") from error


def shown(at_us: int | None) -> str:
    """A moment for people; nothing for None."""
    return "" if at_us is None else rfc3339(at_us)


def to_datetime(at_us: int | None) -> datetime | None:
    """A moment as an aware datetime, UTC."""
    return None if at_us is None else datetime.fromtimestamp(at_us / 1_000_000, UTC)

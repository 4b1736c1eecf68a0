"""The checks of one copy as a small picture: a time axis, and a mark for each check.

Owns: where each mark stands, and the sentence that says the same as the picture. Pure. Does not own: colours
and shapes of marks (the template and its style sheet), or what a check is (`services.lineage_records`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lineage.services.lineage_records import CheckRecord
from lineage.trust.leaf import parse_rfc3339

WIDTH, HEIGHT = 640, 44
LEFT, RIGHT = 10, 630
"""Between them is time; marks at the ends stay whole."""
MARK_Y, AXIS_Y, LABEL_Y = 12, 24, 39
MAX_TICKS = 5
MINUTE, HOUR, DAY = 60, 3600, 86_400
_STEPS = (
    MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY,
    30 * DAY, 91 * DAY, 182 * DAY, 365 * DAY, 1826 * DAY,
)  # fmt: skip
"""Seconds between two marks of the axis: the first of them that gives few enough."""
SHORTEST_US = 3600 * 1_000_000
"""A single check has an hour around it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER = {"match": 0, "inconclusive": 1, "mismatch": 2}
_SAID = (("match", "matched"), ("mismatch", "differed"), ("inconclusive", "could not be carried out"))


@dataclass(frozen=True, slots=True)
class Mark:
    """One check, or several that would stand on the same point with the same outcome."""

    x: int
    outcome: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`words` say what the picture shows. `overdue_x`: from where on the matches count no more, or None."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    overdue_x: int | None
    words: str


def draw(checks: Sequence[CheckRecord], from_us: int, to_us: int, overdue_us: int | None = None) -> Chart:
    """The picture of one copy's checks between two moments, so that several copies have one axis.

    The checks may be in any order; those of a revoked key are left out: they count for nothing.
    """
    from_us = min(from_us, to_us - SHORTEST_US)

    def place(at_us: int) -> int:
        share = (min(max(at_us, from_us), to_us) - from_us) / (to_us - from_us)
        return round(LEFT + share * (RIGHT - LEFT))

    believed = [check for check in checks if check.trust != "revoked"]
    points: dict[tuple[str, int], list[CheckRecord]] = {}
    for check in believed:
        points.setdefault((check.outcome, place(parse_rfc3339(check.at))), []).append(check)
    marks = [Mark(x, outcome, _title(outcome, found)) for (outcome, x), found in points.items()]
    # What differs is drawn last: nothing may hide it.
    marks.sort(key=lambda mark: (_ORDER.get(mark.outcome, 1), mark.x))
    overdue_x = place(overdue_us) if overdue_us is not None and overdue_us < to_us else None
    return Chart(tuple(marks), _ticks(from_us, to_us, place), overdue_x, _words(believed))


def _title(outcome: str, found: Sequence[CheckRecord]) -> str:
    newest = max(found, key=lambda check: check.at)
    several = f"{len(found)} checks, the last " if len(found) > 1 else ""
    return f"{several}{_day(newest.at)} {newest.at[11:16]} UTC: {dict(_SAID).get(outcome, outcome)}"


def _words(checks: Sequence[CheckRecord]) -> str:
    if not checks:
        return "No check yet."
    counts = Counter(check.outcome for check in checks)
    parts = [f"{counts[outcome]} {word}" for outcome, word in _SAID if counts[outcome]]
    times = sorted(check.at for check in checks)
    first, last = _day(times[0]), _day(times[-1])
    when = f"on {first}" if first == last else f"from {first} to {last}"
    noun = "check" if len(checks) == 1 else "checks"
    return f"{len(checks)} {noun} {when}: {', '.join(parts)}."


def _day(at: str) -> str:
    return f"{datetime.fromisoformat(at):%d %b %Y}".lstrip("0")


def _ticks(from_us: int, to_us: int, place: Callable[[int], int]) -> tuple[Tick, ...]:
    span = (to_us - from_us) // 1_000_000
    step = next((step for step in _STEPS if span / step <= MAX_TICKS), _STEPS[-1]) * 1_000_000
    first = -(-from_us // step) * step
    return tuple(Tick(place(at), _label(at, step // 1_000_000)) for at in range(first, to_us + 1, step))


def _label(at_us: int, step: int) -> str:
    at = _EPOCH + timedelta(microseconds=at_us)
    if step >= 182 * DAY:
        return f"{at:%b %Y}"
    if step < DAY:
        return f"{at:%d %b}".lstrip("0") if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"
    return f"{at:%d %b}".lstrip("0")

"""A clock that jumps: noticed by who runs meanwhile, and by the time of the log; told where people look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from lineage.cli import doctor
from lineage.db.models import Entry, WorkerBeat
from lineage.services import as_of, beats, clock, clock_watch, condition, sightings, today
from lineage.services.clock import now_us
from tests import factories
from tests.integration.projections import send

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

Set = Callable[[int], None]


@pytest.fixture
def set_by(log: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    """`set_by(us)`: this machine's clock is set ahead by so much; the one that only runs is not."""
    offset = 0

    def shift(by_us: int) -> None:
        nonlocal offset
        offset += by_us

    monkeypatch.setattr(clock, "now_us", lambda: now_us() + offset)
    clock_watch._before.clear()
    yield shift
    clock_watch._before.clear()


@pytest.mark.parametrize(
    ("by_us", "name"),
    [(3 * DAY_US, "clock-ahead"), (-3 * DAY_US, "clock-back"), (9 * MINUTE_US, ""), (-9 * MINUTE_US, "")],
    ids=["ahead", "back", "little ahead", "little back"],
)
def test_a_process_that_runs_meanwhile_notices(set_by: Set, by_us: int, name: str) -> None:
    clock_watch.watch()
    set_by(by_us)
    clock_watch.watch()
    assert list(WorkerBeat.objects.values_list("name", flat=True)) == ([name] if name else [])
    clock_watch.watch()
    assert WorkerBeat.objects.count() == bool(name), "it is set no more"


def test_it_is_told_for_a_day(set_by: Set) -> None:
    clock_watch.watch()
    set_by(3 * DAY_US)
    clock_watch.watch()
    assert "clock was set ahead by more than 10 minutes at" in clock_watch.trouble()
    set_by(DAY_US - MINUTE_US)
    assert clock_watch.trouble()
    set_by(2 * MINUTE_US)
    assert clock_watch.trouble() == ""


def test_set_back_again_it_is_told_by_the_log(set_by: Set) -> None:
    """What came in meanwhile keeps its time, and what comes now gets it."""
    newest = Entry.objects.order_by("-index")[0]
    assert clock_watch.trouble() == ""
    set_by(newest.received_us - now_us() - 2 * HOUR_US - MINUTE_US)
    words = clock_watch.trouble()
    assert words.startswith("The log's newest entry is of 2")
    assert "2 hours later than this machine's clock" in words
    set_by(-5 * DAY_US)
    assert "5 days later" in clock_watch.trouble()


def test_a_second_between_machines_is_no_trouble(set_by: Set) -> None:
    set_by(-30 * 1_000_000)
    assert clock_watch.trouble() == ""


def test_beats_look_at_it_and_it_is_no_queue(set_by: Set) -> None:
    beats._written.clear()
    beats.beat("short")
    set_by(DAY_US)
    beats._written.clear()
    beats.beat("short")
    assert [name for name, _ in beats.beats()] == ["short"]
    assert WorkerBeat.objects.filter(name="clock-ahead").exists()


@pytest.mark.usefixtures("durable")  # the doctor looks no further where PostgreSQL doesn't wait for the disk
def test_it_is_told_where_people_look(auditor: Client, graph: Callable[[], int], set_by: Set) -> None:
    send(factories.registered(), factories.statement())
    graph()
    assert today.overview(as_of.resolve(None)).clock == ""
    set_by(-3 * HOUR_US)
    words = clock_watch.trouble()
    told = {each.name: (each.state, each.reason) for each in condition.services(sightings.look())}
    assert told["clock"] == ("degraded", words)
    assert condition.now().ready
    assert "be relied on.</strong>" in auditor.get("/").content.decode()
    assert "be relied on.</strong>" not in auditor.get("/?as_of=2").content.decode(), "it is about now"
    assert "Clock: not reliable." in auditor.get("/system").content.decode()
    found = {finding.name: finding for finding in doctor.examine()}["clock"]
    assert (found.ok, words in found.words) == (False, True)

"""The closure index follows the graph tables: it is as new as they are, or lets them answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from django.db import connection, transaction

from lineage.errors import MalformedError
from lineage.graph.backend import Direction, Walk
from lineage.graph.index import door, file, live, marks
from lineage.graph.index.live import Index, Ready, make
from tests.conformance.stores import SqlStore
from tests.conformance.story import Story, artifact, run

pytestmark = pytest.mark.django_db(transaction=True)

HOPS = 12


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the index's file is to be, over an empty graph."""
    monkeypatch.setattr(door, "LEAST_EDGES", 0)
    monkeypatch.setattr(live, "index", cache(lambda: Index(tmp_path)))
    store = SqlStore()
    store.wipe()
    yield tmp_path / "closure-index"
    store.wipe()


def chain(first: int, end: int) -> Story:
    """Model n is made by run n from model n - 1."""
    story = Story()
    for number in range(end):
        edges = [(artifact(number), "WAS_GENERATED_BY", run(number))]
        edges += [(run(number), "USED", artifact(number - 1))] if number else []
        story.tell(*edges)
    story.entries = story.entries[first:]
    return story


def feed(first: int, end: int) -> None:
    with transaction.atomic():
        SqlStore().feed(chain(first, end).entries)


def ancestors(number: int, size: int) -> int:
    return SqlStore.backend.closure(Walk(artifact(number), Direction.ANCESTORS, size)).total


def answers(size: int) -> Ready:
    found = door.ready(size)
    assert found is not None
    return found


def ended(index: Index) -> None:
    """Wait until what is being made in the background is there."""
    if index._making is not None:
        index._making.join(30)


def test_it_takes_in_what_came_since_its_file_was_made(path: Path) -> None:
    feed(0, 5)
    make(path)
    for end in range(6, HOPS + 1):
        feed(end - 1, end)
        ready = answers(end)
        assert ready.mark.projected == end
        assert ready.graph.base.edges == 9
        assert ready.graph.since is not None
        assert ready.graph.since.edges == 2 * (end - 5)
        assert ancestors(end - 1, end) == 2 * end - 1


def test_a_small_graph_does_without(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LEAST_EDGES", 1_000)
    feed(0, HOPS)
    assert door.ready(HOPS) is None
    assert not path.exists()
    assert ancestors(HOPS - 1, HOPS) == 2 * HOPS - 1


def test_it_is_made_in_the_background_while_the_tables_answer(path: Path) -> None:
    feed(0, HOPS)
    assert door.ready(HOPS) is None
    assert ancestors(HOPS - 1, HOPS) == 2 * HOPS - 1
    ended(live.index())
    assert answers(HOPS).graph.base.edges == 2 * HOPS - 1


def test_another_process_maps_the_same_file(path: Path) -> None:
    feed(0, HOPS)
    make(path)
    before = path.stat().st_mtime_ns
    other = Index(path.parent)
    mark = answers(HOPS).mark
    assert other.ready(mark, HOPS) is not None
    assert path.stat().st_mtime_ns == before


def test_no_two_make_it_at_one_time(path: Path) -> None:
    feed(0, HOPS)
    with live._alone(path.with_suffix(".lock")) as first:
        assert first
        assert door.ready(HOPS) is None
        ended(live.index())
        assert not path.exists(), "somebody else is at it"
    live.index()._look_again = 0.0
    assert door.ready(HOPS) is None
    ended(live.index())
    assert path.exists()


def test_a_graph_that_was_made_anew_is_read_anew(path: Path) -> None:
    feed(0, HOPS)
    make(path)
    assert answers(HOPS).graph.base.edges == 2 * HOPS - 1
    SqlStore().wipe()
    feed(0, 3)
    assert door.ready(3) is None, "its file is of the tables that were emptied"
    ended(live.index())
    assert answers(3).graph.base.edges == 5
    assert ancestors(2, 3) == 5


def test_tables_that_were_put_back_answer_themselves(path: Path) -> None:
    feed(0, HOPS)
    make(path)
    ready = answers(HOPS)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE graph_state SET projected = 3")
    assert door.ready(3) is None
    assert ancestors(2, 3) == 5
    with connection.cursor() as cursor:
        cursor.execute("UPDATE graph_state SET projected = %s", [HOPS])
    assert answers(HOPS) == ready


def test_another_log_with_as_many_entries_is_not_the_same(path: Path) -> None:
    feed(0, HOPS)
    make(path)
    mark = answers(HOPS).mark
    other = replace(mark, leaf=b"another entry")
    assert not marks.continues(mark, other)
    assert not marks.continues(other, replace(mark, projected=HOPS + 1))
    index = Index(path.parent)
    file.write(path, answers(HOPS).graph, other)
    assert index._from_file(mark) is None


def test_a_large_second_part_makes_the_file_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_SINCE", 6)
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.0)
    feed(0, 4)
    make(path)
    answers(4)
    feed(4, HOPS)
    before = answers(HOPS)
    assert before.graph.base.edges == 7
    feed(HOPS, HOPS + 1)
    answers(HOPS + 1)  # sees that it is large, and has it made
    ended(live.index())
    feed(HOPS + 1, HOPS + 2)
    after = answers(HOPS + 2)
    assert after.graph.base.edges >= 2 * HOPS - 1
    assert ancestors(HOPS + 1, HOPS + 2) == 2 * HOPS + 3
    assert before.graph.base.edges == 7, "whoever holds the earlier one reads on"


def test_a_file_that_is_not_whole_is_made_anew(path: Path) -> None:
    feed(0, HOPS)
    make(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:10], whole[:-1], whole[:200] + b"\0" + whole[201:], b"x" + whole[1:]):
        path.write_bytes(damaged)
        with pytest.raises(MalformedError):
            file.read(path)
        index = Index(path.parent)
        mark, _ = marks.now() or pytest.fail("there is a mark")
        assert index.ready(mark, HOPS) is None
        ended(index)
        assert path.read_bytes() == whole


def test_readers_see_whole_answers_while_entries_come(path: Path) -> None:
    feed(0, 4)
    make(path)
    answers(4)
    wrong: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            size = SqlStore.backend.projected()
            found = ancestors(size - 1, size)
            if found != 2 * size - 1:
                wrong.append((size, found))
        connection.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for end in range(5, 60):
        feed(end - 1, end)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert ancestors(20, 21) == 41, "as of an earlier size"

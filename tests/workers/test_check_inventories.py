"""What bytes consist of is said once, in sets, whoever comes after whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.db.models import Entry, JobStep
from lineage.predicates import inventory
from lineage.services import append, inventories, inventory_sets, reverify
from lineage.services import jobs as line
from tests.workers.copies import Copies, copies_in


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def several(copies: Copies, count: int) -> list[str]:
    keys = []
    for number in range(count):
        path = copies.root / f"m{number}"
        path.write_bytes(str(number).encode())
        keys.append(copies.state(path))
    return keys


def said() -> list[str]:
    """The artifacts of which inventories are in the log, once for each."""
    rows = Entry.objects.filter(predicate_type=inventory.URI).order_by("index")
    return [digest for entry in rows for digest in entry.subjects.values_list("digest", flat=True)]


def checked() -> None:
    """All copies once more, with the graph left where it is."""
    line.enqueue("reverify", reverify.ALL)
    line.drain("tests")


def test_each_is_said_once_and_no_step_of_the_job(copies: Copies) -> None:
    keys = several(copies, 5)
    copies.run(reverify.ALL)
    assert sorted(said()) == sorted(keys)
    assert JobStep.objects.count() == 1  # the sweep
    assert inventories.sizes(keys) == dict.fromkeys(keys, 1)
    copies.run(reverify.ALL)
    assert sorted(said()) == sorted(keys)


def test_in_sets_of_so_many_or_so_many_bytes(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = several(copies, 5)
    found = {key: inventory.Inventory(1, ()) for key in keys}
    monkeypatch.setattr(inventory_sets, "MAX_SET", 2)
    assert [len(each) for each in inventory_sets.in_sets(found)] == [2, 2, 1]
    monkeypatch.setattr(inventory_sets, "MAX_SET_BYTES", 1)
    assert [len(each) for each in inventory_sets.in_sets(found)] == [1] * 5
    assert list(inventory_sets.in_sets({})) == []


@pytest.mark.parametrize("newer", [False, True])
def test_what_the_graph_does_not_know_yet_is_not_said_again(
    copies: Copies, newer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a worker that comes after a kill: with the scanners of before, or with newer ones."""
    keys = several(copies, 3)
    checked()
    assert inventories.sizes(keys) == {}
    if newer:
        monkeypatch.setattr(inventories, "tools", lambda: {"picklescan": "9.9"})
    checked()
    assert sorted(said()) == sorted(keys)


def test_two_workers_that_say_the_same_at_once_say_it_in_one_entry(copies: Copies) -> None:
    """Neither saw the other's when it asked the log."""
    (key,) = several(copies, 1)
    found = inventory.Inventory(1, ())
    sets = [list(inventory_sets.in_sets({key: found})) for _ in range(2)]
    for (prepared,) in sets:
        append.append(prepared)
    assert said() == [key]


def test_one_that_is_not_believed_is_said_anew(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the re-verifier's key was revoked: what it said before the graph saw it counts for nothing."""
    (key,) = several(copies, 1)
    checked()
    found = inventory.Inventory(1, ())
    assert list(inventory_sets.in_sets({key: found})) == []
    entry = Entry.objects.get(predicate_type=inventory.URI)
    revoked = {entry.key_ids: entry.index}
    monkeypatch.setattr(inventory_sets, "cutoffs", lambda ring: revoked)
    ((prepared,),) = inventory_sets.in_sets({key: found})
    assert prepared.statement.subjects[0].digests == {"sha256": key.removeprefix("sha256:")}

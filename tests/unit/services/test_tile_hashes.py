"""The rows inside tiles are those of the tree, and few are remembered."""

from __future__ import annotations

import sys
from hashlib import sha256

import pytest

from lineage.services.tile_hashes import Memory, rows
from lineage.trust.merkle import node_hash

LEAVES = [sha256(bytes([each])).digest() for each in range(256)]


@pytest.mark.parametrize("width", [1, 2, 3, 5, 64, 127, 128, 200, 255, 256])
def test_each_row_is_above_the_pairs_of_the_last(width: int) -> None:
    made = rows(b"".join(LEAVES[:width]))
    expected = LEAVES[:width]
    for height in range(width.bit_length()):
        assert made[height] == b"".join(expected)
        expected = [node_hash(*expected[at : at + 2]) for at in range(0, len(expected) - 1, 2)]
    assert len(made) == width.bit_length()


def test_of_nothing_there_is_nothing() -> None:
    assert rows(b"") == (b"",)


def test_a_full_tile_takes_as_much_memory_as_is_said() -> None:
    made = rows(b"".join(LEAVES))
    assert sys.getsizeof(made) + sum(sys.getsizeof(row) for row in made) < 16_800


def test_what_was_not_used_for_longest_is_forgotten_first() -> None:
    memory = Memory(2)
    places = [("log", 0, number) for number in range(3)]
    for number in (0, 1):
        memory.put(places[number], (bytes([number]),))
    assert memory.get(places[0]) == (b"\0",)
    memory.put(places[2], (b"\2",))
    assert [memory.get(place) is not None for place in places] == [True, False, True]
    memory.put(places[2], (b"\3",))
    assert [memory.get(place) for place in places] == [(b"\0",), None, (b"\3",)]
    memory.clear()
    assert [memory.get(place) for place in places] == [None] * 3

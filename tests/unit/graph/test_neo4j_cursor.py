"""The cursors of lists in Neo4j: their form, and that a changed list is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import ConflictError, MalformedError
from lineage.graph.neo4j.cursor import Shown, after_seq, seq_cursor

SEQS = st.integers(0, 2**63 - 1)


@given(st.lists(SEQS, max_size=30), st.lists(SEQS, max_size=30))
def test_shown_is_the_set_however_it_was_paged(first: list[int], second: list[int]) -> None:
    paged = Shown().with_more(first).with_more(second)
    assert paged == Shown().with_more(reversed(first + second))
    assert Shown.parse(paged.cursor()) == paged


@given(st.sets(st.integers(0, 2**40), min_size=1, max_size=30), st.integers(0, 2**40))
def test_another_node_among_them_is_noticed(shown: set[int], other: int) -> None:
    if other in shown:
        return
    changed = [*sorted(shown)[1:], other]
    assert Shown().with_more(changed) != Shown().with_more(shown)


def test_two_swapped_pairs_are_noticed() -> None:
    assert Shown().with_more([1, 4]) != Shown().with_more([2, 3])


@given(SEQS)
def test_a_cursor_in_the_logs_order(seq: int) -> None:
    assert after_seq(seq_cursor(seq)) == seq


@pytest.mark.parametrize("read", [Shown.parse, after_seq])
def test_a_cursor_of_another_backend_or_order_has_to_begin_again(read: object) -> None:
    assert callable(read)
    other = "neo4j.5" if read == Shown.parse else "neo4j.1.2.3"
    for text in (other, "sha256:" + "a" * 64):
        with pytest.raises(ConflictError):
            read(text)


@pytest.mark.parametrize("read", [Shown.parse, after_seq])
@pytest.mark.parametrize(
    "text", ["", "neo4j", "neo4j.", "neo4j.-1", "neo4j.1.2", "neo4j.1.2.3.4", "x" * 500, "٣"]
)
def test_no_cursor_at_all(read: object, text: str) -> None:
    assert callable(read)
    with pytest.raises(MalformedError):
        read(text)

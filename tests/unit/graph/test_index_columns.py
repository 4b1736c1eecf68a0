"""The closure index's columns against plain lists: what is open, what time changes, roles that came late."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lineage.graph.index.columns import ROLES, STATUSES, RoleRows, Roles, Statuses, StatusRows
from lineage.graph.status_timeline import BEGINNING_US, FOREVER_US

MOST_NODES, MOST_ENTRIES = 6, 8
Pieces = list[tuple[int, int, int]]  # from, until, number of a status


@st.composite
def timelines(draw: st.DrawFn) -> Pieces:
    """Pieces from the beginning to the end of time."""
    cuts = sorted(draw(st.sets(st.integers(1, 9), max_size=2)))
    ends = [BEGINNING_US, *cuts, FOREVER_US]
    return [(a, b, draw(st.integers(0, 3))) for a, b in pairwise(ends)]


TURN = st.tuples(st.integers(0, MOST_NODES - 1), timelines())


@given(
    st.lists(st.lists(TURN, max_size=4), max_size=MOST_ENTRIES),
    st.integers(0, 10),
    st.integers(0, MOST_ENTRIES),
)
def test_statuses_as_a_list_of_turns_has_them(
    entries: list[list[tuple[int, Pieces]]], at_us: int, size: int
) -> None:
    """Whatever was taken in at once; what a column is sure of is what the list says of that size."""
    columns, turns = Statuses.empty(), dict[int, list[tuple[int, Pieces]]]()
    for index, turned in enumerate(entries):
        rows = dict(turned)
        for node, pieces in rows.items():
            turns.setdefault(node, []).append((index, pieces))
        flat = [(node, index, *piece) for node, pieces in reversed(rows.items()) for piece in pieces]
        table = np.array(flat, np.int64).reshape(-1, 5)
        columns = columns.with_rows(StatusRows(*table.T), MOST_NODES)
    columns = columns.with_rows(StatusRows(*np.empty((5, 0), np.int64)), MOST_NODES)
    nodes = np.arange(MOST_NODES)
    found, unsure = columns.at(nodes, at_us), columns.unsure(nodes, size)
    for node in range(MOST_NODES):
        told = turns.get(node, [])
        assert STATUSES[found[node]] == _status(told, at_us)
        if not unsure[node]:
            assert STATUSES[found[node]] == _status([each for each in told if each[0] < size], at_us)
        assert unsure[node] == (size == 0 or any(index >= size for index, _ in told))


def _status(told: list[tuple[int, Pieces]], at_us: int) -> str:
    if not told:
        return "unverified"
    return STATUSES[next(status for begin, end, status in told[-1][1] if begin <= at_us < end)]


CLAIMS = st.lists(
    st.tuples(st.integers(0, MOST_NODES - 1), st.integers(0, len(ROLES) - 1), st.integers(0, MOST_ENTRIES)),
    max_size=20,
)


@given(CLAIMS, st.integers(0, 20), st.integers(0, MOST_ENTRIES + 1), st.sets(st.sampled_from(ROLES)))
def test_roles_as_a_list_of_claims_has_them(
    claims: list[tuple[int, int, int]], cut: int, size: int, wanted: set[str]
) -> None:
    claims.sort(key=lambda claim: claim[2])
    firsts = np.array([min((f for n, _, f in claims if n == node), default=0) for node in range(MOST_NODES)])
    columns = Roles.empty()
    for part in (claims[:cut], claims[cut:]):
        table = np.array(part, np.int64).reshape(-1, 3)
        columns = columns.with_rows(RoleRows(*table.T, last_claim=len(part)), firsts[table[:, 0]], MOST_NODES)
    for at in (size, None):
        nodes = np.flatnonzero(firsts < (MOST_ENTRIES + 1 if at is None else at))  # those that are known then
        found = columns.having(nodes, tuple(wanted), at)
        expected = {n for n, role, first in claims if ROLES[role] in wanted and (at is None or first < at)}
        assert set(nodes[found].tolist()) == expected
    assert columns.last_claim == len(claims[cut:])

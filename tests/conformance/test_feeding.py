"""How a backend is fed makes no difference: in batches of any size, or with some of it twice."""

from __future__ import annotations

import pytest

from tests.conformance.cases import CASES, Case
from tests.conformance.stores import SqlStore, Store, fill

FED = [case for case in CASES if 0 < len(case.entries) <= 60]


def batches_make_no_difference(store: Store, case: Case) -> None:
    fill(store, case.entries)
    at_once = store.dump()
    for batch in (1, 2, 7):
        fill(store, case.entries, batch=batch)
        assert store.dump() == at_once, batch


def twice_is_once(store: Store, case: Case) -> None:
    """Each batch again, and one that reaches back behind the watermark."""
    fill(store, case.entries)
    once = store.dump()
    store.feed(case.entries)
    assert store.dump() == once
    store.wipe()
    for end in range(1, len(case.entries) + 1):
        store.feed(case.entries[:end])
    assert store.dump() == once


@pytest.mark.parametrize("case", FED, ids=repr)
def test_sql_in_batches(sql_store: SqlStore, case: Case) -> None:
    batches_make_no_difference(sql_store, case)


@pytest.mark.parametrize("case", FED[:6], ids=repr)
def test_sql_twice(sql_store: SqlStore, case: Case) -> None:
    twice_is_once(sql_store, case)

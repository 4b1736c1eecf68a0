"""Queries that are planned once a connection give what the framework's cursor gives."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from lineage.db import prepared
from lineage.graph.sql_query import fetch

pytestmark = pytest.mark.usefixtures("log")
HEAD = "SELECT origin, size, policy_index FROM log_head WHERE size >= %s"
LEAVES = 'SELECT "index", leaf_hash FROM log_entry WHERE leaf_hash <> %s ORDER BY "index"'


def test_it_gives_the_same_whoever_watches() -> None:
    rows = prepared.fetch(HEAD, [0])
    assert rows == fetch(HEAD, [0])
    with CaptureQueriesContext(connection) as queries:
        assert prepared.fetch(HEAD, [0]) == rows
    assert len(queries) == 1
    assert [(index, bytes(leaf)) for index, leaf in prepared.fetch(LEAVES, [b"\0"])] == [
        (index, bytes(leaf)) for index, leaf in fetch(LEAVES, [b"\0"])
    ]
    assert prepared.fetch(HEAD, [1 << 40]) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps plans by itself")
def test_a_plan_is_kept_until_the_tables_have_doubled() -> None:
    asked = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT origin%%'"
    (before,) = fetch(asked)[0]
    planned = []
    for size in (4, 5, 7, 8, 15, 16):
        prepared.fetch(HEAD, [0], size=size)
        planned.append(fetch(asked)[0][0] - before)
    assert planned == [1, 1, 1, 2, 2, 3]
    fetch(HEAD, [0])
    assert fetch(asked)[0][0] - before == 3


def test_errors_are_the_frameworks() -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        prepared.fetch("SELECT nothing FROM nowhere")
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.fetch("INSERT INTO log_head SELECT * FROM log_head WHERE size >= %s RETURNING size", [0])
    assert prepared.fetch(HEAD, [0])

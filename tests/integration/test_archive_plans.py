"""On PostgreSQL no search of Archivista's clients reads a whole table, in a log of 50,000 collections."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from lineage.graph.sql_query import fetch
from lineage.services import archive_search
from lineage.services.archive_search import Wanted

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's plans"),
]
COLLECTIONS = 50_000
STEPS = 500
TABLES = ("archive_gitoid", "archive_collection", "archive_subject", "log_entry_subject")
WRITTEN = (
    "INSERT INTO archive_gitoid (entry_index, gitoid)"
    " SELECT n, encode(sha256(('g' || n)::bytea), 'hex') FROM generate_series(0, %s) n",
    "INSERT INTO archive_collection (entry_index, name, attestors)"
    f" SELECT n, 'step-' || n %% {STEPS}, '[]' FROM generate_series(0, %s) n",
    "INSERT INTO archive_subject (value, entry_index)"
    " SELECT encode(sha256(('s' || n)::bytea), 'hex'), n FROM generate_series(0, %s) n",
    "INSERT INTO log_entry_subject (entry_id, position, digest, name)"
    " SELECT n, 0, '\\x01'::bytea || sha256(('s' || n)::bytea), '' FROM generate_series(0, %s) n",
)


def hexed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def filled(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        for statement in WRITTEN:
            cursor.execute(statement, [COLLECTIONS - 1])
        cursor.execute(f"ANALYZE {', '.join(TABLES)}")


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from steps(below)


def test_searches_go_by_their_indexes(filled: None) -> None:
    some = [hexed(f"s{number}") for number in range(7, 27)]
    for wanted, found in (
        (Wanted(gitoids=[hexed("g7"), hexed("none")]), 1),
        (Wanted(collection="step-7"), COLLECTIONS // STEPS),
        (Wanted(collection="step-7", values=some), 1),
        (Wanted(collection="", values=some), len(some)),
        (Wanted(digest=f"sha256:{some[0]}"), 1),
    ):
        query, params = archive_search._query(wanted)
        limited = f"{query} ORDER BY g.entry_index LIMIT {archive_search.MAX_FOUND + 1}"
        ((plan,),) = fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {limited}", params)
        plan = plan[0]["Plan"]
        assert plan["Actual Rows"] == found
        for step in steps(plan):
            if step.get("Relation Name") in TABLES:
                assert "Index" in step["Node Type"] or step["Node Type"] == "Bitmap Heap Scan", step
                assert step["Actual Rows"] * step["Actual Loops"] <= 2 * (found + len(some)), step

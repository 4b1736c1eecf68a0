"""No question reads a whole table of nodes, edges, claims where an index serves; hubs don't cost more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from lineage.services import as_of as moments
from lineage.services import closure_beside, lineage
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from tests.graph_generator import generate
from tests.graph_rows import GraphRows

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="SQLite's plans; PostgreSQL's are in test_postgresql_plans"
    ),
]
STEPS = 120
# Parameters, subqueries and the walk itself: small tables of the query's own. Whether anything was redacted
# is asked of a table that holds that alone, up to its first row.
_SMALL = re.compile(
    r"SCAN (r|v|said|json_each|copies|graph_state|source|storage|log_redaction|CONSTANT ROW|\(subquery-\d+\)"
    r"|SUBQUERY \d+)\b"
)


@pytest.fixture
def rows(transactional_db: None) -> GraphRows:
    made = generate(STEPS)
    made.save()
    return made


@pytest.fixture
def now(rows: GraphRows) -> AsOf:
    return moments.resolve(None)


Query = tuple[str, Any]


@contextmanager
def recorded() -> Iterator[list[Query]]:
    """The SELECTs that the block sends, with their parameters."""
    queries: list[Query] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield queries


def scans(queries: list[Query]) -> list[str]:
    """The steps of the queries' plans that read a whole table or index, with the query."""
    found = []
    with connection.cursor() as cursor:
        for sql, params in queries:
            cursor.execute("EXPLAIN QUERY PLAN " + sql, params)
            steps = [str(row[3]) for row in cursor.fetchall()]
            found += [
                f"{step} in {sql}" for step in steps if step.startswith("SCAN") and not _SMALL.match(step)
            ]
    return found


QUESTIONS: dict[str, Callable[[str, str, AsOf], object]] = {
    "closure": lambda key, hub, now: lineage.closure(key, "ancestors", now, limit=5_000),
    "descendants": lambda key, hub, now: lineage.closure(hub, "descendants", now),
    "depth": lambda key, hub, now: lineage.closure(key, "ancestors", now, depth=3, kinds=["model", "run"]),
    "edge": lambda key, hub, now: lineage.closure(key, "ancestors", now, edges=["WAS_ASSOCIATED_WITH"]),
    "paths": lambda key, hub, now: lineage.paths(key, hub, now, limit=100),
    "node": lambda key, hub, now: lineage.node(key, now),
    "hub": lambda key, hub, now: lineage.node(hub, now),
    "checks": lambda key, hub, now: lineage.checks(key, now),
    "gaps": lambda key, hub, now: lineage.gaps(key, now),
    "page": lambda key, hub, now: lineage.search(now, after=key),
    "status": lambda key, hub, now: lineage.search(now, kind="model", status="failed"),
    "filtered": lambda key, hub, now: lineage.search(now, kind="dataset", status="verified"),
    "digest": lambda key, hub, now: lineage.search(now, digest=key[:20]),
    "text": lambda key, hub, now: lineage.search(now, text="model-0001"),
    "exceptions": lambda key, hub, now: lineage.recent_exceptions(now),
}
WHOLE = {"page", "exceptions"}
"""Go through an index from one end until they have enough: a scan that stops early."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_are_served_by_indexes(rows: GraphRows, now: AsOf, name: str) -> None:
    key, hub = (f"sha256:{rest}" for rest in ends(rows))
    with recorded() as queries:
        QUESTIONS[name](key, hub, now)
    found = scans(queries)
    if name in WHOLE:
        found = [step for step in found if "LIMIT" not in step and "count(" not in step]
    assert len(queries) > 2
    assert found == []


def test_who_signed_a_closure_is_read_by_its_nodes(rows: GraphRows, now: AsOf) -> None:
    """Not by the signer, who may have signed all that there is: that would be read again for each node."""
    nodes = {number: key for key, number in rows.ids.items()}
    (signer, *_) = closure_beside.signers(nodes, Reader(now))
    with recorded() as queries:
        closure_beside.signers(nodes, Reader(now), signer.key)
    (chosen,) = [query for query in queries if query[0].startswith("SELECT DISTINCT c.node_id")]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + chosen[0], chosen[1])
        steps = [str(row[3]) for row in cursor.fetchall() if str(row[3]).startswith("SEARCH c ")]
    assert len(steps) == 1
    assert "node_id=?" in steps[0]
    assert "signer_id=?" not in steps[0]


@pytest.mark.parametrize("kind", ["artifact", "model", None])
def test_totals_count_an_index_and_no_table(now: AsOf, kind: str | None) -> None:
    with recorded() as queries:
        page = lineage.search(now, kind=kind, limit=1)
    counting = [query for query in queries if "count(" in query[0]]
    assert len(counting) == 1
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + counting[0][0], counting[0][1])
        plan = " ".join(str(row[3]) for row in cursor.fetchall())
    assert "COVERING INDEX" in plan
    assert page.total > STEPS / 2


def test_the_number_of_queries_does_not_grow_with_the_page(rows: GraphRows, now: AsOf) -> None:
    _, hub = (f"sha256:{rest}" for rest in ends(rows))
    numbers = set()
    lineage.closure(hub, "descendants", now, limit=1)  # what is tainted is computed once and remembered
    for limit in (3, 10):
        with recorded() as queries:
            closure = lineage.closure(hub, "descendants", now, limit=limit)
        numbers.add(len(queries))
        assert len(closure.nodes) == limit
    assert len(numbers) == 1


def ends(rows: GraphRows) -> tuple[str, str]:
    """Digests of the last model and of the base model that it comes from."""
    models = [node for node, kind, value, *_ in rows.claims if (kind, value) == ("role", "model")]
    names = {number: key for key, number in rows.ids.items()}
    return names[max(models)].partition(":")[2], names[min(models)].partition(":")[2]

"""A plan is refused unless every part of it is known to only read."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.errors import ForbiddenError
from lineage.graph import cypher_guard


def plan(*operators: str, details: str = "") -> dict[str, Any]:
    """A chain of operators, the result first."""
    children = [plan(*operators[1:], details=details)] if operators[1:] else []
    return {"operatorType": operators[0], "args": {"Details": details}, "children": children}


READING = plan("ProduceResults@neo4j", "VarLengthExpand(Pruning,BFS,All)@neo4j", "NodeUniqueIndexSeek@neo4j")


def check(explained: dict[str, Any] | None, query_type: str | None = "r") -> None:
    cypher_guard.check(explained, query_type, "neo4j")


def test_reading_passes() -> None:
    check(READING)
    check(plan("ProduceResults@neo4j", "ProcedureCall@neo4j", details="db.labels() :: (label :: STRING)"))
    check(plan("ProduceResults@neo4j", "Repeat(Trail)@neo4j", "EmptyRow@neo4j"))


@pytest.mark.parametrize("query_type", ["w", "rw", "s", "", None, "R"])
def test_any_other_query_type_is_refused(query_type: str | None) -> None:
    with pytest.raises(ForbiddenError, match="of type"):
        check(READING, query_type)


@pytest.mark.parametrize("explained", [None, {}])
def test_no_plan_is_refused(explained: dict[str, Any] | None) -> None:
    with pytest.raises(ForbiddenError, match="no plan"):
        check(explained)


@pytest.mark.parametrize(
    ("operator", "says"),
    [
        ("Create@neo4j", "Create"),
        ("LoadCSV@neo4j", "LOAD CSV"),
        ("AdministrationCommand@system", "administration"),
        ("TerminateTransactions@neo4j", "TERMINATE"),
        ("ShowSettings@neo4j", "ShowSettings"),
        ("TransactionApply@neo4j", "TransactionApply"),
        ("RunQueryAt@neo4j", "RunQueryAt"),
        ("NodeUniqueIndexSeek(Locking)@neo4j", "NodeUniqueIndexSeek"),
        ("Merge(Into)@neo4j", "Merge"),
        ("Eager ProcedureCall@neo4j", "Eager ProcedureCall"),
        ("SomethingOfNextYear@neo4j", "SomethingOfNextYear"),
        ("AllNodesScan", "AllNodesScan"),
        ("AllNodesScan@system", "system"),
        ("AllNodesScan@neo4j@neo4j", "neo4j@neo4j"),
        ("allnodesscan@neo4j", "allnodesscan"),
        ("", "operation"),
    ],
)
def test_an_operator_that_is_not_known_to_read(operator: str, says: str) -> None:
    for explained in (plan(operator), plan("ProduceResults@neo4j", "Apply@neo4j", operator)):
        with pytest.raises(ForbiddenError, match=says):
            check(explained)


@pytest.mark.parametrize(
    "details",
    [
        "dbms.listConfig() :: (name :: STRING)",
        "db.labels.foo() :: ()",
        "db.label() :: ()",
        "xdb.labels() :: ()",
        "db.stats.collect($autostring_0) :: ()",
        "",
        "(db.labels())",
    ],
)
def test_a_procedure_that_is_not_on_the_list(details: str) -> None:
    with pytest.raises(ForbiddenError, match="the procedure"):
        check(plan("ProduceResults@neo4j", "ProcedureCall@neo4j", details=details))


@pytest.mark.parametrize(
    "details",
    [
        'CASE WHEN n.x THEN COLLECT { LOAD CSV FROM "file:///x" AS l RETURN l AS l } END AS a',
        "COLLECT { ResolvedCall(db.labels() :: label :: STRING) RETURN label AS label }",
        "COLLECT { UnresolvedCall(x) }",
    ],
)
def test_what_is_hidden_in_an_expression(details: str) -> None:
    with pytest.raises(ForbiddenError, match="inside an expression"):
        check(plan("ProduceResults@neo4j", "Projection@neo4j", details=details))


def test_a_plan_deeper_than_the_stack() -> None:
    explained = plan("Create@neo4j")
    for _ in range(5_000):
        explained = {"operatorType": "Apply@neo4j", "args": {}, "children": [explained]}
    with pytest.raises(ForbiddenError, match="Create"):
        check(explained)

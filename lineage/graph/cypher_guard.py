"""Whether a Cypher question only reads: judged by Neo4j's own plan of it.

Owns: which operators, query types and procedures a plan may have; an unknown one is refused. Does not own:
what a plan does not show (`cypher_text`), running anything. Pure: a plan is the dict that the driver gives.
Source: Neo4j 5.26, Cypher manual, "Operators in detail", and the names that its planner can write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lineage.errors import ForbiddenError
from lineage.graph.cypher_text import PROCEDURES

READ_ONLY = "r"
"""The query type that reads and has no effect. Others: rw, w (data), s (schema, administration)."""

_OPERATORS = """
AllNodesScan Anti AntiConditionalApply AntiSemiApply Apply Argument ArgumentTracker AssertSameNode
AssertSameRelationship BidirectionalRepeat CacheProperties CartesianProduct ConditionalApply
DirectedAllRelationshipsScan DirectedRelationshipByElementIdSeek DirectedRelationshipByIdSeek
DirectedRelationshipIndexContainsScan DirectedRelationshipIndexEndsWithScan DirectedRelationshipIndexScan
DirectedRelationshipIndexSeek DirectedRelationshipIndexSeekByRange DirectedRelationshipTypeScan
DirectedRelationshipUniqueIndexSeek DirectedRelationshipUniqueIndexSeekByRange
DirectedUnionRelationshipTypesScan Distinct Eager EagerAggregation EmptyResult EmptyRow ExhaustiveLimit
Expand Filter IntersectionNodeByLabelsScan LetAntiSemiApply LetSelectOrAntiSemiApply
LetSelectOrSemiApply LetSemiApply Limit MultiNodeIndexSeek NodeByElementIdSeek NodeByIdSeek
NodeByLabelScan NodeCountFromCountStore NodeHashJoin NodeIndexContainsScan NodeIndexEndsWithScan
NodeIndexScan NodeIndexSeek NodeIndexSeekByRange NodeLeftOuterHashJoin NodeRightOuterHashJoin
NodeUniqueIndexSeek NodeUniqueIndexSeekByRange NonFuseable NullifyMetadata Optional OptionalExpand
OrderedAggregation OrderedDistinct OrderedUnion PartialSort PartialTop PathPropagatingBFS PreserveOrder
ProcedureCall ProduceResults ProjectEndpoints Projection RelationshipCountFromCountStore Repeat
RepeatOptions RollUpApply SelectOrAntiSemiApply SelectOrSemiApply SemiApply ShortestPath Skip Sort
StatefulShortestPath SubtractionNodeByLabelsScan Top Top1WithTies TriadicBuild TriadicFilter
TriadicSelection UndirectedAllRelationshipsScan UndirectedRelationshipByElementIdSeek
UndirectedRelationshipByIdSeek UndirectedRelationshipIndexContainsScan
UndirectedRelationshipIndexEndsWithScan UndirectedRelationshipIndexScan UndirectedRelationshipIndexSeek
UndirectedRelationshipIndexSeekByRange UndirectedRelationshipTypeScan
UndirectedRelationshipUniqueIndexSeek UndirectedRelationshipUniqueIndexSeekByRange
UndirectedUnionRelationshipTypesScan Union UnionNodeByLabelsScan Unwind ValueHashJoin VarLengthExpand
"""
OPERATORS = frozenset(_OPERATORS.split())
"""Operators that read, without the part in parentheses."""

VARIANTS = frozenset({"", "All", "Into", "Pruning", "Pruning,BFS", "Pruning,BFS,All", "Trail", "Walk"})
"""What the parentheses may say. `NodeUniqueIndexSeek(Locking)`, for one, belongs to a write."""

WORDS = {
    "LoadCSV": "LOAD CSV, which reads files and the network",
    "AdministrationCommand": "an administration command",
    "TerminateTransactions": "TERMINATE TRANSACTIONS",
}
"""What is refused, where the operator's name alone would not tell a person."""

_OPERATOR = re.compile(r"(?P<name>\w+(?: \w+)*)(?:\((?P<variant>[^()]*)\))?@(?P<database>.*)", re.DOTALL)
_PROCEDURE = re.compile(r"[\w.]+(?=\()")
_HIDDEN = re.compile(r"LOAD CSV|(?:Unr|R)esolvedCall\(")
"""How the plan's text spells a file or procedure inside an expression."""


def check(plan: Mapping[str, Any] | None, query_type: str | None, database: str) -> None:
    """Refuse whatever is not known to only read.

    Args:
        plan: of EXPLAIN, as the driver gives it; None is refused.
        query_type: of the summary of EXPLAIN.
        database: the only one that an operator may touch.

    Raises: ForbiddenError that names the operator, procedure or query type.
    """
    if not plan:
        raise _refused("a query that Neo4j shows no plan of")
    for operator, arguments in _walk(plan):
        _check_operator(operator, arguments, database)
    if query_type != READ_ONLY:
        raise _refused(f"a query of type {query_type!r}; only {READ_ONLY!r} reads without effect")


def _walk(plan: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every operator with its arguments. A plan can be deeper than Python's stack."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        yield str(node.get("operatorType", "")), node.get("args") or {}
        waiting.extend(node.get("children") or ())


def _check_operator(operator: str, arguments: Mapping[str, Any], database: str) -> None:
    parsed = _OPERATOR.fullmatch(operator)
    name = parsed["name"] if parsed else operator
    if parsed is None or name not in OPERATORS or (parsed["variant"] or "") not in VARIANTS:
        raise _refused(WORDS.get(name, f"the operation {operator.partition('@')[0]}"))
    if parsed["database"] != database:
        raise _refused(f"the database {parsed['database']}")
    details = str(arguments.get("Details", ""))
    if name == "ProcedureCall":
        called = _PROCEDURE.match(details)
        if called is None or called[0] not in PROCEDURES:
            raise _refused(f"the procedure {called[0] if called else details[:60]}")
    if _HIDDEN.search(details):
        raise _refused("a file or procedure inside an expression")


def _refused(what: str) -> ForbiddenError:
    return ForbiddenError(
        f"This page only reads the graph. Refused: {what}.",
        hint="Whatever changes something is done by a signed statement or decision, never in Neo4j.",
        where="query",
    )

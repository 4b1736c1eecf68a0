"""What a Cypher text may not hold, whatever Neo4j's plan of it shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import ForbiddenError, MalformedError
from lineage.graph import cypher_text
from tests.unit.graph.cypher_cases import BY_PLAN, BY_TEXT, HONEST, MISTAKES


@pytest.mark.parametrize("query", HONEST)
def test_honest_questions_pass(query: str) -> None:
    cypher_text.check(query)


@pytest.mark.parametrize(("query", "says"), BY_TEXT)
def test_what_is_refused_by_its_text(query: str, says: str) -> None:
    with pytest.raises((ForbiddenError, MalformedError)) as raised:
        cypher_text.check(query)
    assert says in raised.value.message
    assert raised.value.where == "query"


@pytest.mark.parametrize("query", [query for query, _ in (*BY_PLAN, *MISTAKES)])
def test_the_rest_is_left_to_neo4j(query: str) -> None:
    cypher_text.check(query)


@given(
    st.sampled_from(["load", "LOAD", "Load"]),
    st.text(max_size=20).filter(lambda text: "\\" not in text),
    st.sampled_from(["csv", "CSV"]),
    st.text(max_size=20),
)
def test_no_filling_hides_a_file(first: str, between: str, second: str, after: str) -> None:
    with pytest.raises((ForbiddenError, MalformedError)):
        cypher_text.check(f"MATCH (n) {first}{between}{second} FROM 'file:///x' AS l RETURN l {after}")


@given(st.text(max_size=20), st.text(max_size=10))
def test_no_filling_hides_a_procedure(before: str, between: str) -> None:
    """Whatever stands between: it is an allowed name, a subquery, part of a longer word, or refused."""
    query = f"MATCH (n) {before} CALL{between}dbms.listConfig()"
    try:
        cypher_text.check(query)
    except (ForbiddenError, MalformedError):
        return
    following = (between + "dbms")[0]
    assert following.isalnum() or following == "_" or between.strip()[:1] in {"(", "{"}


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("RETURN apoc.load.json('x')", True),
        ("RETURN `apoc` . /* */ `load`.\n`JSON`('x')", True),
        ("RETURN apoc.text.join([], '')", False),
        ("MATCH (n) RETURN n.load, n.json", False),
    ],
)
def test_functions_that_somebody_added(query: str, refused: bool) -> None:
    if refused:
        with pytest.raises(ForbiddenError, match=r"apoc\.load\.json"):
            cypher_text.check_functions(query, ["apoc.load.json"])
    else:
        cypher_text.check_functions(query, ["apoc.load.json"])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("RETURN 1", 0),
        ("RETURN x IN [1, 2]", 0),
        ("[x IN l | x] + [y IN l | y]", 1),
        ("[x IN l | [y IN x | y]]", 2),
        ("all(x IN l WHERE any(y IN x WHERE y))", 2),
        ("'[x IN l | [y IN x |' + [x IN l | x]", 1),
        ("[x IN l | '\\'' + [y IN x | y]]", 2),
        (")]}", 0),
    ],
)
def test_counting_loops(text: str, count: int) -> None:
    assert cypher_text.loops(text) == count


def test_a_long_text_takes_no_long_time() -> None:
    """Ten thousand characters of whatever a pattern could stumble over; the test ends at all."""
    for piece in (
        "load",
        "/*",
        "//",
        "'",
        "call ",
        "range(1,",
        "[x IN ",
        "reduc",
        "`",
        '"',
        "\\",
        "= ~",
        "\n ",
    ):
        try:
            cypher_text.check("RETURN " + piece * (10_000 // len(piece)))
        except (ForbiddenError, MalformedError):
            continue

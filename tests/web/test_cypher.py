"""The operators' page that asks the graph in Cypher."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from lineage.db.models import GraphQuery
from lineage.graph import cypher_text
from lineage.service_urls import Bolt
from lineage.web.cypher_cells import MOST_CHARACTERS, Link, cell
from lineage.web.cypher_examples import EXAMPLES
from tests.cypher import use
from tests.web.installation import CLAIMS, MACHINE, TRIAGE

URL = "/graph/cypher"
NOWHERE = Bolt("bolt://127.0.0.1:1", "neo4j", "x")


def ask(client: Client, query: str, parameters: str = "", **more: str) -> Any:
    form = {"query": query, "parameters": parameters, "rows": "1000", "seconds": "60", **more}
    return client.post(URL, form)


def test_it_is_for_operators(auditor: Client, person: Any) -> None:
    for client in (auditor, person("officer")):
        assert client.get(URL).status_code == 403
        assert ask(client, "RETURN 1").status_code == 403
        assert "/graph/cypher" not in client.get("/").content.decode()
    assert not GraphQuery.objects.exists()


def test_without_a_neo4j_it_says_what_to_do(operator: Client) -> None:
    page = operator.get(URL).content.decode()
    assert "No Neo4j is configured" in page
    assert "LINEAGE_GRAPH_URL=bolt://" in page
    assert "<textarea" not in page
    answer = ask(operator, "RETURN 1")
    assert answer.status_code == 422
    assert "No Neo4j is configured" in answer.content.decode()


def test_the_empty_page(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    use(NOWHERE, monkeypatch)
    page = operator.get(URL).content.decode()
    assert "Nobody has asked yet" in page
    assert "Statuses are not in Neo4j" in page
    for example in EXAMPLES:
        assert f"?example={example.slug}" in page


def test_an_example_fills_the_form(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    use(NOWHERE, monkeypatch)
    page = operator.get(URL, {"example": "made-from-name"}).content.decode()
    assert "CONTAINS $name" in page
    assert "{&quot;name&quot;: &quot;claims&quot;}" in page
    assert operator.get(URL, {"example": "nothing"}).status_code == 200


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_examples_pass_the_rules_about_texts(example: Any) -> None:
    cypher_text.check(example.query)


@pytest.mark.service
def test_each_example_is_answered(filled_neo4j: Bolt, operator: Client) -> None:
    rows = {}
    for example in EXAMPLES:
        answer = ask(operator, example.query, example.parameters)
        assert answer.status_code == 200, (example.slug, answer.content.decode())
        rows[example.slug] = answer.context["table"]
    assert {slug for slug, table in rows.items() if not table} == {"contested-origins"}
    assert {record.outcome for record in GraphQuery.objects.all()} == {"answered"}


@pytest.mark.service
def test_nodes_and_keys_lead_to_their_pages(filled_neo4j: Bolt, operator: Client) -> None:
    page = ask(
        operator,
        "MATCH p = (m:Model)-[:WAS_GENERATED_BY]->(r)-[:USED]->(d {key: $d}), (h:HardwareNode) "
        "RETURN m, d.key, p, h",
        f'{{"d": "sha256:{CLAIMS}"}}',
    ).content.decode()
    targets = set(re.findall(r'href="(/nodes/[^"]+)"', page))
    assert {f"/nodes/sha256:{TRIAGE}", f"/nodes/sha256:{CLAIMS}", f"/nodes/hw:{MACHINE}"} <= targets
    for target in targets:
        assert operator.get(target, follow=True).status_code == 200, target
    assert "—WAS_GENERATED_BY→" in page
    assert "1 row in" in page
    assert re.search(r"graph at (\d+) of \1", page)


@pytest.mark.service
def test_mistakes_are_told_where_they_are(asked_neo4j: Bolt, operator: Client) -> None:
    answer = ask(operator, "MATCH (n)\r\nRETRUN n")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "At line 2, column 1:" in page
    assert "RETRUN n\n^</pre>" in page
    page = ask(operator, "MATCH (n) DELETE n").content.decode()
    assert "Refused: the operation Delete" in page
    assert page.index("Delete") < page.index("Recorded queries")
    page = ask(operator, "MATCH (n:Node) RETURN n").content.decode()
    assert "No rows" in page
    assert list(GraphQuery.objects.order_by("pk").values_list("outcome", flat=True)) == [
        "failed", "refused", "answered",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"query": ""}, "This field is required."),
        ({"query": "x" * 10_001}, "at most 10000 characters"),
        ({"parameters": "{"}, "Parameters: "),
        ({"parameters": "[1]"}, "This is no JSON object"),
        ({"parameters": '{"a": 1, "a": 2}'}, "Parameters: "),
        ({"rows": "5"}, "not one of the available choices"),
        ({"seconds": "3600"}, "not one of the available choices"),
    ],
)
def test_a_wrong_form(
    operator: Client, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], complaint: str
) -> None:
    use(NOWHERE, monkeypatch)
    answer = ask(operator, **{"query": "RETURN 1", **fields})
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not GraphQuery.objects.exists()


def test_what_others_wrote_is_text(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    use(NOWHERE, monkeypatch)
    page = ask(operator, "RETURN '<script>alert(1)</script>'").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "can&#x27;t be reached" in page


def test_a_form_from_another_site_is_refused(operator: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert ask(strict, "RETURN 1").status_code == 403
    assert not GraphQuery.objects.exists()


def test_cells() -> None:
    key = "sha256:" + "ab" * 32
    link = Link(key, "", "node", key)
    node = {"$type": "node", "key": key, "labels": ["Node"], "properties": {"key": key, "name": "m"}}
    strange: dict[str, Any] = {"$type": "node", "key": None, "labels": ["Projection"], "properties": {}}
    step: dict[str, Any] = {
        "$type": "relationship",
        "relation": "USED",
        "source": None,
        "target": key,
        "properties": {},
    }
    assert cell(None).parts == ("—",)
    assert cell(True).parts == ("true",)
    assert (cell(7).parts, cell(7).number) == (("7",), True)
    assert cell("text").parts == ("text",)
    assert cell(key).parts == (link,)
    assert cell(["a", key]).parts == ("a", ", ", link)
    assert cell("key:" + "cd" * 32).parts == (Link("key:" + "cd" * 32, "", "key", "cd" * 32),)
    assert cell([1, 2]).parts == ("[1,2]",)
    assert cell({"a": 1}).code
    assert cell(node).parts == (Link(key, "m", "node", key),)
    assert cell(strange).parts == ("(Projection)",)
    assert cell(step).parts == ("( )", " —USED→ ", link)
    path = {"$type": "path", "nodes": [node, strange], "relationships": [step]}
    assert cell(path).parts == (Link(key, "m", "node", key), " ←USED— ", "(Projection)")
    assert cell({"$type": "integer", "value": "9007199254740993"}).parts == ("9007199254740993",)
    assert cell({"$type": "date", "value": "2026-11-25"}).parts == ("2026-11-25",)
    assert cell({"$type": "map", "value": {"$type": "x"}}).code
    assert len(str(cell("x" * 5_000).parts[0])) == MOST_CHARACTERS + 1

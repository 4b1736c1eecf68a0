"""POST /api/v1/graph/cypher."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.test import Client

from api.openapi import EXAMPLES
from lineage.db.models import GraphQuery
from lineage.service_urls import Bolt
from tests import factories
from tests.conftest import Api, problem
from tests.cypher import use
from tests.web.installation import TRIAGE

URL = "/api/v1/graph/cypher"


def ask(api: Api, query: str, **more: Any) -> Any:
    return api.post(URL, {"query": query, **more})


@pytest.mark.service
def test_what_went_into_a_model(
    filled_neo4j: Bolt, as_scope: Callable[..., Api], graph: Callable[[], int]
) -> None:
    answer = ask(
        as_scope("operate"),
        "MATCH (m:Model {key: $key})-[:WAS_GENERATED_BY]->(run)-[used:USED]->(d) "
        "RETURN d, used, d.first AS entry "
        "ORDER BY d.key LIMIT 1",
        parameters={"key": f"sha256:{TRIAGE}"},
        limit=5,
        seconds=30,
    )
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert found["columns"] == ["d", "used", "entry"]
    [[node, used, entry]] = found["rows"]
    assert (node["$type"], used["$type"], used["relation"]) == ("node", "relationship", "USED")
    assert used["target"] == node["key"]
    assert node["properties"]["first"] == entry
    assert (found["truncated"], found["limit"], found["seconds"]) == (False, 5, 30)
    assert found["projected"] == found["tree_size"] == graph()
    assert found["ms"] >= 0


@pytest.mark.service
def test_each_way_of_not_being_answered(asked_neo4j: Bolt, as_scope: Callable[..., Api]) -> None:
    api = as_scope("operate")
    answer = ask(api, "MATCH (n) DETACH DELETE n")
    assert problem(answer) == (403, "forbidden")
    assert "DetachDelete" in answer.json()["detail"]
    answer = ask(api, "MATCH (n)\nRETRUN n")
    assert problem(answer) == (400, "malformed")
    document = answer.json()
    assert (document["line"], document["column"], document["where"]) == (2, 1, "line 2, column 1")
    assert "RETRUN" in document["detail"]
    slow = " ".join(f"UNWIND range(1, 999) AS x{i}" for i in range(6)) + " RETURN count(*)"
    answer = ask(api, slow, seconds=1)
    assert problem(answer) == (413, "too-large")
    assert answer.json()["limit"] == 1
    assert "time limit" in answer.json()["detail"]


@pytest.mark.service
def test_the_token_or_person_is_in_the_record(asked_neo4j: Bolt, as_scope: Callable[..., Api]) -> None:
    assert ask(as_scope("operate"), "RETURN 1").status_code == 200
    person = factories.user("operator")
    client = Client()
    client.force_login(person)
    assert client.post(URL, {"query": "RETURN 2"}, content_type="application/json").status_code == 200
    by_token, by_person = GraphQuery.objects.order_by("pk").values_list("person", flat=True)
    assert by_token.startswith("token:")
    assert "(lin_" in by_token
    assert by_person == person.email


def test_who_may_not_ask_leaves_no_record(as_scope: Callable[..., Api]) -> None:
    assert problem(ask(as_scope("read", "decide", "check", "attest"), "RETURN 1")) == (403, "forbidden")
    assert problem(ask(as_scope(), "RETURN 1")) == (401, "unauthenticated")
    client = Client()
    client.force_login(factories.user("officer"))
    answer = client.post(URL, {"query": "RETURN 1"}, content_type="application/json")
    assert problem(answer) == (403, "forbidden")
    assert not GraphQuery.objects.exists()


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "query"),
        ({"query": 1}, "$.query"),
        ({"query": "RETURN 1", "parameters": []}, "$.parameters"),
        ({"query": "RETURN 1", "limit": "10"}, "$.limit"),
        ({"query": "RETURN 1", "database": "system"}, "database"),
        ({"query": "RETURN 1", "seconds": 0}, "seconds"),
    ],
)
def test_a_wrong_form(
    as_scope: Callable[..., Api], monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], where: str
) -> None:
    use(Bolt("bolt://127.0.0.1:1", "neo4j", "x"), monkeypatch)
    answer = as_scope("operate").post(URL, body)
    assert problem(answer) == (400, "malformed")
    assert where in answer.content.decode()


def test_without_a_neo4j_the_answer_says_what_to_do(as_scope: Callable[..., Api]) -> None:
    answer = ask(as_scope("operate"), "RETURN 1")
    assert problem(answer) == (404, "not-found")
    assert "LINEAGE_GRAPH_URL" in answer.json()["hint"]


def test_a_neo4j_that_is_down(as_scope: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    use(Bolt("bolt://127.0.0.1:1", "neo4j", "x"), monkeypatch)
    answer = ask(as_scope("operate"), "RETURN 1")
    assert problem(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "5"


def test_no_parameters_of_the_address(as_scope: Callable[..., Api]) -> None:
    answer = as_scope("operate").post(f"{URL}?database=system", {"query": "RETURN 1"})
    assert problem(answer) == (400, "malformed")


def test_the_example_has_the_form_that_values_have() -> None:
    row = EXAMPLES["cypher"]["rows"][0]
    assert {"$type", "key", "labels", "properties"} == set(row[1])


def test_the_process_knows_no_secret_but_the_one_that_it_is_told() -> None:
    from lineage.services import graph_query

    environment = os.environ | {"LINEAGE_SECRET_KEY": "x", "LINEAGE_DATABASE_URL": "postgresql://u:p@h/d"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        assert not [name for name in graph_query._environment() if name.startswith("LINEAGE_")]


def test_the_process_ends_itself(tmp_path: Any) -> None:
    """Also where the process that asked is gone and nothing ever answers."""
    from lineage.graph import cypher_process
    from lineage.services import graph_query

    question = cypher_process.Question("bolt://127.0.0.1:1", "u", "p", 1, "RETURN 1", {}, 1, 1, 1, 512 << 20)
    program = (
        "import time; from lineage.graph import cypher_process as p; p.ask = lambda q: time.sleep(600); "
        "p.CONNECT_SECONDS = p.GRACE_SECONDS = p.SERVER_SECONDS = 0.1; p.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=msgspec.json.encode(question),
        env=graph_query._environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -14, done.stderr

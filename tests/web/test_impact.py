"""The page of what a thing affects."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from lineage.graph.model import signer_key
from lineage.services import as_of, impact, project
from tests import factories
from tests.factories import Signer
from tests.integration.projections import deployment, key_of, send

DEEP = 30


@pytest.fixture
def chain(graph: Callable[[], int]) -> Signer:
    """Model n is made from model n - 1 up to 30; model 0 from a dataset; a deployment runs the last."""
    who = factories.registered(name="pipeline <1>")
    before = factories.artifact("<i>data</i>")
    for number in range(DEEP):
        made = factories.artifact(f"model {number}", annotations={"role": "model"})
        said = factories.provenance([made], [before], invocation=f"run {number}")
        send(who, said)
        send(who, factories.statement(made, predicate_type="urn:lineage:predicate:model:v1", predicate={}))
        before = made
    send(who, deployment("shop", before))
    graph()
    return who


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    plain = re.sub(r"<[^>]+>", " ", re.sub("<wbr>", "", answer.content.decode()))
    return re.sub(r"\s+", " ", html.unescape(plain))


def test_models_and_deployments_by_hop_with_a_way_there(auditor: Client, chain: Signer) -> None:
    found = impact.impact(key_of("<i>data</i>"), as_of.resolve(None), limit=100)
    assert found.total == 2 * DEEP + 1
    assert found.listed_total == len(found.affected) == DEEP + 1
    assert [each.hops for each in found.affected] == sorted(each.hops for each in found.affected)
    last = found.affected[-1]
    assert (last.node.name, last.node.kind, last.hops) == ("shop", "deployment", 2 * DEEP + 1)
    assert [step.name for step in last.path[:3]] == ["<i>data</i>", "run 0", "model 0"]
    assert last.path[-1].name == "shop"
    assert sum(hop.total for hop in found.by_hop) == found.total
    assert sum(hop.listed for hop in found.by_hop) == found.listed_total


def test_systems_that_use_an_affected_model_are_affected(auditor: Client, chain: Signer) -> None:
    system = {
        "name": "Credit decisions", "owner": "Retail credit", "purpose": "decides on credits",
        "riskClass": "high",
        "models": [factories.artifact("model 3")],
    }  # fmt: skip
    kind = "urn:lineage:predicate:ai-system:v1"
    send(chain, factories.statement(factories.artifact("credit"), predicate_type=kind, predicate=system))
    project.project_pending()
    found = impact.impact(key_of("<i>data</i>"), as_of.resolve(None), limit=100)
    ((hops, path),) = [(each.hops, each.path) for each in found.affected if "system" in each.node.roles]
    assert hops == 9, "eight to model 3, and one"
    assert [step.name for step in path[-2:]] == ["model 3", "credit"]
    page = auditor.get(f"/impact/{key_of('<i>data</i>')}?hops=9")
    assert "Models, AI systems and deployments 32" in text_of(page)


def test_the_page_leads_through_all_of_them(auditor: Client, chain: Signer) -> None:
    url, seen = f"/impact/{key_of('<i>data</i>')}", list[str]()
    while True:
        answer = auditor.get(url)
        body = answer.content.decode()
        assert "<i>data" not in body
        rows = re.findall(r'<th scope="row" class="name"><a href="([^"]+)"', body)
        seen += rows
        onward = re.search(r'href="([^"]*after=[^"]*)">More<', body)
        if onward is None:
            break
        url = html.unescape(onward[1])
    assert len(seen) == len(set(seen)) == DEEP + 1
    assert "Models, AI systems and deployments 31" in text_of(auditor.get(f"/impact/{key_of('<i>data</i>')}"))


def test_as_a_file_it_is_whole(auditor: Client, chain: Signer) -> None:
    answer: Any = auditor.get(f"/impact/{key_of('<i>data</i>')}?format=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == DEEP + 1
    assert rows[0]["name"] == "model 0"
    assert rows[-1]["hops"] == str(2 * DEEP + 1)


def test_of_a_key_it_is_what_it_signed_and_what_came_of_that(auditor: Client, chain: Signer) -> None:
    found = impact.impact(signer_key(chain.key_id), as_of.resolve(None), limit=100)
    assert found.listed_total == DEEP + 1
    assert all(each.hops >= 1 for each in found.affected)


def test_as_of_before_it_affected_less(auditor: Client, chain: Signer) -> None:
    found = impact.impact(key_of("<i>data</i>"), as_of.resolve("6"), limit=100)
    assert 0 < found.listed_total < DEEP


def test_nothing_is_said_and_what_is_wrong_is_refused(
    auditor: Client, chain: Signer, graph: Callable[[], int]
) -> None:
    send(chain, factories.statement(factories.artifact("alone")))
    graph()
    assert "Nothing came of it" in text_of(auditor.get(f"/impact/{key_of('alone')}"))
    assert auditor.get(f"/impact/sha256:{'0' * 64}").status_code == 404
    assert auditor.get(f"/impact/{key_of('<i>data</i>')}?after=x").status_code == 400
    assert auditor.get(f"/impact/sha256:{'0' * 64}?format=csv").status_code == 404


def test_each_way_can_be_drawn(auditor: Client, chain: Signer) -> None:
    root = key_of("<i>data</i>")
    body = auditor.get(f"/impact/{root}").content.decode()
    (way,) = {html.unescape(url) for url in re.findall(r'href="([^"]+)">draw it', body)[:1]}
    drawn = auditor.get(way).content.decode()
    assert "Only what lies on the one way" in drawn
    assert "run 0" in drawn


def test_a_key_page_leads_to_what_the_key_affects(auditor: Client, chain: Signer) -> None:
    body = auditor.get(f"/keys/{chain.key_id}").content.decode()
    (url,) = re.findall(r'href="([^"]+)">What it affects', body)
    assert "model 29" in text_of(auditor.get(f"{url}?after=25"))

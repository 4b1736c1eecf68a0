"""The whole graph that each type's example makes: nodes, roles, statuses, edges, what the signer is asked.

`graphs.txt` is the table, printed once and read beside docs/predicates: a line is a node
(`kind name: roles; status reasons`) or an edge. After a change on purpose, to be read as well:
`python -m tests.unit.predicates.test_graphs > tests/unit/predicates/graphs.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage import predicates
from lineage.graph import status
from lineage.graph.model import (
    ClaimKind,
    GraphDelta,
    NodeKind,
    deployment_key,
    hardware_key,
    place_key,
    run_key,
    supplier_key,
    unnamed_uri,
    uri_key,
)
from lineage.graph.status import Rules, Trust
from lineage.graph.status_facts import Facts, KeyLife
from lineage.predicates.base import PredicateType
from lineage.trust.statement import Statement
from tests.unit.predicates.making import KEY, SIGNER, example, parsed, projected

TABLE = Path(__file__).with_name("graphs.txt")
WITH_EXAMPLE = [each for each in predicates.PREDICATES if each.example]
COLLECTED = ("mlflow-observation", "openlineage-observation")
"""Signed by our collector alone."""

CI = "https://ci.acme.example"
PURL = "pkg:huggingface/mistralai/Mistral-7B-v0.3"

NAMES = {
    KEY: "the signer",
    "dirHash:cf8ba1b54f230dd5f78247678539ddb730b5eff476a022dfaa7a5ea60f8d68ba": "model",
    "dirHash:78bf7d71fb679d8a5100474fae3457c448d347764ea0e31f25354e6ed003740a": "base model",
    "sha256:213992b28bbd0606281840bb333c259868cd6d4c98c9fa16e1c2f25384243776": "claims",
    "sha256:d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde": "raw claims",
    "sha256:f5377e5f87b219e3e6d1f950fe38df6007300dd96a2475ca11d046f4f44c86d3": "config.json",
    "sha256:15f3ad2bce7dcc265bb5979650f3e5e15136abe0a52b517d0149bc370d9b133a": "model.safetensors",
    "sha256:9392a2fc4b259962dedd06d19af0b4f47d551d0bc87a9dc7646c389d5d1b21e3": "tokenizer.json",
    "sha256:845e91831319e89c4d656bdb80c278ac09a7230d61e5dfd2e1b1fbb436ac8917": "report",
    "sha256:112f2dfa31205df3f5f9db109460c8b85067d7dc27f70781c2e4ef903ee9f26a": "gguf",
    "sha256:d339f720de1fd92a672df9ef19a8cdbda6171cbf33fcd35ad95c46f8aebaf628": "adapter",
    "sha256:00f7011cc80c9a2c82c0234f8724f0b7e694723b61ac9039f469b9869d7e36f6": "raw csv",
    "sha256:3b6a765ede676559e0f261b5b9e339c9f36819c74a67568eb417ff4b379dbfbd": "name replacer",
    "sha256:3f8f09c8e09f712b362183db69f4f061bd948d7a61e7663b585d723602c559b1": "merged model",
    "sha256:81db8ebbbbc69c6c6ad4a6aa92b76e0c08af547da236b9e2c9dbe1d8285a8130": "small model",
    "sha256:8950abfda7b727630760dd35bcf5c3daa7631aff223a90f7728c0d2521dde10c": "tiny base",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": "test claims",
    "sha256:49be417ad74080a0031b636b44cfc26fdd0065492d6cd3b033960c4414955cf7": "claims desk",
    "sha256:14c2529eb4498c5d1ffd6915d05bf58a91bdda796af59f41d480d11c099d0479": "desk container",
    hardware_key("c53922d77a11b60da26825377d0ca910ac4dfdeaa6b3e299fa66e5715cb71c4e"): "gpu-017",
    "sha256:ed183d67207df065a11e1289f19d34cc2abbc5448dea952683cfe9728c342b95": "train.py",
    hardware_key("4b756f75b963a7332c359dfdc655b99bd3481fe2b9c598e2cb025532da3c741f"): "gpu-018",
    hardware_key("040a71a1fefae58e377e5584768d8c64850625fda558b6869eac1e39e08201da"): "gpu-102",
    deployment_key(SIGNER, "claims-triage-production/2.1.0"): "production",
    place_key("Frankfurt FRA2"): "FRA2",
    place_key("DE"): "DE",
    place_key("DE-HE"): "DE-HE",
    place_key("FR"): "FR",
    supplier_key("Acme Insurance AG, ML Platform"): "ML Platform",
    supplier_key("Acme Insurance AG, Claims Department"): "Claims Department",
    supplier_key("Rheinrechner GmbH"): "Rheinrechner",
    supplier_key("Rhine Data Centres GmbH"): "Rhine Data Centres",
    supplier_key("Mistral AI"): "Mistral AI",
    uri_key("https://glossary.example/dump"): "glossary",
    uri_key("git+https://git.acme.example/ml/claims-triage@refs/tags/v2.1.0"): "git of the run",
    uri_key("git+https://git.acme.example/ml/triage@refs/tags/2.1.0"): "git at 2.1.0",
    uri_key("git+https://git.acme.example/ml/triage"): "git",
    uri_key("pkg:pypi/torch@2.6.0"): "torch",
    uri_key(PURL): "base model by name",
    uri_key("postgres://claims-db.acme.example:5432/claims.public.claims"): "claims table",
    uri_key(unnamed_uri(SIGNER, "Vehicle register extract (delivered by mail)")): "register by mail",
    run_key(f"{CI}/ml", "anonymise/412", ""): "run anonymise",
    run_key(f"{CI}/ml", "fine-tune/412", ""): "run fine-tune",
    run_key(f"{CI}/ml", "merge/412", ""): "run merge",
    run_key(f"{CI}/ml", "distil/412", ""): "run distil",
    run_key(f"{CI}/ml", "quantise/412", ""): "run quantise",
    run_key(f"{CI}/ml", "evaluate/412", ""): "run evaluate",
    run_key(
        f"{CI}/pipelines/claims-triage", "https://ci.acme.example/pipelines/claims-triage/runs/4711", ""
    ): "run claims-triage",
    run_key(f"{CI}/train", "train/412", ""): "run train",
    run_key(f"{CI}/convert", "runs/12", ""): "run convert",
    run_key(
        "urn:lineage:openlineage:acme-airflow", "0195553a-7b1c-7d2e-8f3a-4b5c6d7e8f90", ""
    ): "run airflow",
}
"""What the keys are called in the table: written out, or made by the rules of identity."""


def named(key: str, told: Statement) -> str:
    """A node's name; of a run that names no builder `run of the statement`, or of a part of it."""
    runs = {
        f"run:{told.digest}": "run of the statement",
        run_key(f"urn:lineage:statement:{told.digest}", "training", told.digest): "run of the task",
    }
    return NAMES.get(key) or runs.get(key, key)


def statuses(delta: GraphDelta, trust: Trust) -> dict[str, str]:
    """Each node's status where this statement is all that is known, its signer registered."""
    gathered = {key: Facts(key, kind, {}) for key, kind in delta.nodes.items()}
    gathered[KEY].life = KeyLife()
    for claim in delta.claims:
        gathered[claim.node].add_claim(claim, KEY, trust, 1)
    for edge in delta.edges:
        for key in (edge.source, edge.target):
            gathered[key].add_edge(edge, KEY, trust, 1)
    found = {
        key: status.evaluate(facts, Rules(), {})
        for key, facts in gathered.items()
        if facts.kind is not NodeKind.DEPLOYMENT
    }
    for key, facts in gathered.items():
        if facts.kind is NodeKind.DEPLOYMENT:
            found[key] = status.evaluate(facts, Rules(), found)
    now = {key: status.at(pieces, 1) for key, pieces in found.items()}
    return {key: " ".join((piece.status, *sorted(piece.reasons))) for key, piece in now.items()}


def drawn(predicate: PredicateType) -> Iterator[str]:
    """The section of the table."""
    told = parsed(example(predicate.example or ""))
    delta = projected(told)
    asked, news = predicates.claimed(told, delta), predicate.bad_news(told)
    yield f"[{predicate.slug}]"
    yield f"asks: {', '.join(sorted(asked.kinds)) or 'nothing'}"
    yield from (f"builder: {builder}" for builder in sorted(asked.builders))
    yield f"bad news: {news.words if news else 'none'}{', erasable' if news and news.erasable else ''}"
    judged = statuses(delta, Trust.OBSERVED if predicate.slug in COLLECTED else Trust.SIGNED)
    lines = []
    for key, kind in delta.nodes.items():
        roles = sorted({c.value for c in delta.claims if c.node == key and c.kind is ClaimKind.ROLE})
        lines.append(f"{kind} {named(key, told)}: {', '.join(roles) or '-'}; {judged[key]}")
    yield from sorted(lines)
    yield from sorted({f"{named(e.source, told)} --{e.type}--> {named(e.target, told)}" for e in delta.edges})
    yield from sorted(f"{c.outcome}: {named(c.node, told)} at {c.location}" for c in delta.checks)
    yield ""


def table() -> dict[str, str]:
    sections = TABLE.read_text().split("\n[")
    return {text.lstrip("[").partition("]")[0]: f"[{text.lstrip('[').rstrip()}\n" for text in sections}


@pytest.mark.parametrize("predicate", WITH_EXAMPLE, ids=lambda predicate: predicate.slug)
def test_the_graph_of_the_example(predicate: PredicateType) -> None:
    assert "\n".join(drawn(predicate)) == table()[predicate.slug]


def test_the_table_has_every_type() -> None:
    assert list(table()) == [predicate.slug for predicate in WITH_EXAMPLE]
    assert [each.slug for each in predicates.PREDICATES if not each.example] == ["decision"]
    assert len(WITH_EXAMPLE) == 36


if __name__ == "__main__":
    print("\n".join(line for predicate in WITH_EXAMPLE for line in drawn(predicate)).rstrip())

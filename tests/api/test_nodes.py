"""GET /api/v1/nodes and what hangs below a node, on the lineage of one small model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests import factories
from tests.conftest import Api, problem
from tests.factories import artifact, provenance

URL = "/api/v1/nodes"


@dataclass(frozen=True)
class Chain:
    """dataset → prepared → model, by two runs; `first` and `last` are the indexes of their entries."""

    dataset: str
    prepared: str
    model: str
    first: int
    last: int


@pytest.fixture
def chain(api: Api, graph: Callable[[], int]) -> Chain:
    signer = factories.registered()
    dataset, prepared, model = artifact("data.csv"), artifact("prepared.csv"), artifact("model.bin")
    first = api.attest(signer.envelope(provenance([prepared], [dataset]))).json()
    last = api.attest(signer.envelope(provenance([model], [prepared]))).json()
    graph()
    return Chain(key_of(dataset), key_of(prepared), key_of(model), first["index"], last["index"])


def key_of(thing: dict[str, Any]) -> str:
    return f"sha256:{thing['digest']['sha256']}"


def keys(answer: Any) -> set[str]:
    assert answer.status_code == 200, answer.content
    return {node["key"] for node in answer.json()["nodes"]}


def test_one_node(api: Api, chain: Chain) -> None:
    node = api.get(f"{URL}/{chain.model}").json()
    assert node["key"] == chain.model
    assert (node["kind"], node["name"], node["status"]) == ("artifact", "model.bin", "verified")
    assert node["notes"] == ["bytes-not-checked"]
    assert node["support"] == [chain.last]
    assert node["first_index"] == chain.last
    assert node["tree_size"] == node["projected"] == chain.last + 1


def test_a_node_that_nobody_attested(api: Api, chain: Chain) -> None:
    node = api.get(f"{URL}/{chain.dataset}").json()
    assert (node["status"], node["reasons"]) == ("unverified", ["no-attestation"])


def test_as_of_before_and_after(api: Api, chain: Chain) -> None:
    path = f"{URL}/{chain.model}"
    assert problem(api.get(path, as_of=chain.last)) == (404, "not-found")
    assert api.get(path, as_of=chain.last + 1).json()["tree_size"] == chain.last + 1
    assert problem(api.get(path, as_of="2020-01-01T00:00:00Z")) == (404, "not-found")
    assert keys(api.get(URL, as_of=chain.last)) == keys(api.get(URL)) - {
        chain.model,
        *(
            node["key"]
            for node in api.get(URL, kind="run").json()["nodes"]
            if node["first_index"] == chain.last
        ),
    }


@pytest.mark.parametrize(
    "text", ["x", "sha256", "sha256:", "sha256:XY", "sha256:" + "AB" * 32, ":00", "a b:00"]
)
@pytest.mark.parametrize("suffix", ["", "/ancestors", "/descendants", "/checks", "/observations"])
def test_malformed_keys(api: Api, text: str, suffix: str) -> None:
    assert problem(api.get(f"{URL}/{text}{suffix}")) == (400, "malformed")


@pytest.mark.parametrize("suffix", ["", "/ancestors", "/descendants", "/checks", "/observations"])
def test_unknown_keys(api: Api, suffix: str) -> None:
    assert problem(api.get(f"{URL}/sha256:{'0' * 64}{suffix}")) == (404, "not-found")


def test_search(api: Api, chain: Chain) -> None:
    assert keys(api.get(URL, name="odel.b")) == {chain.model}
    assert keys(api.get(URL, digest=chain.prepared)) == {chain.prepared}
    assert keys(api.get(URL, status="unverified", kind="artifact")) == {chain.dataset}
    assert chain.model in keys(api.get(URL, status="verified"))
    assert keys(api.get(URL, name="nothing like it")) == set()
    assert len(keys(api.get(URL, kind="run"))) == 2
    assert keys(api.get(URL, tainted="true")) == set()


def test_search_pages_cover_everything_once(api: Api, chain: Chain) -> None:
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = api.get(URL, limit=2, after=after).json()
        seen += [node["key"] for node in answer["nodes"]]
        after = answer["next"]
        assert len(seen) <= answer["total"]
    assert sorted(seen) == sorted(keys(api.get(URL)))
    assert len(seen) == len(set(seen))


def test_ancestors_and_descendants(api: Api, chain: Chain) -> None:
    up = api.get(f"{URL}/{chain.model}/ancestors")
    assert {chain.dataset, chain.prepared} < keys(up)
    assert up.json()["total"] == 4
    assert up.json()["counts_by_kind"] == {"artifact": 2, "run": 2}
    down = api.get(f"{URL}/{chain.dataset}/descendants")
    assert {chain.prepared, chain.model} < keys(down)
    assert keys(api.get(f"{URL}/{chain.dataset}/ancestors")) - {chain.dataset} == set()
    types = {edge["type"] for edge in up.json()["edges"]}
    assert {"USED", "WAS_GENERATED_BY"} <= types


def test_closures_are_limited_by_depth_kind_and_moment(api: Api, chain: Chain) -> None:
    path = f"{URL}/{chain.model}/ancestors"
    assert chain.dataset not in keys(api.get(path, depth=2))
    assert keys(api.get(path, kind="run")) & {chain.dataset, chain.prepared} == set()
    before = api.get(f"{URL}/{chain.dataset}/descendants", as_of=chain.last).json()
    assert chain.model not in {node["key"] for node in before["nodes"]}
    assert before["tree_size"] == chain.last


def test_a_closure_in_pages(api: Api, chain: Chain) -> None:
    path = f"{URL}/{chain.model}/ancestors"
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        answer = api.get(path, limit=1, after=after).json()
        seen += [node["key"] for node in answer["nodes"]]
        after = answer["next"]
        assert len(seen) < 10
    assert sorted(seen) == sorted(keys(api.get(path)))


def test_paths(api: Api, chain: Chain) -> None:
    answer = api.get("/api/v1/paths", **{"from": chain.model, "to": chain.dataset}).json()
    (path,) = answer["paths"]
    stations = [node["key"] for node in path["nodes"]]
    assert (stations[0], stations[2], stations[4]) == (chain.model, chain.prepared, chain.dataset)
    assert path["hops"] == 4
    backwards = api.get("/api/v1/paths", **{"from": chain.dataset, "to": chain.model}).json()
    assert [node["key"] for node in backwards["paths"][0]["nodes"]] == stations[::-1]
    none = {"from": chain.model, "to": "sha256:" + "0" * 64}
    assert problem(api.get("/api/v1/paths", **none)) == (404, "not-found")


def test_checks_of_a_node_without_any(api: Api, chain: Chain) -> None:
    assert api.get(f"{URL}/{chain.model}/checks").json() == {
        "key": chain.model,
        "tree_size": chain.last + 1,
        "checks": [],
    }

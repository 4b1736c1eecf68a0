"""What nodes have in common, where they differ, what they affect, and the filters of a closure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lineage.graph.model import place_key, signer_key
from tests import factories
from tests.conftest import Api, problem
from tests.factories import artifact, provenance
from tests.integration.projections import key_of

URL = "/api/v1/nodes"
DEPLOYMENT = "urn:lineage:predicate:deployment:v1"
SITE = "Site B, Hall 2"
MADE = ("base", "left", "right", "tail")


@dataclass(frozen=True)
class Family:
    """data → base → left and right; left → tail, which is deployed twice, once not any more."""

    signer: str
    indexes: dict[str, int]


@pytest.fixture
def family(api: Api, graph: Callable[[], int]) -> Family:
    who, indexes = factories.registered(), dict[str, int]()

    def send(name: str, statement: dict[str, Any]) -> None:
        indexes[name] = api.attest(who.envelope(statement)).json()["index"]

    for name, source in zip(MADE, ("data", "base", "base", "left"), strict=True):
        made = artifact(name, annotations={"role": "model"})
        send(name, provenance([made], [artifact(source)], invocation=f"run of {name}"))
    where = {"location": {"name": SITE}}
    for name, more in (("shop", where), ("pilot", {"retiredOn": "2026-01-01T00:00:00Z"})):
        said = {"name": name, "deployedOn": "2025-06-01T00:00:00Z", **more}
        send(name, factories.statement(artifact("tail"), predicate_type=DEPLOYMENT, predicate=said))
    graph()
    return Family(signer_key(who.key_id), indexes)


def names(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["name"] for node in nodes]


def test_what_two_models_have_in_common(api: Api, family: Family) -> None:
    found = api.get(f"{URL}/{key_of('right')}/common-ancestors", **{"with": key_of("tail")}).json()
    assert names(found["nodes"]) == ["right", "tail"]
    assert [(each["node"]["name"], each["hops"]) for each in found["ancestors"]][::2] == [
        ("base", [2, 4]),
        ("data", [4, 6]),
    ]
    assert found["total"] == 3
    assert found["counts_by_kind"] == {"artifact": 2, "run": 1}
    assert found["counts_by_status"] == {"unverified": 1, "verified": 2}
    assert (found["backend"], found["tree_size"]) == ("sql", found["projected"])


def test_a_node_is_its_own_ancestor(api: Api, family: Family) -> None:
    found = api.get(f"{URL}/{key_of('left')}/common-ancestors", **{"with": key_of("tail")}).json()
    assert (found["ancestors"][0]["node"]["name"], found["ancestors"][0]["hops"]) == ("left", [0, 2])


def test_common_ancestors_in_pages_of_one_moment(api: Api, family: Family) -> None:
    """What comes in between changes nothing in the list that is gone through."""
    path, asked = f"{URL}/{key_of('right')}/common-ancestors", {"with": key_of("tail"), "limit": 2}
    first = api.get(path, **asked).json()
    who = factories.registered()
    api.attest(who.envelope(provenance([artifact("data")], [artifact("older")])))
    rest = api.get(path, **asked, after=first["next"]).json()
    assert rest["tree_size"] == first["tree_size"]
    assert names([each["node"] for each in rest["ancestors"]]) == ["data"]
    assert rest["next"] is None
    assert problem(api.get(path, **asked, after=first["next"], as_of=first["tree_size"] - 1)) == (
        409,
        "conflict",
    )
    assert problem(api.get(path, **asked, after="rubbish")) == (400, "malformed")


def test_what_can_not_be_compared(api: Api, family: Family) -> None:
    path, unknown = f"{URL}/{key_of('right')}/common-ancestors", "sha256:" + "0" * 64
    assert problem(api.get(path)) == (400, "malformed")
    assert problem(api.get(path, **{"with": key_of("right")})) == (400, "malformed")
    assert problem(api.get(path, **{"with": unknown})) == (404, "not-found")
    many = "&".join(f"with=sha256:{number:064x}" for number in range(10))
    assert problem(api.get(f"{path}?{many}")) == (400, "malformed")
    between = {"from": key_of("left"), "to": key_of("right")}
    for more in (
        {"part": "neither"},
        {"after": "3~1"},
        {"after": "x", "part": "to"},
        {"to": unknown[:-1] + "g"},
    ):
        assert problem(api.get("/api/v1/difference", **(between | more))) == (400, "malformed"), more
    assert problem(api.get("/api/v1/difference", **(between | {"from": unknown}))) == (404, "not-found")


def test_where_two_models_differ(api: Api, family: Family) -> None:
    found = api.get("/api/v1/difference", **{"from": key_of("tail"), "to": key_of("right")}).json()
    assert (found["from"]["node"]["name"], found["to"]["node"]["name"]) == ("tail", "right")
    assert (found["from"]["total"], found["to"]["total"]) == (6, 4)
    assert "left" in names(found["only_from"]["nodes"])
    assert found["only_from"]["counts_by_kind"] == {"artifact": 1, "run": 2}
    assert found["only_to"]["counts_by_kind"] == {"run": 1}
    assert found["both"]["total"] == 3
    assert found["both"]["counts_by_status"] == {"unverified": 1, "verified": 2}


def test_one_part_of_a_difference_in_pages(api: Api, family: Family) -> None:
    asked, seen = {"from": key_of("tail"), "to": key_of("right"), "part": "both", "limit": 2}, list[str]()
    after = ""
    while after is not None:
        found = api.get("/api/v1/difference", **asked, after=after).json()
        assert found["only_from"]["nodes"] == []
        seen += names(found["both"]["nodes"])
        after = found["both"]["next"]
        assert len(seen) <= 3
    assert len(set(seen)) == 3


def test_one_model_at_two_moments(api: Api, family: Family) -> None:
    """Between them somebody said what its data was made from."""
    key, before = key_of("base"), family.indexes["base"] + 1
    who = factories.registered()
    api.attest(who.envelope(provenance([artifact("data")], [artifact("older")])))
    graph_at = api.get(f"{URL}/{key}").json()["projected"]
    assert graph_at > before
    same = {"from": key, "to": key}
    found = api.get("/api/v1/difference", **same, from_as_of=before).json()
    assert found["from"]["tree_size"] == before
    assert found["only_from"]["total"] == found["only_to"]["total"] == 0
    assert found["both"]["total"] == 2


def test_what_is_affected(api: Api, family: Family) -> None:
    found = api.get(f"{URL}/{key_of('data')}/impact").json()
    listed = {each["node"]["name"]: each for each in found["affected"]}
    assert next(iter(listed)) == "base"
    assert set(listed) == {"base", "left", "right", "tail", "shop", "pilot"}
    assert {name for name, each in listed.items() if each["live"]} == {"tail", "shop"}
    assert listed["pilot"]["ended"].startswith("2026-01-01")
    assert (found["listed_total"], found["live_total"]) == (6, 2)
    assert (listed["tail"]["hops"], len(listed["tail"]["path"])) == (6, 7)
    assert sum(hop["listed"] for hop in found["by_hop"]) == 6
    assert sum(found["counts_by_kind"].values()) == found["total"]
    assert (found["backend"], found["tree_size"]) == ("sql", found["projected"])
    live = api.get(f"{URL}/{key_of('data')}/impact", live="true", limit=1).json()
    assert (live["listed_total"], names([live["affected"][0]["node"]])) == (2, ["tail"])
    rest = api.get(f"{URL}/{key_of('data')}/impact", live="true", limit=1, after=live["next"]).json()
    assert (names([rest["affected"][0]["node"]]), rest["next"]) == (["shop"], None)


@pytest.mark.parametrize("what", ["signer", "place"])
def test_what_a_key_or_place_affects(api: Api, family: Family, what: str) -> None:
    key = family.signer if what == "signer" else place_key(SITE)
    found = api.get(f"{URL}/{key}/impact", live="true").json()
    assert "shop" in names([each["node"] for each in found["affected"]])
    assert all(each["path"][0]["key"] == key for each in found["affected"])


def test_before_it_had_ended_it_was_live(api: Api, family: Family) -> None:
    """The end is a time: as of an entry from before it was said, nobody knew of any."""
    at = family.indexes["shop"] + 1
    found = api.get(f"{URL}/{key_of('data')}/impact", as_of=at).json()
    assert (found["live_total"], found["listed_total"]) == (2, 5)
    assert problem(api.get(f"{URL}/{key_of('data')}/impact", limit=201)) == (400, "malformed")
    assert problem(api.get(f"{URL}/{key_of('data')}/impact", after="x")) == (400, "malformed")


def test_filters_of_a_closure(api: Api, family: Family) -> None:
    path = f"{URL}/{key_of('data')}/descendants"
    models = api.get(path, role="model").json()
    assert sorted(names(models["nodes"])) == sorted(MADE)
    assert models["counts_by_status"] == {"verified": 4}
    assert api.get(path, role="no such role").json()["total"] == 0
    kept = api.get(path, status="verified,failed", kind="deployment").json()
    assert sorted(names(kept["nodes"])) == ["pilot", "shop"]
    assert api.get(path, status="expired").json()["total"] == 0
    up = api.get(f"{URL}/{key_of('tail')}/ancestors", status="unverified").json()
    assert (names(up["nodes"]), up["total"], up["counts_by_kind"]) == (["data"], 1, {"artifact": 1})
    before = api.get(f"{URL}/{key_of('tail')}/ancestors", role="model", as_of=family.indexes["tail"] + 1)
    assert sorted(names(before.json()["nodes"])) == ["base", "left"]


def test_a_closure_at_a_place(api: Api, family: Family) -> None:
    path = f"{URL}/{key_of('data')}/descendants"
    assert names(api.get(path, place=place_key(SITE)).json()["nodes"]) == ["shop"]
    assert problem(api.get(path, place="place:" + "0" * 64)) == (404, "not-found")
    assert problem(api.get(path, place="nowhere")) == (400, "malformed")
    assert problem(api.get(path, status="green")) == (400, "malformed")
    assert problem(api.get(path, role="x" * 201)) == (400, "malformed")
    assert json.loads(api.get(path, as_of=family.indexes["base"] + 1).content)["total"] == 2

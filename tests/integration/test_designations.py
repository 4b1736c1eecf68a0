"""What an officer designates as bad taints what came of it, until it is cleared, waived or over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph.model import place_key
from lineage.services import as_of, decide_taint, lineage
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api
from tests.integration.projections import key_of, machine_in, send, trained_on

OFFICER = "officer@example.org"
PLACE = "urn:lineage:predicate:place:v1"
DAY_US = 86_400_000_000
Follow = Callable[[], int]


@pytest.fixture
def chain(graph: Follow) -> Follow:
    """A dataset, a base made from it, a model tuned from that, and a stranger."""
    who = factories.registered()
    steps = (("dataset", "base"), ("base", "model"), ("other", "stranger"))
    for used, made in steps:
        made_of = [factories.artifact(used)]
        send(who, factories.provenance([factories.artifact(made)], made_of, invocation=f"run {made}"))
    graph()
    return graph


def tainted(moment: AsOf | None = None) -> set[str]:
    found = lineage.search(moment or as_of.resolve(None), tainted=True, limit=100).nodes
    return {node.name for node in found}


def sources(name: str) -> list[tuple[str, str, int]]:
    node = lineage.node(key_of(name), as_of.resolve(None))
    return [(each.source, each.name, each.hops) for each in node.tainted_by]


def test_it_taints_what_was_made_from_it_and_nothing_else(chain: Follow) -> None:
    before = chain()
    assert tainted() == set()
    decide_taint.designate(key_of("dataset"), "its labels were poisoned", person=OFFICER, incident="INC-7")
    chain()
    assert tainted() == {"dataset", "base", "model", "run base", "run model"}
    assert sources("model") == [("designated", "dataset", 4)]
    assert sources("dataset") == [("designated", "dataset", 0)]
    assert tainted(as_of.resolve(str(before))) == set(), "nobody knew then"


def test_cleared_it_taints_nothing_and_can_be_designated_anew(chain: Follow) -> None:
    decide_taint.designate(key_of("dataset"), "bad", person=OFFICER)
    chain()
    decide_taint.clear(key_of("dataset"), "it was another one", person=OFFICER)
    chain()
    assert tainted() == set()
    with pytest.raises(ConflictError, match="not designated"):
        decide_taint.clear(key_of("dataset"), "again", person=OFFICER)
    decide_taint.designate(key_of("dataset"), "it was this one", person=OFFICER)
    chain()
    assert "model" in tainted()


def test_a_waiver_stops_it_until_it_is_over(chain: Follow) -> None:
    decide_taint.designate(key_of("dataset"), "bad", person=OFFICER)
    decide_taint.waive_taint(key_of("base"), now_us() + DAY_US, "evaluated again", person=OFFICER)
    chain()
    assert {"dataset"} <= tainted()
    assert not {"base", "model"} & tainted()
    assert sources("model") == []
    later = replace(as_of.resolve(None), at_us=now_us() + 2 * DAY_US)
    assert {"base", "model"} <= tainted(later)


def test_a_designation_may_end_by_itself(chain: Follow) -> None:
    decide_taint.designate(key_of("dataset"), "recalled", person=OFFICER, until_us=now_us() + DAY_US)
    chain()
    assert "model" in tainted()
    assert tainted(replace(as_of.resolve(None), at_us=now_us() + 2 * DAY_US)) == set()


def test_what_can_t_be_decided_is_refused(chain: Follow) -> None:
    key = key_of("dataset")
    with pytest.raises(NotFoundError):
        decide_taint.designate("sha256:" + "0" * 64, "bad", person=OFFICER)
    with pytest.raises(NotFoundError):
        decide_taint.designate("sha256:\0", "bad", person=OFFICER)
    for wrong, where in (
        ({"reason": " "}, "reason"),
        ({"reason": "bad", "until_us": now_us() - 1}, "until"),
        ({"reason": "bad", "incident": "two\nlines"}, "incident"),
    ):
        with pytest.raises(MalformedError) as refused:
            decide_taint.designate(key, person=OFFICER, **wrong)
        assert refused.value.where == where
    signer = lineage.search(as_of.resolve(None), kind="signer").nodes[0].key
    with pytest.raises(MalformedError) as refused:
        decide_taint.designate(signer, "bad", person=OFFICER)
    assert "revoked as compromised" in refused.value.hint


def test_by_rest_it_is_an_entry_that_names_the_token(api: Api, chain: Follow) -> None:
    said = {"action": "designate", "node": key_of("dataset"), "reason": "poisoned", "incident": "INC-7"}
    made = api.post("/api/v1/decisions", said)
    assert made.status_code == 201
    chain()
    node = api.get(f"/api/v1/nodes/{key_of('model')}").json()
    assert node["tainted_by"][0]["source"] == "designated"
    gate = api.get(f"/api/v1/nodes/{key_of('model')}/gate").json()
    assert [each["slug"] for each in gate["reasons"] if each["slug"] == "tainted"] == ["tainted"]
    assert api.post("/api/v1/decisions", said | {"until": "yesterday"}).json()["where"] == "until"
    assert api.post("/api/v1/decisions", said | {"node": "sha256:" + "0" * 64}).status_code == 404
    cleared = {"action": "clear", "node": key_of("dataset"), "reason": "wrong one"}
    assert api.post("/api/v1/decisions", cleared).status_code == 201
    chain()
    assert api.get(f"/api/v1/nodes/{key_of('model')}").json()["tainted_by"] == []
    assert api.post("/api/v1/decisions", cleared).status_code == 409


@pytest.mark.parametrize("place", ["hall 3", "DE-HE", "DE"])
def test_a_bad_place_taints_what_ran_in_the_places_within_it(graph: Follow, place: str) -> None:
    """The machine's statement names the hall alone; another says where that lies, and may say it later."""
    machine = factories.artifact("gpu-17")
    who = factories.registered()
    send(who, machine_in(machine, "hall 3"))
    send(who, trained_on(machine, "model"))
    where = {"name": "hall 3", "country": "DE", "region": "DE-HE"}
    send(who, factories.statement(factories.artifact("hall 3"), predicate_type=PLACE, predicate=where))
    graph()
    decide_taint.designate(place_key(place), "it is not where it was said to be", person=OFFICER)
    graph()
    within = {"hall 3": {"hall 3"}, "DE-HE": {"hall 3", "DE-HE"}, "DE": {"hall 3", "DE-HE", "DE"}}[place]
    assert tainted() == {"model", "run model", "gpu-17", *within}
    ((why, name, hops),) = sources("model")
    assert (why, name, hops) == ("designated", place, 3 if place == "hall 3" else 4)


def test_its_own_page_says_what_was_decided(api: Api, chain: Follow) -> None:
    until = "2099-01-01T00:00:00Z"
    waived = api.post(
        "/api/v1/decisions",
        {"action": "waive-taint", "node": key_of("base"), "until": until, "reason": "evaluated again"},
    ).json()
    record = api.get(f"/api/v1/attestations/{waived['digest']}").json()
    told = dict(record["described"])
    assert told["Taint waived"] == key_of("base")
    assert told["Until"].startswith("2099-01-01")
    assert told["Reason"] == "evaluated again"

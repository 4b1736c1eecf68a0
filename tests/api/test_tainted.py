"""The list of what is tainted: by incident, source, reason, kind, and what of it is live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lineage.services import as_of, decide, decide_incidents, decide_taint, lineage
from tests import factories
from tests.conftest import Api, problem
from tests.factories import Signer, artifact, provenance
from tests.integration.projections import deployment, key_of, send

URL = "/api/v1/tainted"
ENDED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Told:
    """`incident`: the name of that on `data`; `before`: how many entries there were until then."""

    incident: str
    thief: Signer
    before: int


@pytest.fixture
def told(api: Api, graph: Callable[[], int]) -> Told:
    """data → base → tail, put to use; base → old, not any more; data and stolen → mixed. An incident is on
    data; stolen comes of a key that is compromised.
    """
    who, thief = factories.registered(name="pipeline"), factories.registered(name="thief")

    def made(signer: Signer, name: str, *sources: str) -> None:
        model = artifact(name, annotations={"role": "model"})
        send(signer, provenance([model], [artifact(each) for each in sources], invocation=f"run of {name}"))

    made(who, "base", "data")
    made(who, "tail", "base")
    made(who, "old", "base")
    made(thief, "stolen")
    made(who, "mixed", "data", "stolen")
    send(who, deployment("shop", artifact("tail")))
    gone = deployment("pilot", artifact("old"))
    gone["predicate"] |= {"retiredOn": ENDED}
    send(who, gone)
    before = graph()
    opened = decide_incidents.open_incident(
        key_of("data"), "Poisoned", "high", "told so", person="os:test", designates=True
    )
    decide.revoke_key(thief.key_id, 1, "stolen", person="os:test", compromised=True)
    graph()
    return Told(opened.receipt.digest, thief, before)


def names(found: dict[str, Any]) -> list[str]:
    """Sorted. Nobody is believed any more who named the run of the compromised key."""
    found_names = (each["node"]["name"] for each in found["nodes"])
    return sorted("run of stolen" if name.startswith("run:") else name for name in found_names)


ALL = ["base", "data", "mixed", "old", "pilot", "run of base", "run of mixed", "run of old", "run of stolen",
       "run of tail", "shop", "stolen", "tail"]  # fmt: skip


def test_it_lists_what_the_pages_call_tainted(api: Api, told: Told) -> None:
    found = api.get(URL).json()
    assert names(found) == ALL
    assert found["total"] == len(ALL) == lineage.search(as_of.resolve(None), tainted=True).total
    assert [each["source"]["hops"] for each in found["nodes"]] == sorted(
        each["source"]["hops"] for each in found["nodes"]
    )
    assert found["counts_by_kind"] == {"artifact": 6, "deployment": 2, "run": 5}
    assert found["by_reason"] == {"designated": 11, "key-compromised": 2}
    assert all(each["node"]["tainted"] for each in found["nodes"])
    by_name = {each["node"]["name"]: each["source"] for each in found["nodes"]}
    assert (by_name["tail"]["name"], by_name["tail"]["source"], by_name["tail"]["hops"]) == (
        "data", "designated", 4,
    )  # fmt: skip
    assert by_name["stolen"]["source"] == "key-compromised"


def test_of_one_incident_or_source_also_what_another_is_nearer_to(api: Api, told: Told) -> None:
    of_incident = api.get(URL, incident=told.incident).json()
    assert names(of_incident) == [name for name in ALL if "stolen" not in name]
    assert (of_incident["incident"], of_incident["source"]["name"]) == (told.incident, "data")
    assert of_incident["nodes"] == api.get(URL, source=key_of("data")).json()["nodes"]
    of_stolen = api.get(URL, source=key_of("stolen")).json()
    assert names(of_stolen) == ["mixed", "run of mixed", "stolen"]
    assert names(api.get(URL, source=key_of("tail")).json()) == []
    assert names(api.get(URL, source=key_of("stolen"), incident=told.incident).json()) == []


def test_by_reason_kind_and_what_is_live(api: Api, told: Told) -> None:
    assert "stolen" in names(api.get(URL, reason="key-compromised").json())
    assert "base" not in names(api.get(URL, reason="key-compromised").json())
    assert "mixed" in names(api.get(URL, reason="designated").json())
    assert names(api.get(URL, reason="bad-copy").json()) == []
    assert names(api.get(URL, kind="deployment").json()) == ["pilot", "shop"]
    assert names(api.get(URL, kind="model").json()) == ["base", "mixed", "old", "stolen", "tail"]
    live = api.get(URL, live="true").json()
    assert names(live) == ["shop", "tail"]
    assert live["live_total"] == live["total"] == api.get(URL).json()["live_total"] == 2
    assert names(api.get(URL, live="true", kind="model", incident=told.incident).json()) == ["tail"]


def test_in_pages_of_one_moment_and_as_it_was(api: Api, told: Told, graph: Callable[[], int]) -> None:
    seen, after = list[str](), ""
    while after is not None:
        found = api.get(URL, limit=5, after=after).json()
        seen += names(found)
        after = found["next"]
        decide_taint.designate(key_of("tail"), "worse", person="os:test")
        graph()
    assert sorted(seen) == ALL
    assert api.get(URL, as_of=told.before).json()["total"] == 0
    first = api.get(URL, limit=5).json()
    assert problem(api.get(URL, after=first["next"], as_of=told.before)) == (409, "conflict")
    decide_incidents.close_incident(told.incident, "trained anew", person="os:test", clears=True)
    graph()
    assert names(api.get(URL, incident=told.incident).json()) == []


def test_what_is_refused(api: Api, told: Told) -> None:
    for query in ({"reason": "bad luck"}, {"live": "yes"}, {"source": "data"}, {"after": "x"}, {"limit": 0}):
        assert problem(api.get(URL, **query)) == (400, "malformed"), query
    for query in ({"incident": "sha256:" + "0" * 64}, {"source": "sha256:" + "0" * 64}):
        assert problem(api.get(URL, **query)) == (404, "not-found"), query
    assert problem(api.get(URL, incident=told.incident, as_of=told.before)) == (404, "not-found")

"""Incidents: opened and closed, by service, REST and command line; what they designate and affect."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from inspect import isfunction
from pkgutil import iter_modules
from typing import Any

import pytest

import lineage.services
from lineage.cli.main import run
from lineage.db.models import Subscription
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph.sql_news import Window
from lineage.services import approvals, as_of, decide_incidents, decide_taint, incidents, news
from lineage.services import lineage as nodes
from lineage.services.clock import now_us
from lineage.services.incidents import Incident, IncidentRecord
from tests import factories
from tests.conftest import Api
from tests.integration.projections import key_of, send

OFFICER = "officer@example.org"
DAY_US = 86_400_000_000
Follow = Callable[[], int]


@pytest.fixture
def chain(graph: Follow) -> Follow:
    """A dataset, and a model made from it by a signer."""
    who = factories.registered()
    made = factories.artifact("model", annotations={"role": "model"})
    send(who, factories.provenance([made], [factories.artifact("dataset")], invocation="run model"))
    graph()
    return graph


def opened(chain: Follow, **more: Any) -> str:
    """Returns the incident's name."""
    values = {
        "title": "Poisoned labels",
        "severity": "high",
        "reason": "the vendor told us",
        "person": OFFICER,
    }
    receipt = decide_incidents.open_incident(key_of("dataset"), **values | more).receipt
    chain()
    return receipt.digest


def listed(state: str | None = None) -> list[IncidentRecord]:
    return list(incidents.listed(as_of.resolve(None), state=state).incidents)


def read(name: str) -> Incident:
    return incidents.read(name, as_of.resolve(None))


def tainted() -> set[str]:
    return {node.name for node in nodes.search(as_of.resolve(None), tainted=True, limit=100).nodes}


def test_it_is_open_until_it_is_closed_and_was_not_there_before(chain: Follow) -> None:
    before = chain()
    name = opened(chain, owner="data office")
    (record,) = listed("open")
    assert (record.digest, record.state, record.owner, record.person) == (
        name,
        "open",
        "data office",
        OFFICER,
    )
    assert record.node is not None
    assert record.node.name == "dataset"
    assert tainted() == set(), "it designates nothing unless it says so"
    found = read(name)
    assert found.impact is not None
    assert [each.node.name for each in found.impact.affected] == ["model"]
    after_opening = chain()
    decide_incidents.close_incident(name, "trained again without it", person=OFFICER)
    chain()
    (record,) = listed("closed")
    assert (record.resolution, record.closed_by) == ("trained again without it", OFFICER)
    assert listed("open") == []
    assert [step.words for step in read(name).steps] == ["Incident opened", "Incident closed"]
    assert incidents.read(name, as_of.resolve(str(after_opening))).incident.state == "open"
    assert incidents.listed(as_of.resolve(str(before))).incidents == ()
    with pytest.raises(NotFoundError):
        incidents.read(name, as_of.resolve(str(before)))


def test_what_it_designates_is_tainted_until_it_is_cleared(chain: Follow) -> None:
    name = opened(chain, designates=True)
    assert tainted() == {"dataset", "run model", "model"}
    decide_taint.waive_taint(key_of("dataset"), None, "only a part is bad", person=OFFICER)
    chain()
    assert tainted() == set()
    decide_incidents.close_incident(name, "it was another one", person=OFFICER, clears=True)
    chain()
    assert nodes.node(key_of("model"), as_of.resolve(None)).tainted_by == ()
    assert [step.words for step in read(name).steps] == [
        "Incident opened",
        "Taint waived",
        "Incident closed, designation cleared",
    ]


def test_it_ends_by_itself_and_its_designation_with_it(chain: Follow) -> None:
    name = opened(chain, designates=True, until_us=now_us() + DAY_US)
    later = replace(as_of.resolve(None), at_us=now_us() + 2 * DAY_US)
    assert incidents.read(name, later).incident.state == "ended"
    assert incidents.listed(later, state="open").incidents == ()
    assert nodes.search(later, tainted=True).total == 0


def test_what_can_t_be_decided_is_refused(chain: Follow) -> None:
    name = opened(chain)
    with pytest.raises(NotFoundError):
        decide_incidents.close_incident("sha256:" + "0" * 64, "over", person=OFFICER)
    with pytest.raises(ConflictError, match="nothing to clear"):
        decide_incidents.close_incident(name, "over", person=OFFICER, clears=True)
    decide_incidents.close_incident(name, "over", person=OFFICER)
    with pytest.raises(ConflictError, match="closed already"):
        decide_incidents.close_incident(name, "over", person=OFFICER)
    for wrong, where in (
        ({"title": "two\nlines"}, "title"),
        ({"reason": " "}, "reason"),
        ({"severity": "awful"}, "severity"),
        ({"until_us": now_us() - 1}, "until"),
        ({"owner": "x" * 201}, "owner"),
    ):
        with pytest.raises(MalformedError) as refused:
            opened(chain, **wrong)
        assert refused.value.where == where
    signer = nodes.search(as_of.resolve(None), kind="signer").nodes[0].key
    with pytest.raises(MalformedError, match="Only an artifact"):
        decide_incidents.open_incident(signer, "Lost", "high", "x", person=OFFICER, designates=True)
    decide_incidents.open_incident(signer, "A laptop is lost", "high", "x", person=OFFICER)


def test_by_rest_with_its_record(api: Api, chain: Follow) -> None:
    said = {
        "action": "incident", "node": key_of("dataset"), "title": "Poisoned labels", "severity": "critical",
        "reason": "told so", "designates": True,
    }  # fmt: skip
    made = api.post("/api/v1/decisions", said)
    assert made.status_code == 201
    name = made.json()["digest"]
    chain()
    page = api.get("/api/v1/incidents", state="open", node=key_of("dataset")).json()
    assert (page["open"], page["incidents"][0]["digest"]) == (1, name)
    assert api.get("/api/v1/incidents", node=key_of("model")).json()["incidents"] == []
    one = api.get(f"/api/v1/incidents/{name}").json()
    assert one["impact"]["affected"][0]["hops"] == 2
    assert dict(api.get(f"/api/v1/attestations/{name}").json()["described"])["Severity"] == "critical"
    assert api.post("/api/v1/decisions", said | {"severity": "awful"}).status_code == 400
    closed = {"action": "close-incident", "incident": name, "reason": "over", "clears": True}
    assert api.post("/api/v1/decisions", closed).status_code == 201
    chain()
    assert api.post("/api/v1/decisions", closed).status_code == 409
    assert api.get(f"/api/v1/incidents/{name}").json()["incident"]["state"] == "closed"
    assert api.get("/api/v1/incidents/sha256:00").status_code == 404
    assert api.get("/api/v1/incidents", after="x").status_code == 400


def test_at_the_command_line(chain: Follow, capsys: pytest.CaptureFixture[str]) -> None:
    key = key_of("dataset")

    def done(*arguments: str) -> Any:
        capsys.readouterr()
        assert run([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    made = done("incident", "open", key, "--title", "T", "--severity", "low", "--reason", "r", "--designates")
    assert "model" in tainted()
    assert done("incident", "list")["incidents"][0]["person"].startswith("os:")
    done("incident", "close", made["digest"], "--reason", "over", "--clears")
    assert tainted() == set()
    done("designate", key, "--reason", "bad", "--until", "2099-01-01")
    done("waive-taint", key_of("model"), "--for-ever", "--reason", "evaluated")
    assert tainted() == {"dataset", "run model"}
    done("clear-taint", key, "--reason", "no")
    assert tainted() == set()
    assert run(["waive-taint", key, "--reason", "neither"]) == 3
    assert run(["clear-taint", key, "--reason", "again"]) == 1


def test_subscribers_are_told_and_the_page_says_who_was(chain: Follow) -> None:
    early = Subscription.objects.create(
        kind="email", target="a@example.org", delivered_index=chain(), delivered_us=1, created_us=1
    )
    name = opened(chain, title="Poisoned <b>labels</b>", designates=True)
    size = chain()
    late = {"kind": "email", "delivered_index": size, "delivered_us": 1, "created_us": now_us() + DAY_US}
    Subscription.objects.create(target="b@example.org", **late)
    window = Window(early.delivered_index, size, 1, now_us())
    (item,) = news.message(window, []).items
    assert (item.kind, item.name) == ("incident-opened", "Poisoned <b>labels</b>")
    assert item.url.endswith(f"/incidents/{name}")
    assert [(each.id, each.state) for each in read(name).told] == [(early.pk, "waiting")]
    Subscription.objects.filter(pk=early.pk).update(delivered_index=size)
    assert [each.state for each in read(name).told] == ["told"]
    decide_incidents.close_incident(name, "over", person=OFFICER)
    closed = news.message(Window(size, chain(), 1, now_us()), [])
    assert [each.kind for each in closed.items] == ["incident-closed"]


def test_whatever_two_people_decide_can_be_approved() -> None:
    """A proposal that nobody can approve would be a decision that can't be taken."""
    for found in iter_modules(lineage.services.__path__, "lineage.services."):
        for name, value in vars(import_module(found.name)).items():
            if isfunction(value) and hasattr(value, "role") and value.__module__ == found.name:
                assert found.name in approvals.MODULES, name

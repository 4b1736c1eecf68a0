"""Decisions that need two people, as programs, pages and the log show them, of each kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from lineage.db.models import Envelope
from lineage.errors import ProposedError
from lineage.services import (
    access_records,
    approvals,
    as_of,
    decide_incidents,
    decide_taint,
    decision_records,
    incidents,
    intake,
    lineage,
    second_person,
)
from lineage.services.clock import now_us
from tests import factories
from tests.conftest import Api, problem
from tests.integration.projections import key_of, send
from tests.integration.test_four_eyes import actor, four_eyes, propose_key

__all__ = ["four_eyes"]


def test_by_rest_a_decision_is_202_and_the_proposal(four_eyes: None, api: Api) -> None:
    form = {
        "name": "ci",
        "public_key": factories.signer().private.public.pem().decode(),
        "scopes": {"any": True},
    }
    answer = api.post("/api/v1/keys", form)
    assert answer.status_code == 202, answer.content
    made = answer.json()
    assert (made["state"], made["action"], made["role"]) == ("open", "register-key", "operator")
    assert answer["Location"] == f"/api/v1/proposals/{made['id']}"
    assert api.get(answer["Location"]).json() == made
    assert api.get("/api/v1/proposals", state="open").json()["proposals"] == [made]
    address = f"/api/v1/proposals/{made['id']}"
    assert problem(api.post(f"{address}/approve", {})) == (403, "forbidden")
    assert problem(api.post(f"{address}/reject", {"reason": "x"})) == (403, "forbidden")
    person = factories.user("operator")
    client = Client()
    client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
    done = client.post(f"{address}/approve", b"{}", content_type="application/json")
    assert done.status_code == 201, done.content
    assert api.get(address).json()["index"] == done.json()["index"]
    assert api.get("/api/v1/proposals", state="open").json()["proposals"] == []
    access_records.write()


def test_pages_propose_approve_and_reject(four_eyes: None) -> None:
    clients, people = [], [factories.user("operator"), factories.user("operator"), factories.user("auditor")]
    for person in people:
        client = Client()
        client.force_login(person, "allauth.account.auth_backends.AuthenticationBackend")
        clients.append(client)
    anna, ben, carl = clients
    first, second = propose_key(people[0].email), propose_key(people[0].email)
    own, others, looking = (client.get("/proposals").content.decode() for client in clients)
    assert "Approve proposal" not in own
    assert "Take it back" in own
    assert f"Approve proposal {first}" in others
    assert "Approve proposal" not in looking
    assert "Reject" not in looking
    assert carl.post(f"/proposals/{first}/approve").status_code == 403
    assert anna.post(f"/proposals/{first}/approve").status_code == 403
    assert ben.post(f"/proposals/{first}/approve").status_code == 302
    assert "Approved by" in ben.get("/proposals").content.decode()
    assert ben.post(f"/proposals/{first}/approve").status_code == 409
    assert ben.post(f"/proposals/{second}/reject", {"reason": ""}).status_code == 400
    assert ben.post(f"/proposals/{second}/reject", {"reason": "<script>no</script>"}).status_code == 302
    assert "<script>no" not in ben.get("/proposals").content.decode()
    assert ben.post(f"/proposals/{second}/burn").status_code == 404
    assert ben.get(f"/proposals/{second}/approve").status_code == 405


def test_a_page_that_decides_leads_to_the_proposal(four_eyes: None) -> None:
    client = Client()
    client.force_login(factories.user("officer"), "allauth.account.auth_backends.AuthenticationBackend")
    policy = '{"default": {"full": "7d", "quick": "1d"}, "rules": [], "limits": []}'
    answer = client.post("/check-policy", {"policy": policy})
    assert (answer.status_code, answer["Location"]) == (302, "/proposals")
    assert "waits for one as proposal" in client.get("/proposals").content.decode()


def test_the_mark_of_one_request_does_not_reach_another(four_eyes: None) -> None:
    approvals.approve(propose_key("a@example.com"), actor("operator"))
    assert second_person._approver.get() == ""
    propose_key("a@example.com")


def test_a_redaction_is_carried_out_when_it_is_approved_and_a_policy_needs_nobody(
    four_eyes: None, graph: Callable[[], int]
) -> None:
    from lineage.services import erasing, log_head, redact, retention
    from lineage.trust.forgetting_decisions import Retention, RetentionClass

    who = factories.signer()
    with second_person.approving("second@example.com"):
        factories.register(who)
    first, second = (intake.submit(who.envelope(factories.statement()), token="t").receipt for _ in range(2))
    graph()
    with pytest.raises(ProposedError) as proposed:
        redact.redact([first.digest], "it is personal", person="a@example.com")
    assert Envelope.objects.filter(entry__envelope_digest=first.digest.removeprefix("sha256:")).exists()
    done = approvals.approve(proposed.value.number, actor("officer"))
    assert not Envelope.objects.filter(entry__envelope_digest=first.digest.removeprefix("sha256:")).exists()
    assert decision_records.one(done.receipt.index).approver
    with pytest.raises(ProposedError) as proposed:
        retention.adopt(Retention((RetentionClass("all", 1),), "the board"), person="a@example.com")
    approvals.approve(proposed.value.number, actor("officer"))
    graph()
    assert retention.enforce(now_us() + 2 * retention.DAY_US, log_head.size()) == (1, 0)
    assert erasing.carry_out() == 1
    assert not Envelope.objects.filter(entry__envelope_digest=second.digest.removeprefix("sha256:")).exists()


@pytest.fixture
def made(graph: Callable[[], int]) -> Callable[[], int]:
    """Something that was made of something, before there are four eyes."""
    send(factories.registered(), factories.provenance([factories.artifact("m")], [factories.artifact("d")]))
    graph()
    return graph


def test_what_is_bad_and_an_incident_are_approved_as_they_were_proposed(
    made: Callable[[], int], four_eyes: None
) -> None:
    anna, ben, until = actor("officer"), actor("officer"), now_us() + 86_400_000_000
    with pytest.raises(ProposedError) as proposed:
        decide_incidents.open_incident(
            key_of("d"), "Poisoned", "high", "told so", person=anna.name, until_us=until, designates=True
        )
    done = approvals.approve(proposed.value.number, ben)
    made()
    record = incidents.read(done.receipt.digest, as_of.resolve(None)).incident
    assert (record.person, record.approver, record.severity) == (anna.name, ben.name, "high")
    assert lineage.node(key_of("m"), as_of.resolve(None)).tainted
    with pytest.raises(ProposedError) as proposed:
        decide_taint.waive_taint(key_of("m"), until, "evaluated again", person=anna.name)
    assert lineage.node(key_of("m"), as_of.resolve(None)).tainted, "one person is not enough"
    approvals.approve(proposed.value.number, ben)
    made()
    assert not lineage.node(key_of("m"), as_of.resolve(None)).tainted
    with pytest.raises(ProposedError) as proposed:
        decide_incidents.close_incident(done.receipt.digest, "over", person=anna.name)
    approvals.approve(proposed.value.number, ben)
    made()
    assert incidents.read(done.receipt.digest, as_of.resolve(None)).incident.state == "closed"

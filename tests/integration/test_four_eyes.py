"""Decisions that need two people: proposed by one, approved by another, then one entry that names both."""

from __future__ import annotations

import ast
import importlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from django.db import connections
from django.test import Client

from lineage import config
from lineage.db.models import Entry, Envelope, Proposal
from lineage.errors import ConflictError, ForbiddenError, LineageError, NotFoundError, ProposedError
from lineage.services import (
    access_records,
    approvals,
    as_of,
    decide,
    decide_checks,
    decide_incidents,
    decide_taint,
    decision_records,
    incidents,
    intake,
    keyring,
    lineage,
    rights,
    second_person,
)
from lineage.services.clock import now_us
from lineage.services.rights import Actor
from lineage.trust.policy import Scopes
from tests import factories
from tests.conftest import Api, problem
from tests.integration.projections import key_of, send

HOUR_US = 3_600_000_000
SCOPES = Scopes(False, ("https://slsa.dev/provenance/v1",), ("https://ci.example.com/x",), ("models/*",), ())


@pytest.fixture
def four_eyes(graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions wait 24 hours for a second person."""
    settings = config.current()
    changed = replace(settings, people=replace(settings.people, four_eyes_hours=24))
    for module in ("lineage.services.second_person", "lineage.services.approvals", "lineage.web.proposals"):
        monkeypatch.setattr(f"{module}.current", lambda: changed)


def actor(role: str) -> Actor:
    return rights.actor_of(factories.user(role))


def propose_key(person: str, **arguments: Any) -> int:
    """The number of a proposal to register a fresh key."""
    signer = factories.signer()
    with pytest.raises(ProposedError) as proposed:
        decide.register_key(signer.private.public.spki, "ci", SCOPES, person=person, **arguments)
    return proposed.value.number


def entries() -> int:
    return Entry.objects.count()


def test_nothing_is_decided_until_another_has_approved(four_eyes: None) -> None:
    anna, ben = actor("operator"), actor("operator")
    before = entries()
    number = propose_key(anna.name, not_after_us=now_us() + HOUR_US)
    assert entries() == before
    done = approvals.approve(number, ben)
    assert entries() == before + 1
    row = approvals.get(number)
    assert (row.state, row.decided_by, row.entry_index) == ("approved", ben.name, done.receipt.index)
    record = decision_records.one(done.receipt.index)
    assert (record.person, record.approver) == (anna.name, ben.name)
    key = keyring.current().keys[done.receipt.subjects[0].digest["sha256"]]
    assert key.scopes == SCOPES
    assert key.not_after_us is not None


def test_without_the_setting_one_person_is_enough(graph: Callable[[], int]) -> None:
    signer = factories.signer()
    done = decide.register_key(signer.private.public.spki, "ci", SCOPES, person="anna@example.com")
    assert done.created
    assert decision_records.one(done.receipt.index).approver == ""
    assert not Proposal.objects.exists()


def test_the_command_line_is_exempt(four_eyes: None) -> None:
    signer = factories.signer()
    assert decide.register_key(signer.private.public.spki, "ci", SCOPES, person="os:root").created


def test_nobody_approves_their_own(four_eyes: None) -> None:
    anna = actor("operator")
    number = propose_key(anna.name)
    with pytest.raises(ForbiddenError):
        approvals.approve(number, anna)
    assert approvals.get(number).state == "open"


def test_nobody_approves_what_their_own_api_key_proposed(four_eyes: None) -> None:
    from lineage.services import tokens

    anna, ben = actor("operator"), actor("operator")
    token, _ = tokens.create("ci", ["operate"], expires_at=None, by=anna.name)
    number = propose_key(f"token:{token.name} (lin_{token.prefix})")
    assert approvals.get(number).owner == anna.name
    with pytest.raises(ForbiddenError):
        approvals.approve(number, anna)
    assert approvals.approve(number, ben).created


def test_a_lower_role_does_not_approve(four_eyes: None) -> None:
    number = propose_key(actor("operator").name)
    for role in ("auditor", "officer"):
        with pytest.raises(ForbiddenError, match="who is an operator"):
            approvals.approve(number, actor(role))
        with pytest.raises(ForbiddenError):
            approvals.reject(number, actor(role), "no")


def test_no_program_approves_or_rejects(four_eyes: None) -> None:
    number = propose_key(actor("operator").name)
    program = Actor("token:ci (lin_00000000)", frozenset({"read", "decide", "operate"}))
    with pytest.raises(ForbiddenError):
        approvals.approve(number, program)
    with pytest.raises(ForbiddenError):
        approvals.reject(number, program, "no")


def test_a_rejected_proposal_decides_nothing_for_good(four_eyes: None) -> None:
    ben = actor("operator")
    before = entries()
    number = propose_key(actor("operator").name)
    row = approvals.reject(number, ben, "not the key that we agreed on")
    assert (row.state, row.decided_by, row.reason) == ("rejected", ben.name, "not the key that we agreed on")
    with pytest.raises(ConflictError, match="rejected already"):
        approvals.approve(number, actor("operator"))
    assert entries() == before


def test_who_proposed_takes_it_back(four_eyes: None) -> None:
    anna = actor("operator")
    assert approvals.reject(propose_key(anna.name), anna, "a mistake").state == "rejected"


def test_a_proposal_ends_with_its_time(four_eyes: None) -> None:
    number = propose_key(actor("operator").name)
    Proposal.objects.update(ends_us=now_us())
    with pytest.raises(ConflictError, match="time is over"):
        approvals.approve(number, actor("operator"))


def test_a_proposal_that_there_is_not(four_eyes: None) -> None:
    for number in (999, 2**63):
        with pytest.raises(NotFoundError):
            approvals.approve(number, actor("operator"))


def test_what_could_not_be_decided_can_not_be_proposed(four_eyes: None) -> None:
    known = factories.signer()
    decide.register_key(known.private.public.spki, "ci", SCOPES, person="os:root")
    for scopes in (SCOPES, Scopes(False, (), (), (), ())):
        with pytest.raises(LineageError) as refused:
            decide.register_key(known.private.public.spki, "ci", scopes, person="a@example.com")
        assert not isinstance(refused.value, ProposedError)
    assert not Proposal.objects.exists()


def test_the_same_is_proposed_once(four_eyes: None) -> None:
    spki = factories.signer().private.public.spki
    for expected in (ProposedError, ConflictError):
        with pytest.raises(expected):
            decide.register_key(spki, "ci", SCOPES, person="a@example.com")
    assert Proposal.objects.count() == 1


def test_the_world_may_change_before_it_is_approved(four_eyes: None) -> None:
    spki = factories.signer().private.public.spki
    with pytest.raises(ProposedError) as proposed:
        decide.register_key(spki, "ci", SCOPES, person="a@example.com")
    decide.register_key(spki, "ci", SCOPES, person="os:root")
    before = entries()
    with pytest.raises(ConflictError, match="registered already"):
        approvals.approve(proposed.value.number, actor("operator"))
    assert approvals.get(proposed.value.number).state == "open"
    assert entries() == before


def test_of_two_at_once_one_approves(four_eyes: None) -> None:
    number = propose_key(actor("operator").name)
    people, before = [actor("operator") for _ in range(4)], entries()
    outcomes: list[str] = []
    barrier = threading.Barrier(len(people))

    def approve(who: Actor) -> None:
        barrier.wait(30)
        try:
            approvals.approve(number, who)
            outcomes.append("approved")
        except ConflictError:
            outcomes.append("conflict")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=approve, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["approved", "conflict", "conflict", "conflict"]
    assert entries() == before + 1


def test_a_process_that_died_while_recording_leaves_it_to_be_approved(four_eyes: None) -> None:
    number = propose_key(actor("operator").name)
    Proposal.objects.update(state="deciding", decided_by="ghost@example.com", decided_us=now_us())
    with pytest.raises(ConflictError, match="being decided"):
        approvals.approve(number, actor("operator"))
    Proposal.objects.update(decided_us=now_us() - approvals.CLAIM_US - 1)
    assert approvals.approve(number, actor("operator")).created


def test_so_many_wait_and_no_more(four_eyes: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "MAX_OPEN", 2)
    propose_key("a@example.com")
    propose_key("a@example.com")
    with pytest.raises(ConflictError, match="wait already"):
        decide.register_key(factories.signer().private.public.spki, "ci", SCOPES, person="a@example.com")


def test_a_way_of_deciding_that_can_not_propose_is_refused(four_eyes: None) -> None:
    payload = decide_payload("a@example.com")
    with pytest.raises(ForbiddenError, match="second person"):
        decide.record(payload, lambda ring, at_us: None)


def decide_payload(person: str) -> bytes:
    from lineage.trust import decisions

    subjects = [("x", {"sha256": "ab" * 32})]
    return decisions.build("criticality", person, now_us(), body={}, subjects=subjects)


def test_every_function_that_decides_is_marked() -> None:
    """In each module that approvals call; elsewhere `decide.record` refuses, as the test above shows."""
    marked: set[str] = set()
    unmarked: set[str] = set()
    for name in approvals.MODULES:
        module = importlib.import_module(name)
        assert module.__file__
        for node in ast.parse(Path(module.__file__).read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != "record":
                calls = {ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}
                if calls & {"record", "decide.record", "_decide", "_append"}:
                    found = getattr(module, node.name)
                    (marked if hasattr(found, "role") else unmarked).add(node.name)
    assert unmarked == set()
    assert {"register_key", "revoke_key", "waive", "set_check_policy", "withdraw"} <= marked


def test_a_name_that_is_no_decision_is_never_called(four_eyes: None) -> None:
    number = propose_key("a@example.com")
    for name in ("os.system", "lineage.services.decide.line", "lineage.services.decide.nothing", "x"):
        Proposal.objects.update(function=name)
        with pytest.raises(ConflictError, match="no decision"):
            approvals.approve(number, actor("operator"))
    Proposal.objects.update(function="lineage.services.decide.register_key", arguments='{"name": 3}')
    with pytest.raises(ConflictError, match="another version"):
        approvals.approve(number, actor("operator"))


def test_every_argument_of_every_decision_can_be_kept() -> None:
    """As JSON, and read back by the type that the function says."""
    count = 0
    for name in approvals.MODULES:
        for function in vars(importlib.import_module(name)).values():
            if hasattr(function, "role") and function.__module__ == name:
                for argument, kind in get_type_hints(function).items():
                    if argument not in ("person", "return"):
                        msgspec.json.Decoder(kind)
                        count += 1
    assert count > 30


def test_each_kind_of_argument_comes_back(four_eyes: None) -> None:
    from lineage.graph import check_policy

    policy = check_policy.parse(b'{"default": {"full": "7d", "quick": "1d"}, "rules": [], "limits": []}')
    with pytest.raises(ProposedError) as proposed:
        decide_checks.set_check_policy(policy, person="a@example.com")
    assert approvals.approve(proposed.value.number, actor("officer")).created


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
    from lineage.services import erasing, redact, retention
    from lineage.trust.forgetting_decisions import Retention, RetentionClass

    who = factories.signer()
    with second_person.approving("second@example.com"):
        factories.register(who)
    first, second = (intake.submit(who.envelope(factories.statement()), token="t").receipt for _ in range(2))
    graph()
    with pytest.raises(ProposedError) as proposed:
        redact.redact([first.digest], "it is personal", person="a@example.com")
    assert Envelope.objects.filter(pk=first.digest.removeprefix("sha256:")).exists()
    done = approvals.approve(proposed.value.number, actor("officer"))
    assert not Envelope.objects.filter(pk=first.digest.removeprefix("sha256:")).exists()
    assert decision_records.one(done.receipt.index).approver
    with pytest.raises(ProposedError) as proposed:
        retention.adopt(Retention((RetentionClass("all", 1),), "the board"), person="a@example.com")
    approvals.approve(proposed.value.number, actor("officer"))
    graph()
    assert retention.enforce(now_us() + 2 * retention.DAY_US) == (1, 0)
    assert erasing.carry_out() == 1
    assert not Envelope.objects.filter(pk=second.digest.removeprefix("sha256:")).exists()


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

"""Decisions that need two people: proposed by one, approved by another, then one entry that names both."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from lineage import config
from lineage.db.models import Entry, Proposal
from lineage.errors import ConflictError, ForbiddenError, LineageError, NotFoundError, ProposedError
from lineage.services import (
    approvals,
    decide,
    decision_records,
    keyring,
    rights,
)
from lineage.services.clock import now_us
from lineage.services.rights import Actor
from lineage.trust.policy import Scopes
from tests import factories

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


def decide_payload(person: str) -> bytes:
    from lineage.trust import decisions

    subjects = [("x", {"sha256": "ab" * 32})]
    return decisions.build("criticality", person, now_us(), body={}, subjects=subjects)


def test_a_way_of_deciding_that_can_not_propose_is_refused(four_eyes: None) -> None:
    payload = decide_payload("a@example.com")
    with pytest.raises(ForbiddenError, match="second person"):
        decide.record(payload, lambda ring, at_us: None)

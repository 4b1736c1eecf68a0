"""Proposals: decisions that wait for a second person, who approves or rejects each within a time.

Owns: keeping what a function that decides was called with, calling it again once somebody has approved, and
the states of a proposal. Does not own: which functions those are (`second_person.two_people` marks them), nor
who may approve (`rights`).

A process that dies while it records leaves a proposal `deciding`; after CLAIM_US it can be approved again.
Should the entry have been written then, the function itself says so, or decides the same twice, which changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, get_type_hints

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet

from lineage.config import current
from lineage.db.models import ApiToken, Proposal
from lineage.errors import ConflictError, MalformedError, NotFoundError, ProposedError
from lineage.services import decide, rights, second_person
from lineage.services.clock import now_us
from lineage.services.receipts import Submitted
from lineage.services.rights import Actor

MODULES = (
    "lineage.services.decide",
    "lineage.services.decide_checks",
    "lineage.services.decide_incidents",
    "lineage.services.decide_signers",
    "lineage.services.decide_taint",
    "lineage.services.holds",
    "lineage.services.layouts",
    "lineage.services.redact",
    "lineage.services.retention",
    "lineage.services.withdraw",
)
"""Where functions that decide are."""
HOUR_US = 3_600_000_000
CLAIM_US = 300_000_000
MAX_OPEN = 1000
"""Open proposals in all: one more is refused, so that nobody fills the table or the page."""

State = Proposal.State


def propose(call: second_person.Call, payload: bytes) -> ProposedError:
    """Keep a call as a proposal. Returns what says so, to be raised.

    Raises: ConflictError where the same waits already, or too many do.
    """
    arguments = msgspec.json.encode(call.arguments).decode()
    at_us = now_us()
    with transaction.atomic():
        waiting = open_now(at_us)
        same = waiting.filter(function=call.function, arguments=arguments, person=call.person).first()
        if same:
            raise ConflictError(f"You have proposed this already: it is proposal {same.pk}.")
        if waiting.count() >= MAX_OPEN:
            raise ConflictError(f"{MAX_OPEN:,} proposals wait already; some must be decided first.")
        row = Proposal.objects.create(
            function=call.function,
            arguments=arguments,
            payload=payload,
            person=call.person,
            owner=_owner(call.person),
            role=call.role,
            created_us=at_us,
            ends_us=at_us + current().people.four_eyes_hours * HOUR_US,
        )
    return ProposedError(row.pk)


def _owner(person: str) -> str:
    """Who made the API key that proposes: they can't be the second person."""
    prefix = person.rpartition("(lin_")[2].removesuffix(")") if person.startswith("token:") else ""
    return ApiToken.objects.filter(prefix=prefix).values_list("created_by", flat=True).first() or ""


def open_now(at_us: int) -> QuerySet[Proposal]:
    """Proposals that may be approved, oldest first."""
    abandoned = Q(state=State.DECIDING, decided_us__lt=at_us - CLAIM_US)
    return Proposal.objects.filter(Q(state=State.OPEN) | abandoned, ends_us__gt=at_us).order_by("pk")


def get(number: int) -> Proposal:
    """Raises: NotFoundError."""
    row = Proposal.objects.filter(pk=number).first() if number < 2**63 else None
    if row is None:
        raise NotFoundError(f"There is no proposal {number}.")
    return row


def approve(number: int, actor: Actor) -> Submitted:
    """Record the decision, which names who proposed and who approved it.

    Raises: NotFoundError; ForbiddenError for whoever proposed it, lacks its role or is no person;
        ConflictError where it is decided or its time is over; what the decision itself raises, and then the
        proposal stays open.
    """
    proposal = get(number)
    rights.check(
        "proposal.approve",
        actor,
        proposal,
        otherwise=f"A proposal is approved by another person who is an {proposal.role}, signed in.",
    )
    _claim(proposal, actor.name)
    try:
        with second_person.approving(actor.name):
            submitted = _call(proposal)
    except BaseException:
        Proposal.objects.filter(pk=number, state=State.DECIDING, decided_by=actor.name).update(
            state=State.OPEN, decided_by="", decided_us=0
        )
        raise
    Proposal.objects.filter(pk=number).update(state=State.APPROVED, entry_index=submitted.receipt.index)
    return submitted


def reject(number: int, actor: Actor, reason: str) -> Proposal:
    """End a proposal without a decision; who proposed it may, too.

    Raises: NotFoundError, ForbiddenError, ConflictError as `approve`; MalformedError for no reason.
    """
    proposal = get(number)
    rights.check(
        "proposal.reject",
        actor,
        proposal,
        otherwise=f"A proposal is rejected by a person who is an {proposal.role}, or by who made it.",
    )
    try:
        reason = decide.line(reason, "A reason", decide.MAX_REASON)
    except MalformedError as error:
        raise MalformedError(error.message, where="reason") from None
    _claim(proposal, actor.name)
    Proposal.objects.filter(pk=number).update(state=State.REJECTED, reason=reason)
    return get(number)


def _claim(proposal: Proposal, who: str) -> None:
    """Of several people at once, one decides. Raises: ConflictError."""
    at_us = now_us()
    claimed = (
        open_now(at_us)
        .order_by()
        .filter(pk=proposal.pk)
        .update(state=State.DECIDING, decided_by=who, decided_us=at_us)
    )
    if claimed:
        return
    proposal.refresh_from_db()
    if proposal.state in (State.OPEN, State.DECIDING):
        over = proposal.ends_us <= at_us
        raise ConflictError("The proposal's time is over." if over else "It is being decided.")
    raise ConflictError(f"The proposal is {proposal.state} already, by {proposal.decided_by}.")


def _call(proposal: Proposal) -> Submitted:
    """What was proposed, for who proposed it. Raises: what the function raises."""
    function = _function(proposal.function)
    hints = get_type_hints(function)
    given = msgspec.json.decode(proposal.arguments)
    try:
        arguments = {name: msgspec.convert(value, hints[name]) for name, value in given.items()}
    except (msgspec.ValidationError, KeyError) as error:
        raise ConflictError(
            "The proposal was made by another version of Lineage, and can't be read.",
            hint="Reject it and propose it again.",
        ) from error
    return function(**arguments, person=proposal.person)


def _function(name: str) -> Callable[..., Submitted]:
    """A marked function by its name. Raises: ConflictError for any other: names come from backups too."""
    module, _, attribute = name.rpartition(".")
    found: Any = getattr(import_module(module), attribute, None) if module in MODULES else None
    if not hasattr(found, "role"):
        raise ConflictError(f"There is no decision {name} in this version of Lineage.")
    return found  # type: ignore[no-any-return]

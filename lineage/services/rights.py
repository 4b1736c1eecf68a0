"""Who may do what with which thing: the rules beyond roles and scopes, the same for pages and calls.

Owns: the predicates and the rules made of them. Does not own: roles (`User.may`) and scopes
(`api.permissions`) that open a page or call as a whole.

A rule is asked by name: `rights.check("token.end", actor, token)`. Who acts is an `Actor`, person or program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.predicates import Predicate

from lineage.db.models import ApiToken, Proposal, User
from lineage.errors import ForbiddenError


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` as in records: an e-mail address, or `token:<name> (lin_<prefix>)`. `person` None: a program."""

    name: str
    scopes: frozenset[str]
    person: User | None = None


ROLE_SCOPES = {
    User.Role.AUDITOR.value: frozenset({"read"}),
    User.Role.OFFICER.value: frozenset({"read", "check", "decide"}),
    User.Role.OPERATOR.value: frozenset({"read", "check", "decide", "operate"}),
}
"""What a signed-in person may call. Attesting needs an API key: pipelines do it, people don't."""


def actor_of(person: User) -> Actor:
    return Actor(person.email, ROLE_SCOPES[person.role], person)


def _predicate(test: Callable[..., bool]) -> Predicate:
    """A test of an actor, or of an actor and a thing, that rules are made of with `&`, `|` and `~`."""
    return Predicate(test)


@_predicate
def operates(actor: Actor) -> bool:
    """An operator, or a program that may configure the platform."""
    return "operate" in actor.scopes


@_predicate
def made_token(actor: Actor, token: ApiToken) -> bool:
    return actor.person is not None and actor.person.email == token.created_by


@_predicate
def is_person(actor: Actor) -> bool:
    return actor.person is not None


@_predicate
def holds_role(actor: Actor, proposal: Proposal) -> bool:
    """The role that the decision itself needs."""
    return actor.person is not None and actor.person.may(proposal.role)


@_predicate
def proposed(actor: Actor, proposal: Proposal) -> bool:
    """By themselves, or by an API key that they made."""
    return actor.name in (proposal.person, proposal.owner)


RULES = {
    "refusals.see": operates,
    "accesses.see": operates & is_person,
    "token.make": operates & is_person,
    "token.end": is_person & (operates | made_token),
    "proposal.approve": is_person & holds_role & ~proposed,
    "proposal.reject": is_person & (holds_role | proposed),
}
"""Who proposed something may take it back: that is rejecting it."""


def may(rule: str, actor: Actor, thing: object = None) -> bool:
    """Whether the actor may, of this thing."""
    return bool(RULES[rule].test(actor, thing))


def check(rule: str, actor: Actor, thing: object = None, *, otherwise: str) -> None:
    """Raises: ForbiddenError, with the sentence `otherwise`."""
    if not may(rule, actor, thing):
        raise ForbiddenError(otherwise)

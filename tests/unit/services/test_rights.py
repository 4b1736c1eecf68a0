"""The rules: each against who may be asked about it."""

from __future__ import annotations

from itertools import product

import pytest

from lineage.db.models import ApiToken, Proposal, User
from lineage.errors import ForbiddenError
from lineage.services import rights
from lineage.services.rights import RULES, Actor

TOKEN = ApiToken(pk=1, name="ci", prefix="0a", created_by="auditor@example.com")
PROPOSAL = Proposal(pk=1, person="officer@example.com", role="officer")
BY_PROGRAM = Proposal(pk=2, person="token:ci (lin_0a)", owner="operator@example.com", role="operator")


def person(role: str) -> Actor:
    return rights.actor_of(User(email=f"{role}@example.com", role=role))


ACTORS = {
    "auditor": person("auditor"),
    "officer": person("officer"),
    "operator": person("operator"),
    "another operator": rights.actor_of(User(email="another@example.com", role="operator")),
    "program": Actor("token:ci (lin_0a)", frozenset({"read", "decide", "operate"})),
    "reading program": Actor("token:other (lin_0b)", frozenset({"read"})),
}
ALLOWED = {
    ("refusals.see", None): {"operator", "another operator", "program"},
    ("accesses.see", None): {"operator", "another operator"},
    ("token.make", None): {"operator", "another operator"},
    ("token.end", TOKEN): {"auditor", "operator", "another operator"},
    ("proposal.approve", PROPOSAL): {"operator", "another operator"},
    ("proposal.reject", PROPOSAL): {"officer", "operator", "another operator"},
    ("proposal.approve", BY_PROGRAM): {"another operator"},
    ("proposal.reject", BY_PROGRAM): {"operator", "another operator"},
}
CASES = [
    pytest.param(rule, thing, name, name in allowed, id=f"{rule}-{place}-{name}")
    for place, (((rule, thing), allowed), name) in enumerate(product(ALLOWED.items(), ACTORS))
]


def test_every_rule_is_in_the_table() -> None:
    assert {rule for rule, _ in ALLOWED} == set(RULES)


@pytest.mark.parametrize(("rule", "thing", "name", "expected"), CASES)
def test_who_may(rule: str, thing: object, name: str, expected: bool) -> None:
    assert rights.may(rule, ACTORS[name], thing) is expected
    if expected:
        rights.check(rule, ACTORS[name], thing, otherwise="no")
    else:
        with pytest.raises(ForbiddenError, match="no"):
            rights.check(rule, ACTORS[name], thing, otherwise="no")


def test_a_rule_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        rights.may("token.burn", ACTORS["operator"])

"""The check policy in force, as people and programs read it: in words, and who decided it.

Owns: putting it together. Does not own: which policy that is (`check_policies`), its words (`policy_words`),
or adopting another (`decide_checks`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineage.graph import check_policy
from lineage.graph.check_policy import CheckPolicy
from lineage.services import as_of, check_policies, decision_records, policy_words
from lineage.services.as_of import AsOf


class PolicyPart(msgspec.Struct, frozen=True):
    """A rule, what holds without one, or the limits of a storage: what it is for, and what it says."""

    title: str
    lines: list[str]


class PolicyRecord(msgspec.Struct, frozen=True):
    """The policy of a moment. Without a decision `entry` is None, and the other texts are empty.

    `body` is what a decision has; `digest` names the envelope of the entry, `sha256:<hex>`.
    """

    body: dict[str, Any]
    parts: list[PolicyPart]
    limits: list[PolicyPart]
    entry: int | None
    digest: str
    person: str
    decided_at: str


def current() -> PolicyRecord:
    """As the log has it now, whatever the graph has followed."""
    now = as_of.resolve(None)
    return at(now, now.head)


def at(moment: AsOf, size: int | None = None) -> PolicyRecord:
    """The policy that the first `size` entries leave in force (absent: those of the moment)."""
    size = moment.size if size is None else size
    policy, entry = check_policies.as_of(size), check_policies.index_of(size)
    digest = person = decided_at = ""
    if entry is not None:
        decided = decision_records.one(entry)
        digest, person, decided_at = decided.digest, decided.person, decided.received_at
    return PolicyRecord(
        check_policy.body(policy), _parts(policy), _limits(policy), entry, digest, person, decided_at
    )


def _parts(policy: CheckPolicy) -> list[PolicyPart]:
    rules = [
        PolicyPart(f"“{rule.name}”: {policy_words.condition(rule)}", policy_words.schedule(rule.schedule))
        for rule in policy.rules
    ]
    title = "All other copies" if rules else "Every copy"
    return [*rules, PolicyPart(title, policy_words.schedule(policy.default))]


def _limits(policy: CheckPolicy) -> list[PolicyPart]:
    return [PolicyPart(each.location, policy_words.limits(each)) for each in policy.limits]

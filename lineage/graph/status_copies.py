"""What the checks of an artifact's copies say of it, and when each copy is to be checked next.

Owns: which check clears which, whose word counts, when matches age out. Pure. Does not own: which locations
are copies (`locations`), how often one is checked (`check_policy`), or hashing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lineage.graph import check_policy
from lineage.graph.check_policy import CONTENT, FULL, METHODS, NEVER_US, STRENGTH, CheckPolicy, Schedule
from lineage.graph.locations import Root, root_of
from lineage.graph.status_facts import CheckFact, Facts, Trust
from lineage.graph.status_timeline import Finding, Reason, Status

RULES_VERSION = 9
"""Raise it with every change of a rule in `status…`: the graph is then rebuilt at the next start."""

NEVER_CHECKED = "never-checked"
_SEVERITY = {"match": 0, "inconclusive": 1, "mismatch": 2}
_RETRY_US = 6 * 3600 * 1_000_000
"""After a check that came to nothing, or found a difference: it may be mended by then."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the status rules depend on besides statements: configured storages, and the policy in force."""

    roots: tuple[Root, ...] = ()
    policy: CheckPolicy = check_policy.DEFAULT

    def fingerprint(self) -> str:
        """`v<version> <storages>`, another one wherever statuses could come out differently. The storages are
        a JSON array of names and URIs, for `roots_of`.

        The policy is not in it: it is an entry of the log, and changes statuses from there on.
        """
        return _OF_THIS_VERSION + json.dumps(sorted((root.name, root.uri) for root in self.roots))


_OF_THIS_VERSION = f"v{RULES_VERSION} "


def roots_of(fingerprint: str) -> tuple[Root, ...] | None:
    """The storages of a fingerprint that this version made, also where more follows it; None of any other."""
    if not fingerprint.startswith(_OF_THIS_VERSION):
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(fingerprint, len(_OF_THIS_VERSION))
        return tuple(Root(name, uri) for name, uri in found)
    except (ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class CopyState:
    """One copy. `last` is its newest check; `failing` the newest mismatch that nothing has cleared.

    `matches`: µs of the newest match by each method or a stronger one, NEVER_US without. `own`: our
    re-verifier's newest check.
    """

    last: CheckFact | None
    failing: CheckFact | None
    matches: Mapping[str, int]
    own: CheckFact | None
    bytes: int = 0  # its size, as the newest full match had it; 0: not known

    @property
    def outcome(self) -> str:
        if self.failing is not None:
            return "mismatch"
        return self.last.outcome if self.last else NEVER_CHECKED


def strength(expected: str, key: str) -> int:
    """How much a check proves, by what it compared: the artifact's own digest, all bytes, or parts."""
    if expected == key:
        return STRENGTH[FULL]
    return STRENGTH[CONTENT] if expected.startswith("blake3:") else 1


def state(checks: Iterable[CheckFact]) -> CopyState:
    """What the checks of one copy come to, in order of `at_us`, then log index; in one entry the worse later.

    A mismatch is cleared only by a later match that looked at least as closely, and at all of the bytes:
    parts that match say nothing of the others. Where our own re-verifier looked, no one else's match counts.
    """
    ordered = sorted(checks, key=_order)
    own = next((check for check in reversed(ordered) if check.trust == Trust.OBSERVED), None)
    matches = dict.fromkeys(METHODS, NEVER_US)
    failing: CheckFact | None = None
    size = 0
    for check in ordered:
        if check.outcome == "mismatch":
            if failing is None or check.strength >= failing.strength:
                failing = check
        elif check.outcome == "match" and (check.trust == Trust.OBSERVED or own is None):
            for method in METHODS:
                if check.strength >= STRENGTH[method]:
                    matches[method] = max(matches[method], check.at_us)
            if check.strength == STRENGTH[FULL]:
                size = check.bytes
            if failing is not None and check.strength >= max(failing.strength, STRENGTH[CONTENT]):
                failing = None
    return CopyState(ordered[-1] if ordered else None, failing, matches, own, size)


def _order(check: CheckFact) -> tuple[int, int, int]:
    return check.at_us, check.index, _SEVERITY[check.outcome]


def copies(facts: Facts, rules: Rules) -> Mapping[str, CopyState]:
    """The copies by location: under a storage, stated by somebody who is still believed, not withdrawn.

    What no digest identifies has none: there is nothing that its bytes could be compared with.
    """
    if not facts.digested:
        return {}
    return {
        location: state(facts.checks.get(location, {}).values())
        for location, support in facts.locations.items()
        if root_of(location, rules.roots) is not None
        and not facts.withdrawn(location)
        and facts.believes(support)
    }


def schedule(facts: Facts, rules: Rules, location: str) -> Schedule:
    """How often this copy is to be checked."""
    return rules.policy.schedule(location, facts.believed_roles(), facts.level())


def next_check(copy: CopyState, asked: Schedule, name: str) -> tuple[int, str]:
    """When it is due (µs) and how: what was never matched, or did not match, is looked at whole.

    Only our own looks put off the next one: nobody else can keep us from looking.
    """
    if copy.own is None:
        return NEVER_US, FULL
    if copy.failing is not None or copy.matches[FULL] == NEVER_US:
        return copy.own.at_us + _RETRY_US, FULL
    due, method = check_policy.next_check(asked, copy.matches, name)
    if copy.own.outcome == "inconclusive":
        due = max(due, copy.own.at_us + min(_RETRY_US, _shortest_us(asked) // 8))
    return due, method


def _shortest_us(asked: Schedule) -> int:
    return min((seconds for _, seconds in asked.items()), default=0) * check_policy.SECOND_US


def findings(facts: Facts, rules: Rules) -> Iterator[Finding]:
    """What the copies of an artifact say against it, each from the moment on at which it holds."""
    for location, copy in copies(facts, rules).items():
        yield from _of_copy(copy, schedule(facts, rules, location))


def _of_copy(copy: CopyState, asked: Schedule) -> Iterator[Finding]:
    if copy.last is None:
        yield Finding(Status.UNVERIFIED, Reason.NEVER_CHECKED)
        return
    # A check that could not be carried out takes nothing back: a mismatch stays until a match.
    if copy.failing is not None:
        yield Finding(Status.FAILED, Reason.COPY_MISMATCH)
        return
    if copy.matches[FULL] == NEVER_US:
        yield Finding(Status.UNVERIFIED, Reason.INCONCLUSIVE)
        return
    aged_out = check_policy.overdue_us(asked, copy.matches)
    yield Finding(Status.EXPIRED, Reason.CHECK_OVERDUE, from_us=aged_out)
    if copy.last.outcome == "inconclusive":
        yield Finding(Status.UNVERIFIED, Reason.INCONCLUSIVE, from_us=aged_out)

"""Copies: which stated locations are copies, and what their checks say.

Owns: the storage roots' rule, the order of checks, their age. Pure: a location is judged by its text;
whoever opens it resolves links and judges again. Does not own: hashing or opening anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from lineage.graph.status_facts import COPY_SCHEME, CheckFact, Facts
from lineage.graph.status_timeline import Finding, Reason, Status

MAX_CHECK_AGE_US = 7 * 24 * 3600 * 1_000_000
"""Default check policy: a match counts for seven days, in microseconds."""

RULES_VERSION = 2
"""Raise it with every change of a rule in `status…`: the graph is then rebuilt at the next start."""

_SEVERITY = {"match": 0, "inconclusive": 1, "mismatch": 2}
_LOCAL_HOSTS = (b"", b"localhost")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the status rules depend on besides the log. `storage_roots` are absolute folders, as text."""

    storage_roots: tuple[str, ...] = ()
    max_check_age_us: int = MAX_CHECK_AGE_US

    def fingerprint(self) -> str:
        """`v<version>:<hex>`, another one wherever statuses could come out differently."""
        text = json.dumps([sorted(self.storage_roots), self.max_check_age_us])
        return f"v{RULES_VERSION}:{hashlib.sha256(text.encode()).hexdigest()}"


@lru_cache(maxsize=65_536)
def is_copy(location: str, roots: tuple[str, ...]) -> bool:
    """Whether `location` lies under one of `roots`; anything else is a mention and is never opened.

    Only `file://` URIs without a foreign host, query or fragment, whose decoded path has no `..` and no
    U+0000, can. Source: RFC 8089, section 2.
    """
    path = _file_path(location)
    if path is None:
        return False
    return any(path[: len(root)] == root for root in map(_root_segments, roots))


def _file_path(location: str) -> tuple[bytes, ...] | None:
    """The path segments of a `file://` URI, decoded, or None where it is none that may be opened."""
    if not location.startswith(COPY_SCHEME) or "?" in location or "#" in location:
        return None
    host, slash, path = location[len(COPY_SCHEME) :].encode("utf-8", "surrogatepass").partition(b"/")
    decoded = unquote_to_bytes(path)
    segments = _segments(decoded)
    if not slash or host.lower() not in _LOCAL_HOSTS or b"\0" in decoded or b".." in segments:
        return None
    return segments


def _segments(path: bytes) -> tuple[bytes, ...]:
    return tuple(part for part in path.split(b"/") if part not in {b"", b"."})


@lru_cache(maxsize=256)
def _root_segments(root: str) -> tuple[bytes, ...]:
    return _segments(root.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True)
class CopyState:
    """The newest checks of one copy: of any outcome, conclusive, matching. None where there is none."""

    last: CheckFact | None
    conclusive: CheckFact | None
    match: CheckFact | None


def state(checks: Iterable[CheckFact]) -> CopyState:
    """Order checks by `at_us`, then log index; at the same place in one entry the worse outcome is later."""
    last = conclusive = match = None
    for check in sorted(checks, key=lambda c: (c.at_us, c.index, _SEVERITY[c.outcome])):
        last = check
        if check.outcome != "inconclusive":
            conclusive = check
        if check.outcome == "match":
            match = check
    return CopyState(last, conclusive, match)


def copies(facts: Facts, rules: Rules) -> Mapping[str, CopyState]:
    """The artifact's copies by location: under a storage root, stated by somebody still believed."""
    found = {}
    for location, support in facts.locations.items():
        if is_copy(location, rules.storage_roots) and facts.believes(support):
            found[location] = state(facts.checks.get(location, {}).values())
    return found


def findings(facts: Facts, rules: Rules) -> Iterator[Finding]:
    """What the copies of an artifact say against it, each from the moment on at which it holds."""
    for copy in copies(facts, rules).values():
        yield from _of_copy(copy, rules)


def _of_copy(copy: CopyState, rules: Rules) -> Iterator[Finding]:
    if copy.last is None:
        yield Finding(Status.UNVERIFIED, Reason.NEVER_CHECKED)
        return
    # A check that could not be carried out takes nothing back: a mismatch stays until a match.
    if copy.conclusive is not None and copy.conclusive.outcome == "mismatch":
        yield Finding(Status.FAILED, Reason.COPY_MISMATCH)
        return
    if copy.match is None:
        yield Finding(Status.UNVERIFIED, Reason.INCONCLUSIVE)
        return
    aged_out = copy.match.at_us + rules.max_check_age_us
    yield Finding(Status.EXPIRED, Reason.CHECK_OVERDUE, from_us=aged_out)
    if copy.last.outcome == "inconclusive":
        yield Finding(Status.UNVERIFIED, Reason.INCONCLUSIVE, from_us=aged_out)

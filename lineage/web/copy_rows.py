"""What the artifact's page says of its copies: a row a copy, its checks in words and as a picture.

Owns: words for methods and outcomes, and what counts as overdue at the moment shown. Does not own: how a copy
stands (`services.copy_records`), the picture (`check_chart`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineage.graph.check_policy import CONTENT, FULL, QUICK, STRENGTH
from lineage.graph.status_copies import strength
from lineage.services import lineage, records, storages
from lineage.services.as_of import AsOf
from lineage.services.lineage_records import CheckRecord, CopyRecord, Mention, NodeRecord
from lineage.trust.leaf import parse_rfc3339
from lineage.web import check_chart
from lineage.web.check_chart import Chart

CHECKS_LISTED = 50

METHODS: Mapping[int, str] = {
    STRENGTH[FULL]: "computed digest",
    STRENGTH[CONTENT]: "BLAKE3 of all bytes",
    STRENGTH[QUICK]: "some shards",
}
"""How much a check compared, from what it compared with."""

OVERDUE = "overdue"
_BETWEEN = re.compile(r"(?<=\.)\s+")


@dataclass(frozen=True, slots=True)
class CopyRow:
    """One copy. `outcome` is that of its record, or `overdue` where its matches count no more.

    `method` and `last_bytes` are of the newest check. `words`: what a check that found a difference, or
    could not be carried out, says of it, one difference each; `later`: how a check after that one ended.
    `paused`: its storage is not read now.
    """

    copy: CopyRecord
    outcome: str
    method: str
    last_bytes: int
    words: tuple[str, ...]
    later: str
    chart: Chart | None
    paused: bool


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of the history; `digest` names the envelope that says so, empty where it is not stored."""

    check: CheckRecord
    method: str
    digest: str


def context(node: NodeRecord, as_of: AsOf) -> dict[str, Any]:
    """What the templates of copies and checks need, beside the node."""
    checks = lineage.checks(node.key, as_of)
    listed = checks[:CHECKS_LISTED]
    digests = records.digests((check.index for check in listed), as_of)
    return {
        "copies": copy_rows(node, checks, as_of.at_us, live=as_of.live),
        "withdrawn": [mention for mention in _once(node.mentions) if mention.withdrawn],
        "mentions": [mention for mention in _once(node.mentions) if not mention.withdrawn],
        "checks": [
            CheckRow(check, method_words(check, node.key), digests.get(check.index, "")) for check in listed
        ],
        "checks_total": len(checks),
    }


def copy_rows(
    node: NodeRecord, checks: Sequence[CheckRecord], at_us: int, *, live: bool = False
) -> list[CopyRow]:
    """The node's copies, the failing ones first. `checks` are all of its checks, newest first."""
    by_location: dict[str, list[CheckRecord]] = {}
    for check in checks:
        by_location.setdefault(check.location, []).append(check)
    found = [by_location[copy.location] for copy in node.copies if copy.location in by_location]
    first_us = min((parse_rfc3339(one.at) for own in found for one in own), default=at_us)
    paused = {place.name for place in storages.listed() if place.paused} if live else set()
    rows = [
        _row(copy, node.key, by_location.get(copy.location, []), first_us, at_us, copy.storage in paused)
        for copy in node.copies
    ]
    return sorted(rows, key=lambda row: (row.outcome != "mismatch", row.copy.location))


def _row(
    copy: CopyRecord, key: str, checks: Sequence[CheckRecord], first_us: int, at_us: int, paused: bool
) -> CopyRow:
    overdue_us = parse_rfc3339(copy.overdue_at) if copy.overdue_at else None
    overdue = overdue_us is not None and overdue_us <= at_us
    chart = check_chart.draw(checks, first_us, at_us, overdue_us) if checks else None
    last = next((check for check in checks if check.at == copy.last_at and check.trust != "revoked"), None)
    return CopyRow(
        copy=copy,
        outcome=OVERDUE if overdue and copy.outcome != "mismatch" else copy.outcome,
        method=method_words(last, key) if last else "",
        last_bytes=last.bytes if last else 0,
        words=_differences(copy.reason),
        later=copy.last_outcome if copy.last_at != copy.at else "",
        chart=chart,
        paused=paused,
    )


def _differences(reason: str) -> tuple[str, ...]:
    """A reason's sentences, each for itself: a list is read faster than one long line."""
    return tuple(sentence for sentence in _BETWEEN.split(reason.strip()) if sentence)


def method_words(check: CheckRecord, key: str) -> str:
    """How much a check looked at, in words: a match of some shards proves less than one of the digest."""
    if check.method == "size":
        return "size alone"
    return METHODS[strength(check.expected, key)] if check.expected else check.method


def _once(mentions: Sequence[Mention]) -> list[Mention]:
    """Each location once, however many state it."""
    return list({mention.location: mention for mention in mentions}.values())

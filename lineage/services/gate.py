"""The gate before a deployment: whether an artifact is verified, untainted and fresh, and if not, why.

Owns: what it takes to pass, and saying what is missing. Does not own: the status itself (`graph.status`), or
how often copies are to be checked (`graph.check_policy`).

It opens only for what is known to be good: a graph that is behind the log, or a log that is damaged or lacks
what it had published, is inconclusive, never a pass.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from lineage.errors import GraphBehindError, MalformedError, NotFoundError
from lineage.graph import sql_claims, sql_same
from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.sql_moment import REVOKED
from lineage.graph.status import Reason, Status
from lineage.services import (
    as_of,
    audit_condition,
    belief,
    high_water,
    lineage_closure,
    log_head,
    node_record,
    reasons,
    standing,
)
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import BYTES_NOT_CHECKED, Reader
from lineage.services.lineage_records import CopyRecord, NodeRecord
from lineage.trust.leaf import parse_rfc3339, rfc3339

Verdict = Literal["open", "closed", "inconclusive"]
WAIT_SECONDS = 10.0
"""For the graph to reach the entry that was the log's newest when it was asked."""
_PERIOD = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SECOND_US = 1_000_000
_BAD = (Status.FAILED, Status.EXPIRED)


class GateReason(msgspec.Struct, frozen=True):
    """Why the gate is closed, or what is to be known although it is open; `about`: which copies or nodes."""

    slug: str
    sentence: str
    about: tuple[str, ...] = ()


class GateAnswer(msgspec.Struct, frozen=True):
    """`open`: it may be deployed. `inconclusive`: that could not be told, so it may not.

    Judged with the first `tree_size` entries of the log at the time `at`. `copies` are those that count.
    """

    key: str
    verdict: Verdict
    name: str
    status: str
    tainted: bool
    reasons: tuple[GateReason, ...]
    notes: tuple[GateReason, ...]
    copies: tuple[CopyRecord, ...]
    tree_size: int
    at: str


def seconds(text: str) -> int:
    """An age such as `12h`, in seconds. Raises: MalformedError."""
    found = _PERIOD.fullmatch(text)
    if not found:
        raise MalformedError(
            f"An age is a number and s, m, h or d, such as 12h; not {text[:40]!r}.", where="max_age"
        )
    return int(found[1]) * _UNITS[found[2]]


def judge(
    key: str,
    *,
    max_age_seconds: int | None = None,
    accept_unchecked: bool = False,
    wait_seconds: float | None = None,
) -> GateAnswer:
    """Whether the artifact `key` may be deployed now.

    Args:
        max_age_seconds: each copy's newest match of the digest itself may be this old, and no older, whatever
            the check policy allows.
        accept_unchecked: let it pass although no copy of it is known, on the word of who signed.
        wait_seconds: how long the graph may take to follow the log; None: WAIT_SECONDS.

    Raises: NotFoundError for an unknown node; MalformedError for what is no artifact; GraphBehindError for a
        node that a graph which is behind does not know.
    """
    asked = _Asked(key, max_age_seconds, accept_unchecked)
    wanted = log_head.size()
    ends = time.monotonic() + (WAIT_SECONDS if wait_seconds is None else wait_seconds)
    while True:
        try:
            watch = standing.begin(wanted, ends - time.monotonic())
        except GraphBehindError:
            return _behind(asked)
        answer = _tried(asked, watch)
        if answer is not None:
            return answer


@dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments of `judge`."""

    key: str
    max_age_seconds: int | None
    accept_unchecked: bool


def _tried(asked: _Asked, watch: standing.Watch) -> GateAnswer | None:
    """The answer; None where the graph was emptied while it was made."""
    try:
        answer = _answer(asked, as_of.resolve(None))
    except NotFoundError:
        if watch.stands():
            raise
        return None
    return answer if watch.stands() else None


def _behind(asked: _Asked) -> GateAnswer:
    """What can be said by a graph that does not tell all: never that it may pass.

    Raises: GraphBehindError where it does not know the node, which the log may.
    """
    moment = as_of.resolve(None)
    if moment.projected < moment.head:
        words = f"The graph is at {moment.projected} of {moment.head} entries."
    else:
        words = "The graph was made before storages, rules or redactions changed, and is to be made anew."
    try:
        return _answer(asked, moment, GateReason("graph-behind", words))
    except NotFoundError:
        raise GraphBehindError(f"{words} It does not know {asked.key}.") from None


def _answer(asked: _Asked, moment: AsOf, behind: GateReason | None = None) -> GateAnswer:
    number, kind = lineage_closure.find(asked.key, moment)
    if kind is not NodeKind.ARTIFACT:
        raise MalformedError(
            f"{asked.key} is no artifact but a {kind.value}.", hint="Give the key of what is to be deployed."
        )
    node = node_record.node(asked.key, moment)
    same = sql_same.group(number, belief.moment(moment), sql_same.MOST) - {number}
    closed = [*_against(node, rfc3339(moment.at_us)), *_too_old(node, moment.at_us, asked.max_age_seconds)]
    closed += _same_bytes(same, moment)
    if BYTES_NOT_CHECKED in node.notes and not asked.accept_unchecked:
        closed.append(_reason(BYTES_NOT_CHECKED))
    if behind is not None:
        closed.append(behind)
    rolled_back, damaged = high_water.warning(), audit_condition.damage()
    if rolled_back:
        closed.append(GateReason("rolled-back", rolled_back))
    if damaged:
        closed.append(GateReason("log-damaged", f"{damaged} Nothing that is shown as verified is sure now."))
    return GateAnswer(
        key=asked.key,
        verdict="open" if not closed else "inconclusive" if behind or rolled_back or damaged else "closed",
        name=node.name,
        status=node.status,
        tainted=node.tainted,
        reasons=tuple(closed),
        notes=tuple(_notes(node, moment, asked.accept_unchecked)),
        copies=node.copies,
        tree_size=moment.size,
        at=rfc3339(moment.at_us),
    )


def _against(node: NodeRecord, now: str) -> Iterator[GateReason]:
    for slug in node.reasons:
        yield _reason(slug, _copies_with(slug, node, now))
    if node.status != "verified" and not node.reasons:
        yield GateReason(node.status, f"Its status is {node.status}.")
    for source in node.tainted_by:
        told = reasons.TAINTS.get(source.source, f"{reasons.sentence(source.source)}:")
        yield GateReason("tainted", f"It is tainted. {told} {source.name}.", (source.key,))
    if node.tainted and not node.tainted_by:
        yield GateReason("tainted", "It is tainted.")


def _reason(slug: str, about: tuple[str, ...] = ()) -> GateReason:
    return GateReason(slug, f"{reasons.sentence(slug, NodeKind.ARTIFACT)}.", about)


def _copies_with(slug: str, node: NodeRecord, now: str) -> tuple[str, ...]:
    """The copies that a reason is about, each in words."""
    return tuple(words for copy in node.copies if (words := _says(slug, copy, now)))


def _says(slug: str, copy: CopyRecord, now: str) -> str:
    if slug == "copy-mismatch" and copy.outcome == "mismatch":
        what = copy.reason or f"expected {copy.expected}, found {copy.observed}"
        return f"{copy.location}, checked {copy.at}: {what}"
    if slug == "never-checked" and copy.outcome == "never-checked":
        return copy.location
    if slug == "inconclusive" and copy.last_outcome == "inconclusive":
        return f"{copy.location}, tried {copy.last_at}: {copy.reason or 'no reason was given'}"
    if slug == "check-overdue" and copy.outcome != "mismatch" and "" < copy.overdue_at <= now:
        return f"{copy.location}: matched last {copy.matched_at}, which counted until {copy.overdue_at}"
    return ""


def _same_bytes(same: Collection[int], moment: AsOf) -> Iterator[GateReason]:
    """What speaks against the artifact under another of its digests, where copies may have been checked."""
    if len(same) >= sql_same.MOST:
        words = f"The same bytes are said to have {sql_same.MOST:,} other digests: not all are looked at."
        yield GateReason("same-bytes", words)
        return
    for other in Reader(moment).summaries(sorted(same)).values():
        told = [slug for slug in other.reasons if other.status in _BAD or slug == Reason.CONTESTED_ORIGIN]
        if told or other.tainted:
            why = ", ".join([*told, *(["tainted"] if other.tainted else [])])
            words = (
                f"The same bytes are known by another digest, and as such they are {other.status} ({why})."
            )
            yield GateReason("same-bytes", words, (other.key,))


def _too_old(node: NodeRecord, now_us: int, max_age_seconds: int | None) -> Iterator[GateReason]:
    if max_age_seconds is None:
        return
    oldest = now_us - max_age_seconds * _SECOND_US
    old = tuple(
        f"{copy.location}: {f'matched last {copy.matched_at}' if copy.matched_at else 'never matched'}"
        for copy in node.copies
        if not copy.matched_at or parse_rfc3339(copy.matched_at) < oldest
    )
    if old:
        words = f"A copy's digest has not been matched for longer than {max_age_seconds:,} seconds."
        yield GateReason("older-than-asked", words, old)


def _notes(node: NodeRecord, moment: AsOf, accept_unchecked: bool) -> Iterator[GateReason]:
    if BYTES_NOT_CHECKED in node.notes and accept_unchecked:
        yield _reason(BYTES_NOT_CHECKED)
    number, _ = lineage_closure.find(node.key, moment)
    unsafe = sql_claims.claims(number, ClaimKind.UNSAFE, belief.moment(moment))
    said = tuple(dict.fromkeys(claim.value for claim in unsafe if claim.trust != REVOKED))
    if said and "unsafe-format" not in node.reasons:
        yield GateReason("unsafe-format-waived", "It can run code when it is loaded; that is waived.", said)
    unread = tuple(
        f"{copy.location}, tried {copy.last_at}: {copy.reason}"
        for copy in node.copies
        if copy.last_outcome == "inconclusive" and copy.outcome == "inconclusive"
    )
    if unread and "inconclusive" not in node.reasons:
        yield GateReason("unread", "A copy could not be read last time; its last match counts.", unread)

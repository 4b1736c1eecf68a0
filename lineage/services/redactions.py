"""Which envelopes a signed decision has taken away, as of any tree size; what to say where one is missing.

An envelope that is missing without a decision is damage. So is a decision's: none is ever redacted.
Owns: answering that from the log's decisions. Does not own: deciding (`redact`), taking the bytes away
(`erasing`), or what a rebuilt graph is then (`project_entries`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec

from lineage.db.models import Entry, EntrySubject, Redaction
from lineage.errors import LogIntegrityError, RedactedError
from lineage.graph.sql_query import fetch
from lineage.services import forgetting
from lineage.trust.forgetting_decisions import Redact
from lineage.trust.leaf import rfc3339

_CHUNK = 500
MOST_TOLD = 20
MARK = "SELECT id FROM log_redaction WHERE refused = '' ORDER BY id DESC LIMIT 1"
"""What `mark` is, for a query that asks for more; no row: 0."""
DISBELIEVED = (
    " (That decision is not believed any more: the platform's key was not its owner's. The bytes are gone.)"
)


@dataclass(frozen=True, slots=True)
class Redacted:
    """The decision that took an envelope away.

    Attributes:
        envelope: bare hex digest of the bytes that are gone.
        index, digest: the decision's log entry, and its envelope (`sha256:…`).
        received_us: when it entered the log; microseconds, UTC.
        entry: log index of what was redacted.
        believed: whether the decision counts. Where not, a thief of the platform's key made it, and the bytes
            are gone all the same.
        told: what remains to be said of it, where it found something wrong; else "".
        policy: log index of the retention policy by which it was decided; None: it was decided by itself.
    """

    envelope: str
    index: int
    digest: str
    received_us: int
    person: str
    approver: str
    reason: str
    policy: int | None
    told: str
    entry: int
    believed: bool = True

    def sentence(self) -> str:
        """Who took it away, when and why."""
        both = f" and {self.approver}" if self.approver else ""
        return (
            f"Entry {self.index} redacted it on {rfc3339(self.received_us)[:10]}, by {self.person}{both}: "
            f"{self.reason}{'' if self.believed else DISBELIEVED}"
        )


class RedactionRecord(msgspec.Struct, frozen=True):
    """The decision that took the bytes away: its entry, when it was received, who decided it and why.

    `approver` is the second person where two were needed; `policy` the log index of the retention policy that
    it follows, None where it was decided by itself; `told` what remains to be said of bad news among them.
    `entry` is the log index of what was redacted. `believed` is False where a thief of the platform's key
    decided it: it counts no longer, and the bytes are gone all the same.
    """

    digest: str
    index: int
    received_at: str
    person: str
    approver: str
    reason: str
    policy: int | None
    told: str
    entry: int
    believed: bool


def of(digest: str, size: int | None = None) -> Redacted | None:
    """What took the envelope (bare hex) away below the tree size; None: its bytes are there, or damaged."""
    return among([digest], size).get(digest)


def among(digests: Collection[str], size: int | None = None) -> dict[str, Redacted]:
    """As `of`, for several envelopes, by digest."""
    listed, places = sorted(set(digests)), dict[str, int]()
    for start in range(0, len(listed), _CHUNK):
        rows = Redaction.objects.filter(envelope_digest__in=listed[start : start + _CHUNK], refused="")
        places |= dict(rows.values_list("envelope_digest", "entry_index"))
    if not places:
        return {}
    decided = {each.index: each for each in _redactions(size)}
    named = {index: forgetting.envelopes(index) for index in set(places.values()) if index in decided}
    entries = _entries(places)
    good = {each.index for each in forgetting.believed(size)}
    return {
        digest: replace(_told(digest, entries[digest], decided[index]), believed=index in good)
        for digest, index in places.items()
        if index in named and digest in named[index] and digest in entries
    }


def _entries(digests: Collection[str]) -> dict[str, int]:
    listed, found = sorted(digests), dict[str, int]()
    for start in range(0, len(listed), _CHUNK):
        rows = Entry.objects.filter(envelope_digest__in=listed[start : start + _CHUNK])
        rows = rows.exclude(kind=Entry.Kind.DECISION)  # nothing takes those away, whatever a row says
        found |= dict(rows.values_list("envelope_digest", "index"))
    return found


def missing(digest: str, entry: int) -> RedactedError:
    """The error for an envelope (bare hex) that is not stored, to be raised.

    Raises: LogIntegrityError where no decision took it away.
    """
    told = of(digest)
    if told is None:
        raise LogIntegrityError(f"the envelope of entry {entry} is missing, and no decision redacted it")
    return RedactedError(
        f"The bytes of entry {entry} were redacted. {told.sentence()}",
        index=told.index,
        hint="Its leaf is still in the log, so its place and its digest can be proved.",
    )


def refuse_again(statement: str) -> None:
    """Raises: RedactedError where a statement (bare hex digest) was redacted: it is not logged once more."""
    if not forgetting.any_redacted():
        return
    rows = Entry.objects.filter(statement_digest=statement).exclude(kind=Entry.Kind.DECISION)
    gone = among(list(rows.values_list("envelope_digest", flat=True)[:_CHUNK]))
    for told in gone.values():
        raise RedactedError(
            f"This statement was redacted by entry {told.index}, and is not logged again.",
            index=told.index,
            hint="Sign one that leaves out what was to be erased.",
        )


def about(digest: str, size: int) -> list[Redacted]:
    """Redacted statements about a digest (`<alg>:<value>`) below the tree size, newest entries first."""
    if not Redaction.objects.filter(refused="").exists():
        return []
    rows = EntrySubject.objects.filter(digest=digest, entry__index__lt=size).order_by("-entry_id")
    envelopes = list(dict.fromkeys(rows.values_list("entry__envelope_digest", flat=True)[:_CHUNK]))
    found = among(envelopes, size)
    return [found[each] for each in envelopes if each in found][:MOST_TOLD]


def record(gone: Redacted) -> RedactionRecord:
    """As an answer has it."""
    return RedactionRecord(
        gone.digest,
        gone.index,
        rfc3339(gone.received_us),
        gone.person,
        gone.approver,
        gone.reason,
        gone.policy,
        gone.told,
        gone.entry,
        gone.believed,
    )


def mark() -> int:
    """Grows whenever bytes have gone, in this process or another: a graph from before then is made anew."""
    rows = fetch(MARK)
    return rows[0][0] if rows else 0


def _redactions(size: int | None) -> list[forgetting.Decided]:
    return [each for each in forgetting.below(size) if isinstance(each.body, Redact)]


def _told(envelope: str, entry: int, decided: forgetting.Decided) -> Redacted:
    assert isinstance(decided.body, Redact)
    return Redacted(
        envelope,
        decided.index,
        decided.digest,
        decided.received_us,
        decided.person,
        decided.approver,
        decided.body.reason,
        decided.body.policy,
        decided.body.told.get(f"sha256:{envelope}", ""),
        entry,
    )

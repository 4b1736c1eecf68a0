"""What may be redacted, and what must be said of it afterwards: no redaction hides what went wrong.

Never redacted: decisions (keys, policies, revocations, withdrawals, redactions: who decided what stays), what
found something wrong (a check that failed, a verdict, an unsafe file), what a hold covers. Asked twice:
before a redaction is signed, and again before bytes go. Whoever finds bytes gone asks a third time, as far as
that can be told without them. Does not own: what the graph would hide.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lineage import predicates
from lineage.db.models import Entry, Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates.base import BadNews
from lineage.services import forgetting, holds
from lineage.trust import statement
from lineage.trust.forgetting_decisions import Redact
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import open_signed

DECISION = "It is a decision. Who decided what is never erased."
_AT_ONCE = 10
"""Envelopes in memory."""


def refusals(
    entries: Sequence[Entry], news: Mapping[int, BadNews], size: int | None = None
) -> dict[int, str]:
    """Why some of these entries may not be redacted as of a tree size, by index; `news` is theirs."""
    held = holds.covering(entries, size)
    found: dict[int, str] = {}
    for entry in entries:
        bad = news.get(entry.index)
        if entry.kind == Entry.Kind.DECISION:
            found[entry.index] = DECISION
        elif bad is not None and not bad.erasable:
            found[entry.index] = f"It is {bad.words}. What went wrong is never erased."
        elif entry.index in held:
            hold = held[entry.index]
            since = rfc3339(hold.received_us)[:10]
            found[entry.index] = f"The hold of entry {hold.index} covers it, since {since}."
    return found


def taken(digests: Collection[str], decisions: Collection[int] | None = None) -> dict[str, int]:
    """By which decision (log index) each of these envelopes (bare hex) may be gone: the first that names it
    after its entry, and was not to be refused. `decisions`: only these are asked.

    From the log's own decisions. Of an envelope whose bytes are gone nobody knows whether it was bad news.
    """
    left, found = set(digests), dict[str, int]()
    for decided in forgetting.below() if left else ():
        if not isinstance(decided.body, Redact) or (decisions is not None and decided.index not in decisions):
            continue
        named = left & forgetting.envelopes(decided.index)
        if not named:
            continue
        entries = list(Entry.objects.filter(envelope_digest__in=named, index__lt=decided.index))
        refused = refusals(entries, {}, decided.index)
        found |= {each.envelope_digest: decided.index for each in entries if each.index not in refused}
        left -= found.keys()
    return found


def bad_news(entries: Sequence[Entry]) -> dict[int, BadNews]:
    """What the entries found wrong, by index; nothing of what can't be read, of which the graph took none."""
    indexes, found = sorted({entry.index for entry in entries}), dict[int, BadNews]()
    for start in range(0, len(indexes), _AT_ONCE):
        rows = Envelope.objects.filter(pk__in=indexes[start : start + _AT_ONCE])
        for index, content in rows.values_list("pk", "content"):
            news = _bad_news(bytes(content))
            if news is not None:
                found[index] = news
    return found


def _bad_news(content: bytes) -> BadNews | None:
    try:
        envelope = open_signed(content).envelope
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        known = predicates.find(parsed.predicate_type)
        return known.bad_news(parsed) if known else None
    except (MalformedError, TooLargeError):
        return None

"""The log's decisions about leaving and forgetting, as of any tree size: redactions, holds, retention.

Owns: finding them among the log's decisions, once. Does not own: their form (`trust.forgetting_decisions`),
what they mean (`redactions`, `holds`, `retention`), or deciding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

import msgspec

from lineage.db.models import Entry, Envelope, LogHead, Redaction
from lineage.errors import MalformedError, TooLargeError
from lineage.trust import decision_form, dsse, forgetting_decisions, statement
from lineage.trust.forgetting_decisions import Body, Redact

_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """One such decision.

    Attributes:
        index, digest: its own log entry, and its envelope (`sha256:…`).
        received_us: when it entered the log; microseconds, UTC.
        approver: the second person where two were needed, else "".
        body: of a redaction without its envelopes, which `envelopes` reads again.
    """

    index: int
    digest: str
    received_us: int
    person: str
    approver: str
    body: Body


_Known = tuple[int, tuple[Decided, ...]]
_known: dict[str, _Known] = {}
"""By the log's origin: the tree size up to which decisions were read, and those among them."""
_lock = Lock()
_looked_at: float | None = float("-inf")
"""When nothing was redacted yet, on the process's own clock; None: something was, which is for ever."""
LOOK_SECONDS = 1.0


def below(size: int | None = None) -> tuple[Decided, ...]:
    """Those among the first `size` entries (None: all), in log order."""
    found, end = _up_to(size)
    return tuple(each for each in found if each.index < end)


def envelopes(index: int) -> frozenset[str]:
    """Bare hex digests of the envelopes that entry `index` redacts; none where it is no redaction."""
    row = Entry.objects.filter(pk=index, kind=Entry.Kind.DECISION).values_list("envelope_digest").first()
    content = Envelope.objects.filter(pk=row[0]).values_list("content", flat=True).first() if row else None
    found = None if content is None else _read(bytes(content))
    if found is None or not isinstance(found[2], Redact):
        return frozenset()
    return frozenset(forgetting_decisions.digest_hex(each) for each in found[2].envelopes)


def any_redacted() -> bool:
    """Whether bytes have gone from this log. Asked for every statement, so it may be a second late."""
    global _looked_at  # noqa: PLW0603
    if _looked_at is None:
        return True
    now = time.monotonic()
    if now >= _looked_at + LOOK_SECONDS:
        _looked_at = None if Redaction.objects.filter(refused="").exists() else now
    return _looked_at is None


def noticed() -> None:
    """Bytes have gone just now."""
    global _looked_at  # noqa: PLW0603
    _looked_at = None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    global _looked_at  # noqa: PLW0603
    with _lock:
        _known.clear()
        _looked_at = float("-inf")


def _up_to(size: int | None) -> tuple[tuple[Decided, ...], int]:
    """What is known up to the size at least, and that size."""
    head = LogHead.objects.values_list("origin", "size").filter(pk=1).first()
    if head is None:
        return (), 0
    origin, log_size = head
    end = log_size if size is None else size
    done, found = _known.get(origin, (0, ()))
    if done < end:
        found = (*found, *_decided(done, end))
        with _lock:
            _known[origin] = (min(end, log_size), found)
    return found, end


def _decided(start: int, end: int) -> Iterator[Decided]:
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__gte=start, index__lt=end).order_by("index")
    places = list(rows.values_list("index", "envelope_digest", "received_us"))
    for first in range(0, len(places), _CHUNK):
        chunk = places[first : first + _CHUNK]
        wanted = [digest for _, digest, _ in chunk]
        contents = dict(Envelope.objects.filter(pk__in=wanted).values_list("pk", "content"))
        for index, digest, received_us in chunk:
            told = _read(bytes(contents[digest])) if digest in contents else None
            if told is not None:
                person, approver, body = told
                if isinstance(body, Redact):
                    body = msgspec.structs.replace(body, envelopes=())
                yield Decided(index, f"sha256:{digest}", received_us, person, approver, body)


def _read(content: bytes) -> tuple[str, str, Body] | None:
    """(person, approver, body) of a decision of this room; None for any other, or if it can't be read."""
    try:
        envelope = dsse.parse(content)
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        if parsed.predicate_type != decision_form.DECISION_TYPE:
            return None
        decision = decision_form.parse(parsed)
        if decision.action not in forgetting_decisions.ACTIONS:
            return None
        return decision.person, decision.approver, forgetting_decisions.read(decision, parsed)
    except (MalformedError, TooLargeError):
        return None

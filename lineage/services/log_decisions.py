"""The log's decisions that other rooms look up, as of any tree size, and which of them are still believed.

A decision counts from its own entry on, for as long as the key that decided it is believed. Where the offline
root says that the platform's key was a thief's since some time (`lineage keys replace`), what it decided
since then counts no longer, from the replacement's entry on; as of a tree size before that, it still does.

Owns: walking the log for decisions, once and incrementally, and asking the key ring whether their key is
believed. Does not own: what the decisions mean (`forgetting`, `withdrawals`, `layout_records` and others),
decisions about keys (`keyring`), or what follows for nodes (`project_entries`). A new kind is a line in
`_ROOMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

import msgspec

from lineage.db.models import Entry, Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.graph import check_policy
from lineage.services import keyring, log_head
from lineage.services.log_head import Head
from lineage.trust import (
    decision_form,
    dsse,
    forgetting_decisions,
    incident_decisions,
    layout_decisions,
    statement,
    statement_decisions,
    taint_decisions,
    verify,
)
from lineage.trust.decision_form import Decision
from lineage.trust.forgetting_decisions import Redact
from lineage.trust.policy import KeyRing
from lineage.trust.statement import Statement

FORGETTING, WITHDRAWALS, CHECK_POLICIES = "forgetting", "withdrawals", "check policies"
INCIDENTS, TAINT, LAYOUTS = "incidents", "taint", "layouts"
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Decided:
    """One such decision.

    Attributes:
        index, digest: its own log entry, and its envelope (`sha256:…`).
        received_us: when it entered the log; microseconds, UTC.
        approver: the second person where two were needed, else "".
        signer: id of the platform's key that signed it, which held the role then; "": that key did not.
        body: as its room reads it; of a redaction without its envelopes (`forgetting.envelopes`), of a layout
            without its bytes (`layout_records.content`).
    """

    index: int
    digest: str
    received_us: int
    person: str
    approver: str
    signer: str
    body: object


@dataclass(frozen=True, slots=True)
class _Room:
    name: str
    read: Callable[[Decision, Statement], object]


def _forgetting(decision: Decision, parsed: Statement) -> object:
    body = forgetting_decisions.read(decision, parsed)
    return msgspec.structs.replace(body, envelopes=()) if isinstance(body, Redact) else body


def _taint(decision: Decision, parsed: Statement) -> object:
    return decision.action, taint_decisions.read(decision, parsed)


def _layout(decision: Decision, parsed: Statement) -> object:
    return msgspec.structs.replace(layout_decisions.read(decision, parsed), data=b"")


def _check_policy(decision: Decision, parsed: Statement) -> object:
    return check_policy.parse(decision.body)


_ROOMS: Mapping[str, _Room] = MappingProxyType(
    {
        **dict.fromkeys(forgetting_decisions.ACTIONS, _Room(FORGETTING, _forgetting)),
        statement_decisions.WITHDRAW_STATEMENT: _Room(WITHDRAWALS, statement_decisions.read),
        **dict.fromkeys(incident_decisions.ACTIONS, _Room(INCIDENTS, incident_decisions.read)),
        **dict.fromkeys(taint_decisions.ACTIONS, _Room(TAINT, _taint)),
        **dict.fromkeys(layout_decisions.ACTIONS, _Room(LAYOUTS, _layout)),
        check_policy.ACTION: _Room(CHECK_POLICIES, _check_policy),
    }
)
"""By action: whose decision it is, and how its body is read."""


@dataclass(frozen=True, slots=True)
class _Known:
    """All decisions of each room below tree size `size`, in log order."""

    size: int
    rooms: Mapping[str, tuple[Decided, ...]]


_NOTHING = _Known(0, MappingProxyType({}))
_known: dict[str, _Known] = {}
"""By the log's origin."""
_lock = Lock()


def below(room: str, size: int | None = None) -> tuple[Decided, ...]:
    """A room's decisions among the first `size` entries (None: all), in log order, believed or not."""
    head = log_head.read()
    return () if head is None else _below(room, size, head)


def believed(room: str, size: int | None = None, head: Head | None = None) -> tuple[Decided, ...]:
    """Those of `below` whose key is believed to have been its owner's, as of the same tree size.

    `head`: the log's of now, where it was read already.
    """
    head = head or log_head.read()
    found = () if head is None else _below(room, size, head)
    if head is None or not found:
        return ()
    ring = _ring(head, size)
    return tuple(each for each in found if is_believed(each, ring))


def is_believed(decided: Decided, ring: KeyRing) -> bool:
    """Whether the platform's key decided it, and was not a thief's by then, as `ring` knows."""
    revoked = ring.effective.get(decided.signer, ())
    return decided.signer != "" and all(each.from_us > decided.received_us for each in revoked)


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    with _lock:
        _known.clear()


def read_one(content: bytes) -> tuple[Decision, Statement] | None:
    """The decision in an envelope, if it is one of a room here and can be read; else None. Asks no key."""
    try:
        envelope = dsse.parse(content)
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        if parsed.predicate_type != decision_form.DECISION_TYPE:
            return None
        decision = decision_form.parse(parsed)
        return (decision, parsed) if decision.action in _ROOMS else None
    except (MalformedError, TooLargeError):
        return None


def _ring(head: Head, size: int | None) -> KeyRing:
    origin, log_size, newest = head
    if size is not None and size < log_size:
        newest = Entry.objects.values_list("policy_index", flat=True).get(pk=size)
    return keyring.by_policy(origin, newest)


def _below(room: str, size: int | None, head: Head) -> tuple[Decided, ...]:
    origin, log_size, _ = head
    end = log_size if size is None else size
    known = _known.get(origin, _NOTHING)
    if known.size < end:
        known = _more(origin, known, end, log_size)
    found = known.rooms.get(room, ())
    return found if end >= known.size else tuple(each for each in found if each.index < end)


def _more(origin: str, known: _Known, end: int, log_size: int) -> _Known:
    rooms = dict(known.rooms)
    for room, decided in _decided(origin, known.size, end):
        rooms[room] = (*rooms.get(room, ()), decided)
    made = _Known(min(end, log_size), MappingProxyType(rooms))
    with _lock:
        _known[origin] = made
    return made


def _decided(origin: str, start: int, end: int) -> Iterator[tuple[str, Decided]]:
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__gte=start, index__lt=end).order_by("index")
    places = list(rows.values_list("index", "envelope_digest", "received_us", "policy_index"))
    for first in range(0, len(places), _CHUNK):
        chunk = places[first : first + _CHUNK]
        wanted = [index for index, *_ in chunk]
        contents = dict(Envelope.objects.filter(pk__in=wanted).values_list("pk", "content"))
        for index, digest, received_us, policy_index in chunk:
            content = contents.get(index)
            told = None if content is None else read_one(bytes(content))
            if content is None or told is None:
                continue
            decision, parsed = told
            room = _ROOMS[decision.action]
            try:
                body = room.read(decision, parsed)
            except (MalformedError, TooLargeError):
                continue
            signer = _signer(bytes(content), keyring.by_policy(origin, policy_index))
            who = decision.person, decision.approver
            yield room.name, Decided(index, f"sha256:{digest}", received_us, *who, signer, body)


def _signer(content: bytes, ring: KeyRing) -> str:
    """The platform's key as `ring` has it, where it signed; other signatures beside its own mean nothing."""
    holder = ring.holder("platform")
    if holder is None:
        return ""
    signed = verify.verify_envelope(dsse.parse(content), lambda _: (holder,)).verified
    return holder.key_id if holder in signed else ""

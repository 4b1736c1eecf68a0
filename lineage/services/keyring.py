"""Which keys are registered, as of any tree size: folded from the decisions in the log.

Each entry names the newest earlier decision about keys or policy, so those decisions are a linked list;
a ring is found by its newest decision, and kept, because a decision never changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from django.db import connection

from lineage.db.models import Entry, Envelope
from lineage.errors import LogIntegrityError
from lineage.services import log_head
from lineage.services.log_head import Head
from lineage.trust import believed, decisions, dsse, platform_decisions, statement, verify
from lineage.trust.policy import KeyRing, Role

_EMPTY = KeyRing()
_KEPT = 256
_rings: dict[tuple[str, int], KeyRing] = {}
_recent = _EMPTY
_firsts: dict[tuple[str, int], int] = {}
_FIRSTS_KEPT = 65_536
_lock = Lock()


def current() -> KeyRing:
    """The ring that the next entry will be judged by."""
    head = log_head.read()
    global _recent  # noqa: PLW0603 one reference, swapped whole
    _recent = _EMPTY if head is None else by_policy(head.origin, head.policy_index)
    return _recent


def recent() -> KeyRing:
    """The ring that this process saw last, without asking the database; it may lack the newest decisions.

    Enough to look for signers with: the appender judges by the current ring and verifies again where this
    one was older. Whoever is refused under it has to be tried again under `current()`.
    """
    return _recent if _recent.keys else current()


def as_of(size: int, head: Head | None = None) -> KeyRing:
    """The ring made by the decisions below tree size `size`. `head`: of now, where it was read already."""
    head = head or log_head.read()
    if head is None:
        return _EMPTY
    origin, head_size, newest = head
    if size < head_size:
        newest = Entry.objects.values_list("policy_index", flat=True).get(pk=size)
    return by_policy(origin, newest)


def by_policy(origin: str, policy_index: int) -> KeyRing:
    """The ring whose newest decision is entry `policy_index` (-1: none) of the log named `origin`.

    Raises: LogIntegrityError where an entry on the way is no decision.
    """
    pending: list[int] = []
    index, ring = policy_index, _EMPTY
    # Not under the lock: whoever reads may wait for a connection that a thread waiting for the lock holds.
    while index >= 0:
        kept = _rings.get((origin, index))
        if kept is not None:
            ring = kept
            break
        pending.append(index)
        previous = _previous(index)
        if previous >= index:
            raise LogIntegrityError(f"entry {index} names a later decision about keys as an earlier one")
        index = previous
    for index in reversed(pending):
        ring = _fold_entry(ring, index)
        _keep(origin, index, ring)
    return ring


def _keep(origin: str, index: int, ring: KeyRing) -> None:
    with _lock:
        _rings[origin, index] = ring
        while len(_rings) > _KEPT:
            del _rings[next(iter(_rings))]


def forget() -> None:
    """Drop what is kept: another log lies in the database now (a restored backup, the next test)."""
    global _recent  # noqa: PLW0603
    with _lock:
        _rings.clear()
        _firsts.clear()
        _recent = _EMPTY


def first_from(moments: Iterable[int]) -> dict[int, int]:
    """For each moment (µs, log time) the index of the first entry received then or later, where there is one.

    Once there is one it stays the first, because times never go back along the log: it is kept.
    """
    wanted = set(moments)
    if not wanted:
        return {}
    origin = log_head.origin()
    found = {at: _firsts[origin, at] for at in wanted if (origin, at) in _firsts}
    for at in wanted - set(found):
        rows = Entry.objects.filter(received_us__gte=at).order_by("received_us", "index")
        index = rows.values_list("index", flat=True).first()
        if index is None:
            continue
        found[at] = index
        # What this transaction has written may never have been.
        if not connection.in_atomic_block:
            _keep_first(origin, at, index)
    return found


def _keep_first(origin: str, at: int, index: int) -> None:
    with _lock:
        if len(_firsts) >= _FIRSTS_KEPT:
            _firsts.clear()
        _firsts[origin, at] = index


def _previous(index: int) -> int:
    return Entry.objects.values_list("policy_index", flat=True).get(pk=index)


def _fold_entry(ring: KeyRing, index: int) -> KeyRing:
    entry = Entry.objects.get(pk=index)
    content = Envelope.objects.values_list("content", flat=True).get(pk=index)
    if entry.kind != Entry.Kind.DECISION:
        raise LogIntegrityError(f"entry {index} is named as a decision about keys, but is none")
    return fold(ring, index, bytes(content), entry.received_us)


def fold(ring: KeyRing, index: int, content: bytes, received_us: int) -> KeyRing:
    """The ring after the decision whose envelope `content` is entry `index`.

    Not kept: the appender calls it inside a transaction that may still be rolled back.

    Raises: LogIntegrityError where it is no decision, or not signed by the key that holds the role it needs.
    """
    envelope = dsse.parse(content)
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    if parsed.predicate_type != decisions.DECISION_TYPE:
        raise LogIntegrityError(f"entry {index} is named as a decision about keys, but is none")
    decision = decisions.parse(parsed)
    # Entry 0 introduces the platform's key; every later decision is signed by one that is known before it.
    known = decisions.apply(ring, decision, index, received_us) if index == 0 else ring
    verified = [key.key_id for key in verify.verify_envelope(envelope, known.candidates).verified]
    role = signer_role(decision)
    holder = known.holder(role)
    if holder is None or holder.key_id not in verified:
        raise LogIntegrityError(f"decision {index} is not signed by the platform's key for it ({role})")
    return believed.fold(ring, decision, index, received_us, [holder.key_id])


def signer_role(decision: decisions.Decision) -> Role:
    """Which of the platform's keys signs such a decision: the offline root where one is replaced."""
    return "root" if decision.action == platform_decisions.REPLACE else "platform"

"""Which statements were withdrawn, and which entries that takes back, as of any tree size.

A withdrawal covers every entry with that statement, whoever signed it: those before it are not believed any
more from its own index on, those after it never were. One that a thief of the platform's key decided counts
no longer once the offline root has said so: what it took back is believed again.

Owns: what withdrawals take back. Does not own: finding them (`log_decisions`), their form
(`trust.statement_decisions`), withdrawing (`withdraw`), what follows for nodes (`project_batch`).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from threading import Lock

from lineage.db.models import Entry, Envelope
from lineage.services import entry_signers, keyring, log_decisions, trust_cutoffs
from lineage.services.log_decisions import Decided
from lineage.services.log_head import Head
from lineage.trust import statement
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing
from lineage.trust.statement_decisions import StatementDecision, digest_hex

_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One decision that took a statement back.

    Attributes:
        index, digest: its own log entry, and its envelope (`sha256:…`).
        received_us: when it entered the log; microseconds, UTC.
        statement: bare hex of the statement's digest.
        said: (log index, signer's id) of what the statement had added to the graph before.
    """

    index: int
    digest: str
    received_us: int
    person: str
    reason: str
    statement: str
    said: tuple[tuple[int, str], ...] = ()


_known: dict[tuple[str, int], Withdrawal] = {}
"""By the decision's envelope and index."""
_lock = Lock()


def below(size: int, head: Head | None = None) -> tuple[Withdrawal, ...]:
    """The withdrawals that count as of tree size `size`, in log order; of each statement the first.

    `head`: the log's of now, where it was read already.
    """
    found: dict[str, Withdrawal] = {}
    for decided in log_decisions.believed(log_decisions.WITHDRAWALS, size, head):
        each = _withdrawal(decided)
        found.setdefault(each.statement, each)
    return tuple(found.values())


def of(statement_digest: str, size: int) -> Withdrawal | None:
    """What withdrew the statement (bare hex) below tree size `size`; None: nothing did."""
    return next((each for each in below(size) if each.statement == statement_digest), None)


def entries(size: int) -> frozenset[int]:
    """Log indexes whose entries added something to the graph that is withdrawn as of tree size `size`."""
    return frozenset(index for each in below(size) for index, _ in each.said)


def entry_trust(entry: Entry, parsed: statement.Statement, ring: KeyRing, size: int) -> str:
    """As `trust_cutoffs.entry_trust`; `revoked` where the statement is withdrawn below tree size `size`."""
    return trust_among(entry, parsed, ring, statements(size))


def statements(size: int, head: Head | None = None) -> frozenset[str]:
    """The statements (bare hex) that are withdrawn below tree size `size`. `head`: as `below`."""
    return frozenset(each.statement for each in below(size, head))


def trust_among(entry: Entry, parsed: statement.Statement, ring: KeyRing, withdrawn: Container[str]) -> str:
    """As `entry_trust`, for a caller who asks of many entries: `withdrawn` is `statements`."""
    if entry.statement_digest in withdrawn:
        return trust_cutoffs.REVOKED
    return trust_cutoffs.entry_trust(entry, parsed, ring)


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    log_decisions.forget()
    with _lock:
        _known.clear()


def _withdrawal(decided: Decided) -> Withdrawal:
    known = _known.get((decided.digest, decided.index))
    if known is None:
        assert isinstance(decided.body, StatementDecision)
        value = digest_hex(decided.body.statement)
        known = Withdrawal(
            decided.index,
            decided.digest,
            decided.received_us,
            decided.person,
            decided.body.reason,
            value,
            tuple(_said(value, decided.index)),
        )
        with _lock:
            _known[decided.digest, decided.index] = known
    return known


def _said(value: str, before: int) -> Iterator[tuple[int, str]]:
    """Who said the statement first in which entry below `before`: later entries by the same added nothing."""
    heard: set[str] = set()
    rows = Entry.objects.filter(statement_digest=value, index__lt=before).order_by("index")
    for entry in rows.iterator(_CHUNK):
        signers = entry_signers.of_entry(entry, keyring.as_of(entry.index))
        if heard.issuperset(signers):
            continue
        parsed = _parsed(entry)
        if parsed is None:  # it can't be told any more who of them might say it
            yield from ((entry.index, signer) for signer in signers)
            continue
        for signer in trust_cutoffs.allowed_signers(entry, parsed):
            if signer not in heard:
                heard.add(signer)
                yield entry.index, signer


def _parsed(entry: Entry) -> statement.Statement | None:
    """None where the envelope is no longer stored."""
    content = Envelope.objects.values_list("content", flat=True).filter(pk=entry.index).first()
    if content is None:
        return None
    envelope = open_signed(bytes(content)).envelope
    return statement.parse(envelope.payload_type, envelope.payload)

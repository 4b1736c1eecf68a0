"""Which statements were withdrawn, and which entries that takes back, as of any tree size.

A withdrawal covers every entry with that statement, whoever signed it: those before it are not believed any
more from its own index on, those after it never were. Owns: finding withdrawals among the log's decisions,
once. Does not own: their form (`trust.statement_decisions`), withdrawing (`withdraw`), what follows for nodes
(`project_batch`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import MalformedError, TooLargeError
from lineage.services import entry_signers, keyring, trust_cutoffs
from lineage.trust import decision_form, dsse, statement, statement_decisions
from lineage.trust.opened import open_signed
from lineage.trust.policy import KeyRing

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


_Known = tuple[int, tuple[Withdrawal, ...]]
_known: dict[str, _Known] = {}
"""By the log's origin: the tree size up to which decisions were read, and the withdrawals among them."""
_lock = Lock()


def below(size: int) -> tuple[Withdrawal, ...]:
    """The withdrawals among the first `size` entries, in log order; of each statement the first."""
    return tuple(each for each in _up_to(size) if each.index < size)


def of(statement_digest: str, size: int) -> Withdrawal | None:
    """What withdrew the statement (bare hex) below tree size `size`; None: nothing did."""
    return next((each for each in below(size) if each.statement == statement_digest), None)


def entries(size: int) -> frozenset[int]:
    """Log indexes whose entries added something to the graph that is withdrawn as of tree size `size`."""
    return frozenset(index for each in below(size) for index, _ in each.said)


def entry_trust(entry: Entry, parsed: statement.Statement, ring: KeyRing, size: int) -> str:
    """As `trust_cutoffs.entry_trust`; `revoked` where the statement is withdrawn below tree size `size`."""
    if of(entry.statement_digest, size) is not None:
        return trust_cutoffs.REVOKED
    return trust_cutoffs.entry_trust(entry, parsed, ring)


def read(kind: str, content: bytes) -> tuple[str, str, str] | None:
    """(statement, person, reason) of an entry that withdraws; None for any other, or if it can't be read."""
    if kind != Entry.Kind.DECISION:
        return None
    try:
        envelope = dsse.parse(content)
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        if parsed.predicate_type != decision_form.DECISION_TYPE:
            return None
        decision = decision_form.parse(parsed)
        if decision.action != statement_decisions.WITHDRAW_STATEMENT:
            return None
        body = statement_decisions.read(decision, parsed)
        return statement_decisions.digest_hex(body.statement), decision.person, body.reason
    except (MalformedError, TooLargeError):
        return None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    with _lock:
        _known.clear()


def _up_to(size: int) -> tuple[Withdrawal, ...]:
    head = LogHead.objects.values_list("origin", "size").filter(pk=1).first()
    if head is None:
        return ()
    origin, log_size = head
    done, found = _known.get(origin, (0, ()))
    if done >= size:
        return found
    withdrawn = {each.statement for each in found}
    for news in _decided(done, size):
        if news.statement not in withdrawn:
            withdrawn.add(news.statement)
            found = (*found, news)
    with _lock:
        _known[origin] = (min(size, log_size), found)
    return found


def _decided(start: int, end: int) -> Iterator[Withdrawal]:
    """The withdrawals among the entries from `start` to before `end`."""
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__gte=start, index__lt=end).order_by("index")
    found = list(rows.values_list("index", "envelope_digest", "received_us"))
    for place in range(0, len(found), _CHUNK):
        chunk = found[place : place + _CHUNK]
        wanted = [digest for _, digest, _ in chunk]
        contents = dict(Envelope.objects.filter(pk__in=wanted).values_list("pk", "content"))
        for index, digest, received_us in chunk:
            told = read(Entry.Kind.DECISION, bytes(contents[digest])) if digest in contents else None
            if told is not None:
                value, person, reason = told
                said = tuple(_said(value, index))
                yield Withdrawal(index, f"sha256:{digest}", received_us, person, reason, value, said)


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
    content = Envelope.objects.values_list("content", flat=True).filter(pk=entry.envelope_digest).first()
    if content is None:
        return None
    envelope = open_signed(bytes(content)).envelope
    return statement.parse(envelope.payload_type, envelope.payload)

"""From the log to what each entry says: envelopes read again, and only what its signers might say then.

Owns: which signer's facts count, the once per statement and signer, where a batch ends. Writes nothing.
Does not own: what a predicate means (`lineage.predicates`), or statuses (`project_batch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from django.db import connection

from lineage import predicates
from lineage.db import direct
from lineage.db.digest_fields import key_text
from lineage.db.numbered_fields import kind_text
from lineage.db.packing import unpack
from lineage.errors import LogIntegrityError, MalformedError, TooLargeError
from lineage.giving_way import give_way
from lineage.graph import check_policy, sql_dialect
from lineage.graph.check_policy import CheckPolicy
from lineage.graph.model import GraphDelta, signer_key
from lineage.graph.status import Trust
from lineage.services import check_policies, entry_signers, keyring, log_head, redactions, withdrawals
from lineage.services.receipts import TRUST_BY_KIND
from lineage.services.withdrawals import Withdrawal
from lineage.trust import statement
from lineage.trust.opened import open_signed
from lineage.trust.policy import Claimed, KeyRing

MAX_BATCH_BYTES = 32 << 20
"""Envelopes' bytes in one batch; one larger envelope is a batch of its own."""

_ENTRIES = (
    'SELECT e."index", e.kind, e.statement_digest, e.received_us, e.key_ids, e.policy_index, v.content,'
    " e.envelope_digest"
    ' FROM log_entry e LEFT JOIN log_envelope v ON v.entry_id = e."index"'
    ' WHERE e."index" >= %s ORDER BY e."index" LIMIT %s'
)
_SAME = (
    'SELECT e.statement_digest, e."index", e.received_us, e.key_ids, e.policy_index FROM {digests}'
    ' CROSS JOIN log_entry e WHERE e.statement_digest = w.value ORDER BY e."index"'
)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one signer's statement adds; `signer` is the signer's node key."""

    signer: str
    delta: GraphDelta


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry, ready to be folded.

    `ring` is the key ring after the entry, `changed_keys` the signers whose registration or revocations it
    changed, `revokes` whether it revoked any, `believed_again` those of whom it took a revocation back (the
    offline root undid what a stolen platform key decided). `skipped` says why nothing could be read from it,
    else "". `policy` is the check policy after the entry, `adopts` whether it is another than before.
    `withdrawn` are the log indexes of statements taken back by then, `withdraws` who (node key) said in which
    of them what the entry takes back, or gives back; None: neither.
    """

    index: int
    received_us: int
    trust: Trust
    contributions: tuple[Contribution, ...]
    ring: KeyRing
    changed_keys: frozenset[str] = frozenset()
    revokes: bool = False
    skipped: str = ""
    policy: CheckPolicy = check_policy.DEFAULT
    adopts: bool = False
    withdrawn: frozenset[int] = frozenset()
    withdraws: tuple[tuple[str, int], ...] | None = None
    believed_again: frozenset[str] = frozenset()

    @property
    def alone(self) -> bool:
        """Whether it changes what is believed of others, or how they are judged."""
        return self.revokes or self.adopts or self.withdraws is not None or bool(self.believed_again)


@dataclass(frozen=True, slots=True)
class _Entry:
    index: int
    kind: str
    statement_digest: str
    received_us: int
    key_ids: tuple[str, ...]
    policy_index: int
    content: bytes | None  # None: redacted
    envelope_digest: str


@dataclass(frozen=True, slots=True)
class _Said:
    """That a statement was in an entry, and by whom."""

    index: int
    received_us: int
    key_ids: tuple[str, ...]
    policy_index: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What the log's decisions come to below a tree size, as far as each entry is judged by it.

    `withdrawn` as in `Judged`. It stays so until the next entry that is `alone`.
    """

    origin: str
    policy: CheckPolicy
    withdrawals: tuple[Withdrawal, ...]
    withdrawn: frozenset[int]


def standing(size: int) -> Standing:
    """That below tree size `size`."""
    policy, counting = check_policies.as_of(size), withdrawals.below(size)
    return Standing(log_head.origin(), policy, counting, withdrawals.entries(size))


def read(start: int, limit: int, known: Standing | None = None) -> list[Judged]:
    """Up to `limit` entries from index `start` on, in order. `known`: how the log stands there.

    A revocation or withdrawal comes alone: within a batch, what is believed of each signer stays the same.
    So does a check policy, which reaches every copy that is in the tables by then.

    An entry that was redacted says nothing, as if it had never; it is skipped, and the reason says so.

    Raises: LogIntegrityError where an entry is missing, or its envelope without a redaction.
    """
    entries = _entries(start, limit)
    if not entries:
        return []
    judge = _Judge(entries, known or standing(start))
    judged: list[Judged] = []
    for entry in entries:
        give_way()
        one = judge.judge(entry)
        if one.alone and judged:
            break
        judged.append(one)
        if one.alone:
            break
    return judged


def _entries(start: int, limit: int) -> list[_Entry]:
    entries: list[_Entry] = []
    size = 0
    with direct.cursor(connection) as cursor:
        cursor.execute(_ENTRIES, [start, limit])
        for index, kind, digest, received, key_ids, policy_index, stored, envelope in cursor:
            if index != start + len(entries):
                raise LogIntegrityError(f"entry {start + len(entries)} is missing")
            content = None if stored is None else unpack(bytes(stored))
            size += len(content or b"")
            if entries and size > MAX_BATCH_BYTES:
                break
            signers = tuple(key_text(key_ids).split(","))
            said = kind_text(kind), digest.hex(), received, signers, policy_index
            entries.append(_Entry(index, *said, content, envelope.hex()))
    return entries


class _Judge:
    """Judges the entries of one batch by the rings of their moments."""

    def __init__(self, entries: list[_Entry], known: Standing) -> None:
        self._origin = known.origin
        self._rings: dict[int, KeyRing] = {}
        self._same = _same_statements(entries)
        self._signers: dict[int, tuple[str, ...]] = {}
        self._policy = known.policy
        # A withdrawal is alone in its batch, so for the others those before the batch are all there are.
        self._void, self._withdrawn = known.withdrawals, known.withdrawn
        gone = [each.envelope_digest for each in entries if each.content is None]
        self._redacted = redactions.among(gone) if gone else {}

    def judge(self, entry: _Entry) -> Judged:
        if entry.content is None:
            return replace(self._gone(entry), policy=self._policy, withdrawn=self._withdrawn)
        judged = self._judged(entry)
        if entry.kind != "decision":
            return replace(judged, policy=self._policy, withdrawn=self._withdrawn)
        # What an earlier decision did may end here as well: with the belief in the key that made it.
        before, self._policy = self._policy, check_policies.as_of(entry.index + 1)
        judged = replace(judged, policy=self._policy, adopts=self._policy != before)
        after = withdrawals.below(entry.index + 1)
        if after == self._void:
            return replace(judged, withdrawn=self._withdrawn)
        taken_back, again = _said(after) - _said(self._void), _said(self._void) - _said(after)
        return replace(
            judged,
            withdrawn=withdrawals.entries(entry.index + 1),
            withdraws=tuple((signer_key(signer), index) for index, signer in sorted(taken_back | again)),
        )

    def _gone(self, entry: _Entry) -> Judged:
        redacted = self._redacted.get(entry.envelope_digest)
        if redacted is None:
            raise LogIntegrityError(f"the envelope of entry {entry.index} is missing")
        ring, why = self._ring(entry.policy_index), f"Redacted by entry {redacted.index}."
        return Judged(entry.index, entry.received_us, TRUST_BY_KIND[entry.kind], (), ring, skipped=why)

    def _judged(self, entry: _Entry) -> Judged:
        before = self._ring(entry.policy_index)
        after, changed, revokes, again = before, frozenset[str](), False, frozenset[str]()
        if entry.kind == "decision":
            after = keyring.as_of(entry.index + 1)
            changed, revokes = _changes(before, after)
            again = _believed_again(before, after)
        trust = TRUST_BY_KIND[entry.kind]
        try:
            contributions = tuple(self._contributions(entry))
        except (MalformedError, TooLargeError) as error:
            reason = f"{error.message} ({error.where})" if error.where else error.message
            told = Judged(entry.index, entry.received_us, trust, (), after, changed, revokes, reason)
            return replace(told, believed_again=again) if again else told
        told = Judged(entry.index, entry.received_us, trust, contributions, after, changed, revokes)
        return replace(told, believed_again=again) if again else told

    def _ring(self, policy_index: int) -> KeyRing:
        """The ring that judged an entry. Entry 0 registers the keys that sign it: it is judged by itself."""
        policy_index = max(policy_index, 0)
        if policy_index not in self._rings:
            self._rings[policy_index] = keyring.by_policy(self._origin, policy_index)
        return self._rings[policy_index]

    def _contributions(self, entry: _Entry) -> Iterator[Contribution]:
        if entry.content is None or any(each.statement == entry.statement_digest for each in self._void):
            return
        ring = self._ring(entry.policy_index)
        signers = [s for s in self._signed(entry, ring) if ring.in_force(s, entry.received_us) is None]
        if not signers:
            return
        envelope = open_signed(entry.content).envelope
        parsed = statement.parse(envelope.payload_type, envelope.payload)
        for key_id in signers:
            delta = predicates.project(parsed, key_id)
            claimed = predicates.claimed(parsed, delta)
            if ring.may(key_id, claimed) is None and not self._said_before(entry, key_id, claimed):
                yield Contribution(signer_key(key_id), delta)

    def _signed(self, entry: _Entry | _Said, ring: KeyRing) -> tuple[str, ...]:
        """The signers of an entry; of one with certificates they are in the index over signers."""
        if entry.index not in self._signers:
            self._signers[entry.index] = entry_signers.of(entry.index, entry.key_ids, ring)
        return self._signers[entry.index]

    def _said_before(self, entry: _Entry, key_id: str, claimed: Claimed) -> bool:
        """Whether an earlier entry already holds this statement by this signer, who might say it then."""
        for said in self._same.get(entry.statement_digest, ()):
            if said.index >= entry.index:
                return False
            ring = self._ring(said.policy_index)
            in_force = key_id in self._signed(said, ring) and not ring.in_force(key_id, said.received_us)
            if in_force and ring.may(key_id, claimed) is None:
                return True
        return False


def _said(withdrawn: Iterable[Withdrawal]) -> set[tuple[int, str]]:
    """(log index, signer's id) of all that is taken back."""
    return {said for each in withdrawn for said in each.said}


def _same_statements(entries: list[_Entry]) -> Mapping[str, list[_Said]]:
    """Every entry of the log with one of these statements, by statement digest, in log order."""
    same: dict[str, list[_Said]] = {}
    with direct.cursor(connection) as cursor:
        wanted = sorted({entry.statement_digest for entry in entries})
        vendor = connection.vendor
        cursor.execute(sql_dialect.query(_SAME, vendor), sql_dialect.listed_digests(wanted, vendor))
        for digest, index, received, key_ids, policy_index in cursor.fetchall():
            same.setdefault(digest.hex(), []).append(
                _Said(index, received, tuple(key_text(key_ids).split(",")), policy_index)
            )
    return same


def _changes(before: KeyRing, after: KeyRing) -> tuple[frozenset[str], bool]:
    """The signers that differ between two rings, and whether any of them is revoked by what is new.

    A revoked key or root revokes those that it vouched for.
    """
    revoked = {k for k, r in after.effective.items() if before.effective.get(k) != r}
    registered = {k for k, r in after.keys.items() if before.keys.get(k) != r}
    return frozenset(revoked | registered) | _believed_again(before, after), bool(revoked)


def _believed_again(before: KeyRing, after: KeyRing) -> frozenset[str]:
    """The signers of whom a revocation was taken back."""
    return frozenset(k for k, r in before.effective.items() if not set(r) <= set(after.effective.get(k, ())))

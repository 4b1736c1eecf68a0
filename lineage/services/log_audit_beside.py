"""That the log's tables hold nothing that its head does not know, nor the head what they don't hold.

Owns: what lies beside the entries that the head counts. Does not own: those entries and what belongs to them
(`log_audit_part`). Entries, head, tiles and checkpoints are written together with what they hang on, so what
is looked for first can't be ahead of what is asked then: a server that goes on is no damage.
"""

from __future__ import annotations

from django.db.models import Exists, Max, Min, Model, OuterRef

from lineage.db.models import (
    Checkpoint,
    Cosignature,
    Entry,
    EntrySigner,
    EntrySubject,
    Envelope,
    LogHead,
    PredicateType,
    Signer,
    Tile,
)
from lineage.errors import LogIntegrityError
from lineage.graph.sql_query import fetch
from lineage.services import publish
from lineage.services.publish import TILE_WIDTH

_ABOUT: tuple[tuple[type[Model], str], ...] = (
    (EntrySubject, "a subject"),
    (EntrySigner, "a signer"),
    (Envelope, "an envelope"),
)
_UNUSED_TYPE = (
    "SELECT id, name FROM log_predicate_type t"
    " WHERE NOT EXISTS (SELECT 1 FROM log_entry e WHERE e.predicate_type_id = t.id) ORDER BY id LIMIT 1"
)
_STILL_THERE = (
    'SELECT e."index" FROM log_redaction r JOIN log_entry e ON e.envelope_digest = r.envelope_digest'
    ' JOIN log_envelope v ON v.entry_id = e."index" WHERE r.refused = \'\' ORDER BY e."index" LIMIT 1'
)


def check(head: LogHead) -> None:
    """`head` as it was when the entries were read.

    Raises: LogIntegrityError.
    """
    last = Entry.objects.filter(pk=head.size - 1).first()
    if last is None:
        raise LogIntegrityError(f"entry {head.size - 1} is missing from the log")
    if last.received_us != head.last_received_us:
        raise LogIntegrityError("the log's head says another time than its last entry")
    if head.policy_index not in {max(last.policy_index, 0), last.index}:
        raise LogIntegrityError("the log's head names another newest decision about keys")
    covered = Checkpoint.objects.aggregate(first=Min("size"), last=Max("size"))
    of_rows = [(word, _reach(table, "entry_id")) for table, word in _ABOUT]
    lowest, highest = _reach(Entry, "index")
    size = LogHead.objects.values_list("size", flat=True).get(pk=1)
    if highest >= size or lowest < 0:
        stray = highest if highest >= size else lowest
        raise LogIntegrityError(f"there is an entry {stray}, but the log's head says {size} entries")
    if covered["last"] is not None and (covered["last"] > size or covered["first"] < 1):
        stray = covered["last"] if covered["last"] > size else covered["first"]
        raise LogIntegrityError(f"the log has {size} entries, but a checkpoint covers {stray}")
    for word, (low, high) in of_rows:
        if high >= size or low < 0:
            raise LogIntegrityError(
                f"there is {word} of an entry {high if high >= size else low}, which is not there"
            )
    _signers()
    _predicate_types()
    _tiles()
    _cosignatures()
    _redactions()


def _reach(table: type[Model], column: str) -> tuple[int, int]:
    found = table._default_manager.aggregate(low=Min(column), high=Max(column))
    return (0, -1) if found["high"] is None else (found["low"], found["high"])


def _signers() -> None:
    """A number is given by the first entry that needs it, in the same transaction."""
    unused = Signer.objects.exclude(Exists(EntrySigner.objects.filter(signer=OuterRef("pk"))))
    if stray := unused.order_by("pk").values_list("key_id", flat=True).first():
        raise LogIntegrityError(f"a signer {stray} is listed who signed no entry")


def _predicate_types() -> None:
    """A number is given by the first entry that needs it, in the same transaction."""
    stray = PredicateType.objects.raw(_UNUSED_TYPE)
    if found := next(iter(stray), None):
        raise LogIntegrityError(f"a predicate type {found.name} is listed that no entry has")


def _cosignatures() -> None:
    low, high = _reach(Cosignature, "size")
    if high > publish.published_size() or low < 0:
        stray = high if low >= 0 else low
        raise LogIntegrityError(f"a cosignature is of a checkpoint at {stray}, which is not there")


def _redactions() -> None:
    """Such a row is written in the transaction in which the bytes go; pages say by it that they are gone."""
    for (index,) in fetch(_STILL_THERE):
        raise LogIntegrityError(f"entry {index} is listed as redacted, but its envelope is there")


def _tiles() -> None:
    by_level = Tile.objects.order_by("level").values_list("level")
    reach = list(by_level.annotate(low=Min("number"), high=Max("number")))
    published = publish.published_size()
    for level, low, high in reach:
        full = published // TILE_WIDTH ** (level + 1)
        if low < 0 or high >= full:
            stray = high if high >= full else low
            raise LogIntegrityError(f"tile {level}/{stray} is of no entries that a checkpoint covers")

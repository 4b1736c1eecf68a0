"""Where the log stands, for people: head, newest checkpoint, verifier key, skipped entries.

Reads only. Does not own: publishing (`publish`) or serving tiles and checkpoints to clients (`api`).
"""

from __future__ import annotations

import msgspec

from lineage.db.models import Checkpoint, Entry, LogHead, SkippedEntry
from lineage.services import epoch_records, publish
from lineage.services.as_of import AsOf
from lineage.services.epoch_records import EpochRecord
from lineage.services.records import log_size

SKIPPED_SHOWN = 100


class CheckpointRecord(msgspec.Struct, frozen=True):
    """A published checkpoint; `root_hash` is lowercase hex, `note` the signed note as text."""

    size: int
    root_hash: str
    published_us: int
    note: str


class Skipped(msgspec.Struct, frozen=True):
    """An entry without effect on the graph, and why. `digest` names its envelope (`sha256:…`)."""

    index: int
    digest: str
    predicate_type: str
    reason: str


class Logbook(msgspec.Struct, frozen=True):
    """The log as of a moment. `checkpoint` is the newest at or below that size; None before the first.

    `origin` is its identity, and its first epoch's name; `epochs` are those after that, newest first.
    """

    origin: str
    epochs: tuple[EpochRecord, ...]
    verifier_key: str
    size: int
    checkpoint: CheckpointRecord | None
    kinds: dict[str, int]
    skipped: tuple[Skipped, ...]
    skipped_total: int


def read(as_of: AsOf) -> Logbook:
    """Entries of each kind, the checkpoint that covers most of them, and what the graph skipped."""
    size = log_size(as_of)
    skipped = SkippedEntry.objects.filter(index__lt=size)
    return Logbook(
        origin=LogHead.objects.values_list("origin", flat=True).get(pk=1),
        epochs=epoch_records.history(size),
        verifier_key=publish.verifier_key(),
        size=size,
        checkpoint=_checkpoint(size),
        kinds={kind: Entry.objects.filter(kind=kind, index__lt=size).count() for kind in Entry.Kind.values},
        skipped=_skipped(list(skipped.order_by("-index")[:SKIPPED_SHOWN])),
        skipped_total=skipped.count(),
    )


def _checkpoint(size: int) -> CheckpointRecord | None:
    row = Checkpoint.objects.filter(size__lte=size).order_by("-size").first()
    if row is None:
        return None
    note = bytes(row.note).decode("utf-8")
    return CheckpointRecord(row.size, row.root_hash, row.published_us, note)


def _skipped(rows: list[SkippedEntry]) -> tuple[Skipped, ...]:
    entries = Entry.objects.in_bulk([row.index for row in rows])
    return tuple(
        Skipped(
            row.index,
            f"sha256:{entries[row.index].envelope_digest}",
            entries[row.index].predicate_type,
            row.reason,
        )
        for row in rows
        if row.index in entries
    )

"""An older state of the log put back into the tests' database, as a restored backup would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lineage.db.models import (
    Checkpoint,
    Cosignature,
    Entry,
    EntrySigner,
    EntrySubject,
    Envelope,
    LogHead,
    Signer,
    Tile,
)
from lineage.services import (
    check_policies,
    forgetting,
    high_water,
    high_water_file,
    keyring,
    layout_records,
    platform_keys,
    publish,
    withdrawals,
)
from tests.integration.test_publish import lifted

TABLES = (
    *("log_head", "log_entry", "log_envelope", "log_checkpoint", "log_tile"),
    *("log_entry_subject", "log_entry_signer", "log_signer", "log_cosignature"),
)


def roll_back(size: int, *, published: int | None = None) -> None:
    """The log as it was with `size` entries, `published` of them (None: as many as a checkpoint covered).

    What this process remembers of later ones goes too: another one would be started.
    """
    with ExitStack() as stack:
        for table in TABLES:
            stack.enter_context(lifted(table))
        at = Entry.objects.get(pk=size)
        last = Entry.objects.get(pk=size - 1)
        gone = Entry.objects.filter(index__gte=size)
        EntrySubject.objects.filter(entry_id__gte=size).delete()
        EntrySigner.objects.filter(entry_id__gte=size).delete()
        Signer.objects.exclude(pk__in=EntrySigner.objects.values("signer_id")).delete()
        Envelope.objects.filter(pk__gte=size).delete()
        gone.delete()
        end = size if published is None else published
        Checkpoint.objects.filter(size__gt=end).delete()
        Cosignature.objects.filter(size__gt=end).delete()
        covered = publish.published_size()
        for tile in Tile.objects.all():
            if (tile.number + 1) * publish.TILE_WIDTH ** (tile.level + 1) > covered:
                tile.delete()
        LogHead.objects.update(size=size, last_received_us=last.received_us, policy_index=at.policy_index)
    forget()


def forget() -> None:
    """As a process that has just begun."""
    for room in (keyring, check_policies, withdrawals, forgetting, layout_records, platform_keys, high_water):
        room.forget()


@contextmanager
def kept() -> Iterator[None]:
    """A high-water file of this block's own."""
    high_water_file.path().unlink(missing_ok=True)
    high_water.forget()
    try:
        yield
    finally:
        high_water_file.path().unlink(missing_ok=True)
        high_water.forget()

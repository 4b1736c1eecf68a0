"""Storages that can't be reached: one alarm each, however many copies lie there.

Owns: reading them from `StorageState`, for those that are configured now. Does not own: noticing it (the
checks do), or how long copies may go unchecked (`graph.check_policy`).
"""

from __future__ import annotations

import msgspec

from lineage.db.models import Copy, StorageState
from lineage.services import storages


class GoneStorage(msgspec.Struct, frozen=True):
    """`since_us`: µs of the first try that failed; `reached_us` of the last that worked, 0: none did."""

    name: str
    title: str
    since_us: int
    reached_us: int
    error: str


def listed() -> list[GoneStorage]:
    """Those that are gone now, the longest first."""
    rows = StorageState.objects.filter(gone_us__gt=0).order_by("gone_us", "storage")
    found = list(rows)
    if not found:
        return []
    titles = {place.name: place.title for place in storages.listed()}
    return [
        GoneStorage(row.storage, titles[row.storage], row.gone_us, row.reached_us, row.error)
        for row in found
        if row.storage in titles
    ]


def copies_in(name: str) -> int:
    """How many copies lie in a storage."""
    return Copy.objects.filter(storage=name).count()

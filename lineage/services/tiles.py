"""The log as tlog-tiles: hash tiles and entry bundles of any size up to the published tree.

Owns: which bytes a tile has. Does not own: storing full tiles (`publish`), addresses (`api.log`).
Full hash tiles are read; partial ones are computed from the level below. Nothing beyond the newest
checkpoint is served, because nobody could check it. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from django.db import connection

from lineage.db.models import Entry
from lineage.errors import LogIntegrityError, NotFoundError
from lineage.services import publish, records
from lineage.services.publish import TILE_WIDTH, tile_root

MAX_LEVEL = 7  # 256^8 entries are beyond any log's size
HASH_BYTES = 32
_MOST_KEPT = 8192
"""Roots of tiles that are remembered: a proof needs at most 255 of each level."""

_STORED = "SELECT hashes FROM log_tile WHERE level = %s AND number = %s"
_SEVERAL = "SELECT number, hashes FROM log_tile WHERE level = %s AND number >= %s AND number <= %s"
_LEAVES = 'SELECT leaf_hash FROM log_entry WHERE "index" >= %s AND "index" < %s ORDER BY "index"'

_kept: dict[tuple[str, int, int], bytes] = {}
_lock = Lock()


def checkpoint() -> bytes:
    """The newest signed note, with the cosignatures that there are by now.

    Raises: NotFoundError before the first one.
    """
    from lineage.services import witnesses  # it reads tiles

    newest = publish.newest()
    if newest is None:
        raise NotFoundError("No checkpoint has been published yet.")
    return witnesses.cosigned(newest)


def hash_tile(level: int, number: int, width: int) -> bytes:
    """`width` hashes (1 to 256) of 32 bytes each, left to right.

    Raises: NotFoundError where the published tree does not have them; LogIntegrityError where it should, and
        the database lacks some.
    """
    _check(level, number, width)
    hashes = read(level, number, width)
    if len(hashes) != width * HASH_BYTES:
        raise LogIntegrityError(f"tile {level}/{number} can't be filled: hashes of it are missing")
    return hashes


def read(level: int, number: int, width: int, log: str | None = None) -> bytes:
    """As `hash_tile`, of a tree that is known to be published.

    `log`: the name in its checkpoint. Roots of full tiles are then made once and remembered under it, because
    a log of that name never changes them. Not for whoever looks for what was altered.
    """
    start = number * TILE_WIDTH
    if width == TILE_WIDTH:
        for (stored,) in _rows(_STORED, level, number):
            return bytes(stored)
    if level == 0:
        return b"".join(bytes(digest) for (digest,) in _rows(_LEAVES, start, start + width))
    found = {} if log is None else _remembered(log, level - 1, range(start, start + width))
    missing = [each for each in range(start, start + width) if each not in found]
    if missing:
        made = _roots(level - 1, missing[0], missing[-1])
        found |= made
        if log is not None:
            _remember(log, level - 1, made)
    return b"".join(found[each] for each in sorted(found))


def _roots(level: int, first: int, last: int) -> dict[int, bytes]:
    """The roots of the full tiles from `first` to `last` that are stored, by number."""
    return {number: tile_root(bytes(hashes)) for number, hashes in _rows(_SEVERAL, level, first, last)}


def _rows(query: str, *values: int) -> list[tuple[Any, ...]]:
    """By plain SQL: a proof asks several times, and the framework takes longer to write such a query than the
    database to answer it."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _remembered(log: str, level: int, numbers: range) -> dict[int, bytes]:
    found = {}
    for number in numbers:
        root = _kept.get((log, level, number))
        if root is not None:
            found[number] = root
    return found


def _remember(log: str, level: int, roots: Mapping[int, bytes]) -> None:
    with _lock:
        if len(_kept) + len(roots) > _MOST_KEPT:
            _kept.clear()
        _kept.update({(log, level, number): root for number, root in roots.items()})


def forget() -> None:
    """Another log lies in the database now."""
    with _lock:
        _kept.clear()


def entry_bundle(number: int, width: int) -> bytes:
    """`width` leaves (1 to 256), each after its length as a big-endian uint16.

    Raises: NotFoundError where the published tree does not have them; LogIntegrityError as `hash_tile`.
    """
    _check(0, number, width)
    start = number * TILE_WIDTH
    entries = list(Entry.objects.filter(index__gte=start, index__lt=start + width).order_by("index"))
    if len(entries) != width:
        raise LogIntegrityError(f"entry bundle {number} can't be filled: entries of it are missing")
    return b"".join(
        len(leaf).to_bytes(2, "big") + leaf for leaf in (records.leaf(entry).encode() for entry in entries)
    )


def _check(level: int, number: int, width: int) -> None:
    size = publish.published_size()
    if not (0 <= level <= MAX_LEVEL and 1 <= width <= TILE_WIDTH):
        raise NotFoundError(f"There is no tile of level {level} and width {width}.")
    available = size // TILE_WIDTH**level
    if number * TILE_WIDTH + width > available:
        raise NotFoundError(f"The published tree has {size} entries; this tile is beyond it.")

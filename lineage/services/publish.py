"""Sign a checkpoint over what has been integrated.

Owns: tiles, the compact range, the newest checkpoint. It is drawn outside of every lock, and written by one
publisher at a time, where the log and its newest checkpoint are still what it was drawn from: two can't sign
different trees of one size (docs/adr/0004-one-publisher-at-a-time.md). Does not repair: where the last
checkpoint does not agree with the log or its key, publishing stops with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from lineage.db import prepared
from lineage.db.models import Checkpoint, Entry, LogHead, Tile
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import head_memory, high_water, keyring, log_keys, platform_keys, tile_hashes
from lineage.services.clock import now_us
from lineage.services.log_keys import LogKey, LogKeys
from lineage.trust import checkpoint as notes
from lineage.trust import epochs
from lineage.trust.merkle import Frontier
from lineage.trust.policy import KeyRing
from lineage.trust.signer import Signer

TILE_WIDTH = 256
MAX_ENTRIES_A_ROUND = 50_000
_ALONE = "LOCK TABLE log_checkpoint IN SHARE ROW EXCLUSIVE MODE"
"""PostgreSQL: nobody else writes a checkpoint before this transaction ends. Readers and appends go on."""
_STANDS = (
    'SELECT h.origin, h.size, h.policy_index, (SELECT leaf_hash FROM log_entry WHERE "index" = %s),'
    " c.size, c.note FROM log_head h LEFT JOIN log_checkpoint c"
    " ON c.size = (SELECT max(size) FROM log_checkpoint) WHERE h.id = 1"
)
_COLUMNS = ("size", "root_hash", "note", "frontier", "published_us")
_PUBLISHED = "SELECT max(size) FROM log_checkpoint"
_NEWEST = (
    "SELECT size, root_hash, note, frontier, published_us FROM log_checkpoint ORDER BY size DESC LIMIT 1"
)


def verifier_key(size: int | None = None) -> str:
    """The log's public key of now as a C2SP verifier key, `name+hash+base64`.

    The name is the one that checkpoints of `size` entries carry; None: those that are still to come.
    """
    ring = keyring.recent()
    log, origin = platform_keys.one(ring, "log"), platform_keys.store().origin()
    newest = epochs.newest(origin, ring.epochs)
    epoch = newest if size is None else epochs.at(origin, ring.epochs, size)
    return notes.verifier_key(epoch.origin, log.public)


def verifier_keys() -> list[LogKey]:
    """That key and those before it, and the names before this one, newest first."""
    head = LogHead.objects.get(pk=1)
    return LogKeys(head.origin, keyring.by_policy(head.origin, head.policy_index)).all()


def newest() -> Checkpoint | None:
    rows = prepared.fetch(_NEWEST)
    return Checkpoint.from_db(connection.alias, _COLUMNS, rows[0]) if rows else None


def published_size() -> int:
    """Entries below this index are covered by a signed checkpoint."""
    return prepared.fetch(_PUBLISHED)[0][0] or 0


def publish_once() -> Checkpoint | None:
    """Sign a checkpoint if there is news; None where there is none.

    At most 50,000 entries a call, but for the first of an epoch.
    Raises: LogIntegrityError where the last checkpoint doesn't verify or is ahead of the log; RollbackError
        where the log lacks what it had published.
    """
    last = newest()
    if last is not None and LogHead.objects.values_list("size", flat=True).get(pk=1) == last.size:
        high_water.keep(last)  # whoever signed it may have been killed before this
        return None
    made = _publish()
    if made is not None:
        high_water.keep(made)
    return made


def _publish() -> Checkpoint | None:
    while (drawn := _draw()) is not None:
        with transaction.atomic(durable=True):
            if _still(drawn):
                return _write(drawn)
        # Another publisher, or a decision about keys, came first: both leave less to do.
    return None


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A checkpoint that is signed and not written yet, on what it rests, and the tiles that its leaves fill.

    `tiles` are hashes by level and number; `leaf` is the last one's hash.
    """

    head: LogHead
    last: Checkpoint | None
    made: Checkpoint
    tiles: dict[tuple[int, int], bytes]
    leaf: bytes


def _draw() -> _Drawn | None:
    """The next checkpoint, by what is committed at this moment; None where there is no news.

    Outside of every lock: entries below the head never change, so whoever appends waits for none of this.
    """
    last, seen = newest(), head_memory.now()  # before the head, which can only be ahead of both then
    head = LogHead.objects.get(pk=1)
    # Not what this process remembers: a key that the log has replaced must sign no more.
    ring = keyring.by_policy(head.origin, head.policy_index)
    frontier = _frontier(last, head, ring)
    head_memory.confirm(head, seen)
    high_water.refuse(now=True)
    start, end = frontier.size, _end(frontier.size, head.size, ring)
    return None if end == start else _signed(last, head, ring, frontier, end)


def _signed(last: Checkpoint | None, head: LogHead, ring: KeyRing, frontier: Frontier, end: int) -> _Drawn:
    """The checkpoint of `end` entries, which extends `frontier`."""
    leaves: list[bytes] = []
    tiles: dict[tuple[int, int], bytes] = {}
    for index, digest in leaf_hashes(frontier.size, end):
        if index != frontier.size:
            break
        frontier = frontier.append(digest)
        leaves.append(digest)
        _fill_tiles(index + 1, leaves, tiles)
    if frontier.size != end:
        raise LogIntegrityError(f"entry {frontier.size} is missing from the log")
    name = epochs.at(head.origin, ring.epochs, end).origin
    note = notes.sign(notes.Checkpoint(name, end, frontier.root()), *_signers(ring))
    made = Checkpoint(
        size=end,
        root_hash=frontier.root().hex(),
        note=note,
        frontier=b"".join(frontier.hashes),
        published_us=now_us(),
    )
    return _Drawn(head, last, made, tiles, leaves[-1])


def _still(drawn: _Drawn) -> bool:
    """Under the publishers' lock: whether the log and its newest checkpoint are what this one was drawn from.

    Raises: RollbackError where the log lacks what this process has seen.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_ALONE)
        seen = head_memory.now()
        cursor.execute(_STANDS, [drawn.made.size - 1])
        row = cursor.fetchone()
    if row is None:
        return False
    origin, size, policy_index, leaf, last_size, last_note = row
    head_memory.confirm(LogHead(origin=origin, size=size), seen)
    head, last = drawn.head, drawn.last
    return (
        (origin, policy_index, last_size) == (head.origin, head.policy_index, last and last.size)
        and size >= head.size
        and bytes(leaf or b"") == drawn.leaf
        and bytes(last_note or b"") == bytes(last.note if last else b"")
    )


def _write(drawn: _Drawn) -> Checkpoint:
    Tile.objects.bulk_create(
        Tile(level=level, number=number, hashes=hashes) for (level, number), hashes in drawn.tiles.items()
    )
    drawn.made.save(force_insert=True)
    return drawn.made


def _end(start: int, size: int, ring: KeyRing) -> int:
    """The size that the next checkpoint has, after one of `start`; the log has `size` entries.

    The first of an epoch covers its decision, however far that is: signing what comes before it would be one
    more tree under the name that was given up.
    """
    epoch = epochs.newest("", ring.epochs)
    return min(size, max(start + MAX_ENTRIES_A_ROUND, epoch.from_size + 1))


def _signers(ring: KeyRing) -> list[Signer]:
    """The log's key, and those before it that go on for a while and are still here."""
    earlier = set(log_keys.overlapping(ring, now_us()))
    held = platform_keys.store().held("log") if earlier else []
    return [platform_keys.one(ring, "log"), *(key for key in held if key.public.key_id in earlier)]


def _frontier(last: Checkpoint | None, head: LogHead, ring: KeyRing) -> Frontier:
    """The compact range that the next checkpoint extends, checked against the last one's signature."""
    if last is None:
        return Frontier(0, ())
    blob = bytes(last.frontier)
    frontier = Frontier(last.size, tuple(blob[i : i + 32] for i in range(0, len(blob), 32)))
    keys = LogKeys(head.origin, ring)
    try:
        signed = keys.verify(bytes(last.note), last.size)
    except LineageError as error:
        raise LogIntegrityError(f"the last checkpoint does not verify: {error.message}") from None
    if (signed.origin, signed.size, signed.root) != (keys.name(last.size), last.size, frontier.root()):
        raise LogIntegrityError(f"the checkpoint at {last.size} contradicts the log; publishing stops")
    if last.size > head.size:
        raise LogIntegrityError(f"the log has {head.size} entries, but a checkpoint covers {last.size}")
    return frontier


def leaf_hashes(start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Index and stored leaf hash of the entries from `start` to before `end`, in order."""
    rows = Entry.objects.filter(index__gte=start, index__lt=end).order_by("index")
    for index, digest in rows.values_list("index", "leaf_hash").iterator(chunk_size=2000):
        yield index, bytes(digest)


def _fill_tiles(size: int, leaves: Sequence[bytes], tiles: dict[tuple[int, int], bytes]) -> None:
    """Add to `tiles` those that the entry just below `size` has filled, from the leaves upwards.

    `leaves` are the hashes of the newest entries, up to that one. What is below them is stored.
    """
    level, count = 0, size
    while count % TILE_WIDTH == 0:
        number = count // TILE_WIDTH - 1
        start = number * TILE_WIDTH
        if level == 0:
            missing = max(0, TILE_WIDTH - len(leaves))
            hashes = [digest for _, digest in leaf_hashes(start, start + missing)]
            hashes += leaves[-TILE_WIDTH:]
        else:
            hashes = [tile_root(tile) for tile in _tiles(level - 1, start, tiles)]
        if len(hashes) != TILE_WIDTH:
            raise LogIntegrityError(f"tile {level}/{number} can't be filled: {len(hashes)} hashes are there")
        tiles[level, number] = b"".join(hashes)
        level, count = level + 1, count // TILE_WIDTH


def _tiles(level: int, start: int, filled: Mapping[tuple[int, int], bytes]) -> Iterator[bytes]:
    """A tile's width of stored and newly filled tiles from `start` on, in order, as far as they are there."""
    rows = Tile.objects.filter(level=level, number__gte=start, number__lt=start + TILE_WIDTH)
    stored = {number: bytes(hashes) for number, hashes in rows.values_list("number", "hashes")}
    for number in range(start, start + TILE_WIDTH):
        tile = filled.get((level, number)) or stored.get(number)
        if tile is not None:
            yield tile


class FullTiles:
    """Tiles as leaves come one by one, from the first on: what fills one, on every level."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = []
        self._size = 0

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """One more leaf hash. Gives the tiles that it fills: level, number and hashes, the lowest first."""
        self._size += 1
        level, digest = 0, leaf
        while True:
            if level == len(self._levels):
                self._levels.append([])
            row = self._levels[level]
            row.append(digest)
            if len(row) < TILE_WIDTH:
                return
            hashes = b"".join(row)
            row.clear()
            yield level, self._size // TILE_WIDTH ** (level + 1) - 1, hashes
            level, digest = level + 1, tile_root(hashes)


def tile_root(hashes: bytes) -> bytes:
    """The hash that stands for a full tile one level up."""
    return tile_hashes.rows(hashes)[-1]

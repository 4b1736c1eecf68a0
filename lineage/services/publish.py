"""Sign a checkpoint over what has been integrated.

Owns: tiles, the compact range, the newest checkpoint. One transaction reads the last checkpoint and writes
the next under the write lock, so two publishers can't sign different trees of one size. Does not repair:
where the last checkpoint does not agree with the log or its key, publishing stops with an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction

from lineage.db.models import Checkpoint, Entry, LogHead, Tile
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import head_memory, high_water, keyring, log_keys, platform_keys
from lineage.services.clock import now_us
from lineage.services.log_keys import LogKey, LogKeys
from lineage.trust import checkpoint as notes
from lineage.trust import epochs
from lineage.trust.merkle import Frontier, node_hash
from lineage.trust.policy import KeyRing
from lineage.trust.signer import Signer

TILE_WIDTH = 256
MAX_ENTRIES_A_ROUND = 50_000
_COLUMNS = ("size", "root_hash", "note", "frontier", "published_us")
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
    # Plain SQL: every proof asks, and the framework takes longer to write the query than the database to
    # answer it.
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        row = cursor.fetchone()
    return None if row is None else Checkpoint.from_db(connection.alias, _COLUMNS, row)


def published_size() -> int:
    """Entries below this index are covered by a signed checkpoint."""
    return Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0


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
    with transaction.atomic(durable=True):
        head = LogHead.objects.select_for_update().get(pk=1)
        last = newest()
        # Not what this process remembers: a key that the log has replaced must sign no more.
        ring = keyring.by_policy(head.origin, head.policy_index)
        frontier = _frontier(last, head, ring)
        head_memory.confirm(head)
        high_water.refuse(now=True)
        end = _end(frontier.size, head.size, ring)
        if end == frontier.size:
            return None
        for index, digest in leaf_hashes(frontier.size, end):
            if index != frontier.size:
                raise LogIntegrityError(f"entry {frontier.size} is missing from the log")
            frontier = frontier.append(digest)
            _write_full_tiles(index + 1)
        name = epochs.at(head.origin, ring.epochs, frontier.size).origin
        checkpoint = notes.Checkpoint(name, frontier.size, frontier.root())
        note = notes.sign(checkpoint, *_signers(ring))
        return Checkpoint.objects.create(
            size=frontier.size,
            root_hash=frontier.root().hex(),
            note=note,
            frontier=b"".join(frontier.hashes),
            published_us=now_us(),
        )


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


def _write_full_tiles(size: int) -> None:
    """Store the tiles that the entry just below `size` has filled, from the leaves upwards."""
    level, count = 0, size
    while count % TILE_WIDTH == 0:
        number = count // TILE_WIDTH - 1
        start = number * TILE_WIDTH
        if level == 0:
            hashes = [digest for _, digest in leaf_hashes(start, start + TILE_WIDTH)]
        else:
            rows = Tile.objects.filter(level=level - 1, number__gte=start, number__lt=start + TILE_WIDTH)
            hashes = [
                tile_root(bytes(row)) for row in rows.order_by("number").values_list("hashes", flat=True)
            ]
        if len(hashes) != TILE_WIDTH:
            raise LogIntegrityError(f"tile {level}/{number} can't be filled: {len(hashes)} hashes are there")
        Tile.objects.create(level=level, number=number, hashes=b"".join(hashes))
        level, count = level + 1, count // TILE_WIDTH


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
    row = [hashes[i : i + 32] for i in range(0, len(hashes), 32)]
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]

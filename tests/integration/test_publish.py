"""Checkpoints over what has been integrated: signed, extending each other, stopping at a contradiction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from lineage.db.models import Checkpoint, Entry, LogHead, Tile
from lineage.errors import ConfigurationError, LogIntegrityError
from lineage.services import follow, intake, platform_keys, publish
from lineage.trust import checkpoint as notes
from lineage.trust.keys import generate_ed25519
from lineage.trust.merkle import leaf_hash, node_hash
from tests import factories

pytestmark = pytest.mark.usefixtures("log")


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, written down once more and slowly."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(plain_root(leaves[:split]), plain_root(leaves[split:]))


def root_of_log(size: int) -> bytes:
    return plain_root([bytes(e.leaf_hash) for e in Entry.objects.order_by("index")[:size]])


def add(count: int, signer: factories.Signer | None = None) -> None:
    signer = signer or factories.registered()
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(count)], token="t")


def test_a_checkpoint_covers_all_that_is_integrated() -> None:
    add(5)
    made = publish.publish_once()
    assert made is not None
    signed = notes.verify(bytes(made.note), publish.verifier_key())
    assert signed.origin == platform_keys.load().origin
    assert signed.size == made.size == Entry.objects.count()
    assert signed.root == root_of_log(made.size)


def test_without_news_there_is_no_checkpoint() -> None:
    assert publish.publish_once() is not None
    assert publish.publish_once() is None
    assert Checkpoint.objects.count() == 1


def test_checkpoints_extend_each_other_across_tiles() -> None:
    for count in (1, 253, 1, 1, 255, 30):
        add(count)
        made = publish.publish_once()
        assert made is not None
        assert bytes.fromhex(made.root_hash) == root_of_log(made.size)
    size = Entry.objects.count()
    tiles = Tile.objects.filter(level=0).order_by("number")
    assert [t.number for t in tiles] == list(range(size // 256))
    leaves = b"".join(bytes(e.leaf_hash) for e in Entry.objects.order_by("index"))
    assert b"".join(bytes(t.hashes) for t in tiles) == leaves[: size // 256 * 8192]


def test_higher_tiles_hold_the_roots_of_the_lower() -> None:
    row = [leaf_hash(bytes([i])) for i in range(256)]
    assert publish.tile_root(b"".join(row)) == plain_root(row)


def test_a_long_backlog_is_published_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MAX_ENTRIES_A_ROUND", 4)
    add(8)
    sizes = []
    while (made := publish.publish_once()) is not None:
        sizes.append(made.size)
    assert sizes[-1] == Entry.objects.count()
    assert all(later - earlier <= 4 for earlier, later in zip([0, *sizes], sizes, strict=False))
    assert bytes.fromhex(Checkpoint.objects.order_by("-size")[0].root_hash) == root_of_log(sizes[-1])


def _publish_and_add(signer: factories.Signer) -> None:
    publish.publish_once()
    add(3, signer)


@pytest.mark.parametrize(
    ("meanwhile", "sizes"),
    [
        (lambda signer: None, [4]),
        (lambda signer: add(3, signer), [4]),
        (lambda signer: publish.publish_once(), [4]),
        (_publish_and_add, [4, 7]),
        (lambda signer: factories.registered(), [5]),
    ],
    ids=["nothing", "entries", "published", "published, then entries", "keys"],
)
def test_what_came_after_it_was_drawn(
    meanwhile: Callable[[factories.Signer], object], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries change nothing of it; another checkpoint, and a decision about keys, make it worthless."""
    signer = factories.registered()
    add(2, signer)
    real = publish._draw

    def draw() -> publish._Drawn | None:
        drawn = real()
        monkeypatch.setattr(publish, "_draw", real)
        meanwhile(signer)
        return drawn

    monkeypatch.setattr(publish, "_draw", draw)
    publish.publish_once()
    made = Checkpoint.objects.order_by("size")
    assert [each.size for each in made] == sizes
    assert [bytes.fromhex(each.root_hash) for each in made] == [root_of_log(size) for size in sizes]


def test_a_steady_stream_is_published_as_it_was_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MAX_ENTRIES_A_ROUND", 4)
    add(8)
    size, once = Entry.objects.count(), publish.publish_once

    def and_one_more_came() -> Checkpoint | None:
        made = once()
        add(1)
        return made

    monkeypatch.setattr(publish, "publish_once", and_one_more_came)
    follow.publish()
    assert size <= publish.published_size() < Entry.objects.count()


@contextmanager
def lifted(table: str) -> Iterator[None]:
    """As for somebody who holds the database: the table's triggers are gone in the block."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            return
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table]
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        yield
        for _, create in triggers:
            cursor.execute(create)


def blank_frontier() -> None:
    Checkpoint.objects.update(frontier=bytes(len(Checkpoint.objects.get().frontier)))


def other_note() -> None:
    note = bytes(Checkpoint.objects.get().note)
    Checkpoint.objects.update(note=note.replace(b"lineage/", b"lineagf/"))


@pytest.mark.parametrize(
    ("table", "tamper", "says"),
    [
        ("log_checkpoint", blank_frontier, "contradicts"),
        ("log_checkpoint", other_note, "does not verify"),
        ("log_head", lambda: LogHead.objects.update(size=2), "covers"),
        ("log_entry", lambda: Entry.objects.filter(index=7)._raw_delete("default"), "missing"),
    ],
)
def test_publishing_stops_where_the_log_was_altered(
    table: str, tamper: Callable[[], object], says: str
) -> None:
    add(4)
    publish.publish_once()
    add(3)
    with lifted(table):
        tamper()
    before = Checkpoint.objects.count()
    with pytest.raises(LogIntegrityError, match=says):
        publish.publish_once()
    assert Checkpoint.objects.count() == before


def test_publishing_stops_under_another_log_key(key_folder: Path) -> None:
    publish.publish_once()
    add(1)
    text = (key_folder / "log.pem").read_bytes()
    (key_folder / "log.pem").write_bytes(text.partition(b"\n")[0] + b"\n" + generate_ed25519().to_pem())
    platform_keys.forget()
    with pytest.raises(ConfigurationError, match="not the log key"):
        publish.publish_once()
    assert Checkpoint.objects.count() == 1


def test_a_checkpoint_by_another_key_stops_publishing() -> None:
    made = publish.publish_once()
    assert made is not None
    said = notes.Checkpoint(platform_keys.load().origin, made.size, bytes.fromhex(made.root_hash))
    add(1)
    with lifted("log_checkpoint"):
        Checkpoint.objects.update(note=notes.sign(said, generate_ed25519()))
    with pytest.raises(LogIntegrityError, match="does not verify"):
        publish.publish_once()

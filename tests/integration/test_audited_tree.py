"""What is done to tiles, checkpoints and cosignatures is named by the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lineage.config import current
from lineage.db.log import Checkpoint, LogHead
from lineage.db.models import Cosignature
from lineage.services import kept_cosignatures, log_audit, platform_keys, publish
from lineage.trust import checkpoint as notes
from lineage.trust import cosignature
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import generate_ed25519
from lineage.witness_settings import Witness
from tests.integration.thefts import ROWS, Steal, Theft, as_thief, full, grown, named, printed, small

__all__ = ["full", "printed", "small"]


def _tile(steal: Steal) -> str:
    steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 0", b"\0" * 8192)
    return "tile 0/0 is not of the log's leaves"


def _no_tile(steal: Steal) -> str:
    steal("DELETE FROM log_tile")
    return "tile 0/0 is missing"


def _tile_more(steal: Steal) -> str:
    steal("INSERT INTO log_tile (level, number, hashes) VALUES (0, 9, %s)", b"\0" * 8192)
    return "tile 0/9 is of no entries"


def _note(steal: Steal) -> str:
    size = publish.published_size()
    steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", b"rubbish\n", size)
    return f"the checkpoint at {size} does not verify"


def _note_by_own_key(steal: Steal) -> str:
    """Signed by the log's own key, over another root."""
    size, head = publish.published_size(), LogHead.objects.get(pk=1)
    note = notes.sign(notes.Checkpoint(head.origin, size, b"\1" * 32), platform_keys.load().log)
    steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", note, size)
    return f"the checkpoint at {size} was signed over other entries"


def _beside_note(steal: Steal) -> str:
    size = publish.published_size()
    steal("UPDATE log_checkpoint SET root_hash = %s WHERE size = %s", "00" * 32, size)
    return f"what is stored beside the checkpoint at {size}"


TILES: dict[str, Theft] = {
    "a tile altered": _tile,
    "tiles deleted": _no_tile,
    "a tile inserted": _tile_more,
}

CHECKPOINTS: dict[str, Theft] = {
    "a checkpoint's note exchanged": _note,
    "a checkpoint signed anew with the log's own key": _note_by_own_key,
    "a checkpoint's stored root exchanged": _beside_note,
}


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("what", TILES)
def test_it_names_what_was_altered_of_tiles(what: str) -> None:
    named(what, TILES[what])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("what", CHECKPOINTS)
def test_it_names_what_was_altered_of_checkpoints(what: str) -> None:
    named(what, CHECKPOINTS[what])


@pytest.mark.usefixtures("log")
def test_another_log_key_is_found() -> None:
    """The log's own key has to be one that the log's decisions name."""
    grown(10)
    size, head = publish.published_size(), LogHead.objects.get(pk=1)
    row = Checkpoint.objects.get(pk=size)
    root = bytes.fromhex(row.root_hash)
    note = notes.sign(notes.Checkpoint(head.origin, size, root), generate_ed25519())
    with as_thief() as steal:
        steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", note, size)
    found = log_audit.audit().wrong
    assert f"the checkpoint at {size} does not verify" in found
    ROWS.append(f"| a checkpoint signed by a key from an exchanged key file | {found} |")


@pytest.fixture
def witness(log: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
    """A configured witness: call it with a note for its signature line."""
    key, name = generate_ed25519(), "witness.example/w1"
    raw = key.public.raw_ed25519()
    hashed = cosignature.key_hash(name, raw)
    told = Witness(f"{name}+{hashed.hex()}+{encode_base64(bytes([4]) + raw)}", "https://witness.example")
    monkeypatch.setattr(kept_cosignatures, "current", lambda: replace(current(), witnesses=(told,)))

    def sign(note: bytes) -> bytes:
        body, _ = notes.split_note(note)
        signed = hashed + AT.to_bytes(8, "big") + key.sign(cosignature.message(body, AT))
        return f"\u2014 {name} {encode_base64(signed)}\n".encode()

    newest = publish.newest() or publish.publish_once()
    assert newest is not None
    Cosignature.objects.create(
        size=newest.size,
        witness=name,
        key_hash=hashed.hex(),
        line=sign(bytes(newest.note)),
        at_us=AT * 1_000_000,
    )
    return sign


AT = 1_750_000_000


def test_cosignatures_that_are_kept_are_verified(
    witness: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = log_audit.audit()
    assert (report.wrong, report.cosignatures, report.strangers) == ("", 1, 0)
    assert "1 cosignatures of witnesses" in report.sentence()
    newest, head = publish.newest(), LogHead.objects.get(pk=1)
    assert newest is not None
    other = notes.sign(notes.Checkpoint(head.origin, newest.size, b"\1" * 32), platform_keys.load().log)
    thefts: tuple[tuple[str, str, object, str], ...] = (
        ("exchanged", "line", witness(other), "does not verify"),
        ("with another time", "at_us", 5, "is not what it says"),
        ("moved to another size", "size", 2, "which is not there"),
    )
    for what, column, value, expected in thefts:
        before = Cosignature.objects.values_list(column, flat=True).get()
        with as_thief() as steal:
            steal(f"UPDATE log_cosignature SET {column} = %s", value)
        found = log_audit.audit().wrong
        assert expected in found
        ROWS.append(f"| a cosignature {what} | {found} |")
        with as_thief() as steal:
            steal(f"UPDATE log_cosignature SET {column} = %s", before)
    monkeypatch.setattr(kept_cosignatures, "current", lambda: replace(current(), witnesses=()))
    report = log_audit.audit()
    assert (report.wrong, report.cosignatures, report.strangers) == ("", 0, 1)
    assert "could not be verified: their witness is not configured" in report.sentence()

"""What is typed or asked for: addresses of tiles, verifier keys; and two files about the log's own past."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from api import tile_place
from lineage.errors import NotFoundError
from lineage.trust import checkpoint, cosignature, decision_form, epoch_decisions, high_water, statement
from lineage.trust.dsse import INTOTO_PAYLOAD_TYPE
from tests import tlog_checker
from tests.fuzz.log import SIGNED
from tests.fuzz.target import REFUSALS, Target, strict_json
from tests.fuzz.witness import COSIGNERS
from tests.unit.trust.test_tlog_proof import KEY, LOG, NOTE, ORIGIN


def run_tile_path(data: bytes) -> bool:
    """As Django hands it over. Each tile has one address, and each address is one tile's."""
    text = data.decode("utf-8", "replace")
    number = int.from_bytes(data[:7], "big")  # and any number has an address that is read
    width = 1 + sum(data) % tile_place.TILE_WIDTH
    assert tile_place.parse(tlog_checker.place(number, width)) == (number, width)
    try:
        number, width = tile_place.parse(text)
    except NotFoundError:
        return False
    assert 0 <= number < 10**tile_place.MAX_DIGITS
    assert 1 <= width <= 256
    assert tlog_checker.place(number, width) == text, "a second address of one tile"
    return True


def run_verifier_key(data: bytes) -> bool:
    """As `--root` and `--witness` take it: one spelling but for white space around; the hash is its own."""
    text = data.decode("utf-8", "surrogateescape")
    read = False
    try:
        name, hashed, _ = checkpoint.parse_verifier_key(text)
    except REFUSALS:
        pass
    else:
        assert _described(text) == (name, hashed, 1, 32)
        read = True
    try:
        witness = cosignature.parse_witness_key(text)
    except REFUSALS:
        return read
    assert not read, "one key for checkpoints and for cosignatures"
    size = {4: 32, 6: 1_312}[witness.kind[0]]
    assert _described(text) == (witness.name, witness.key_hash, witness.kind[0], size)
    return True


def _described(text: str) -> tuple[str, bytes, int, int]:
    """Name, key hash, type and bytes of the key in a good verifier key; its hash is computed anew."""
    name, hashed, encoded = text.strip().split("+", 2)
    typed = b64decode(encoded, validate=True)
    assert sha256(name.encode() + b"\n" + typed).hexdigest()[:8] == hashed, "another key's hash"
    assert b64encode(typed).decode() == encoded, "a second spelling"
    assert not any(c.isspace() for c in name)
    return name, bytes.fromhex(hashed), typed[0], len(typed) - 1


def run_high_water(data: bytes) -> bool:
    try:
        read = high_water.parse(data)
    except REFUSALS:
        return False
    assert read.encode() == data, "accepted, though it is not the file's one form"
    head, _, note = data.partition(b"\n\n")
    assert (read.note, head.count(b"\n")) == (note, 2)
    assert note.decode().split("\n")[:3] == [read.origin, f"{read.size}", b64encode(read.root).decode()]
    assert read.size > 0 < read.from_size
    return True


def run_new_epoch(data: bytes) -> bool:
    """The body of new-epoch: what it says was lost is what the note in it says."""
    try:
        body = epoch_decisions.read_body(data)
    except REFUSALS:
        return False
    told = strict_json(data)
    lost = told["lost"]
    lines = lost["note"].split("\n")[:3]
    assert lines == [lost["origin"], lost["size"], b64encode(bytes.fromhex(lost["root"])).decode()]
    assert (told["epoch"], told["before"], told["fromSize"], told["reason"]) == (
        f"{body.epoch}", f"{body.before}", f"{body.from_size}", body.reason,
    )  # fmt: skip
    assert 1 <= body.before < body.epoch
    assert body.began().lost.root.hex() == lost["root"]
    again = decision_form.parse(statement.parse(INTOTO_PAYLOAD_TYPE, epoch_decisions.build("p", 0, body)))
    assert epoch_decisions.read_body(again.body) == body
    return True


def places() -> Sequence[bytes]:
    numbers = ((0, 256), (5, 8), (999, 256), (1_000, 1), (1_234_067, 255), (123_456_789_012, 256))
    return [tlog_checker.place(number, width).encode() for number, width in numbers]


def verifier_keys() -> Sequence[bytes]:
    named = checkpoint.verifier_key("lineage/0123/epoch-2", LOG.public)
    return [KEY.encode(), named.encode(), *(each.verifier_key.encode() for each in COSIGNERS)]


def files() -> Sequence[bytes]:
    made = ((1_767_225_600_000_000, 3), (0, 1), (-1, (1 << 63) - 1))
    return [high_water.of_note(NOTE, since_us=since, from_size=first).encode() for since, first in made]


def epochs() -> Sequence[bytes]:
    size, root = SIGNED.decode().split("\n")[1:3]
    lost = epoch_decisions.LostBody(ORIGIN, int(size), b64decode(root).hex(), NOTE.decode())
    made = epoch_decisions.NewEpoch(epoch=2, before=1, from_size=3, lost=lost, reason="the disk was swapped")
    return [msgspec.json.encode(made), msgspec.json.encode(msgspec.structs.replace(made, epoch=9, before=4))]


TILE_PATH = Target(name="tile-path", run=run_tile_path, seeds=places, vectors=(), inputs=1_000)
VERIFIER_KEY = Target(name="verifier-key", run=run_verifier_key, seeds=verifier_keys, vectors=(), inputs=500)
HIGH_WATER = Target(name="high-water", run=run_high_water, seeds=files, vectors=(), inputs=500)
NEW_EPOCH = Target(name="new-epoch", run=run_new_epoch, seeds=epochs, vectors=(), inputs=500)
TARGETS = (TILE_PATH, VERIFIER_KEY, HIGH_WATER, NEW_EPOCH)

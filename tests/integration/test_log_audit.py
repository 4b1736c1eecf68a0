"""The audit reads the whole log, and names the first thing that somebody altered in the database itself.

`pytest -s` prints the table of what was done and what the audit says of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from django.db import connection

from lineage.cli.log import command as log_command
from lineage.config import current
from lineage.db.digest_fields import packed
from lineage.db.log import Checkpoint, Entry, LogHead
from lineage.db.models import Cosignature
from lineage.db.numbered_fields import kind_number
from lineage.db.packing import pack
from lineage.errors import MalformedError
from lineage.services import (
    head_memory,
    high_water,
    intake,
    kept_cosignatures,
    keyring,
    log_audit,
    platform_keys,
    publish,
    records,
    redact,
)
from lineage.trust import checkpoint as notes
from lineage.trust import cosignature
from lineage.trust.dsse import encode_base64
from lineage.trust.keys import generate_ed25519
from lineage.trust.merkle import leaf_hash
from lineage.witness_settings import Witness
from tests import factories
from tests.integration.projections import RandomLog
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log")
FULL = 300
"""Entries: more than one tile's worth."""
ROWS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print("\n\n| in the database | the audit says |\n|---|---|")
    print("\n".join(ROWS))


TABLES = (
    "log_head",
    "log_entry",
    "log_envelope",
    "log_entry_subject",
    "log_entry_signer",
    "log_signer",
    "log_predicate_type",
    "log_tile",
    "log_checkpoint",
    "log_cosignature",
)


@contextmanager
def as_thief() -> Iterator[Callable[..., None]]:
    """Send SQL past the triggers that keep the log, as the database's owner can; they are back after it."""
    with ExitStack() as stack:
        for each in TABLES:
            stack.enter_context(lifted(each))
        with connection.cursor() as cursor:
            yield lambda sql, *values: cursor.execute(sql, values)


def grown(count: int) -> None:
    RandomLog(3).grow(count)
    while publish.publish_once() is not None:
        pass


def test_a_whole_log_agrees_with_itself() -> None:
    grown(40)
    factories.registered()
    assert publish.publish_once() is not None
    RandomLog(4).grow(5)
    head = LogHead.objects.get(pk=1)
    seen: list[int] = []
    report = log_audit.audit(report=lambda done, total: seen.append(done))
    assert report.wrong == ""
    assert (report.start, report.size, report.read, report.redacted) == (0, head.size, head.size, 0)
    assert report.checkpoints == Checkpoint.objects.count()
    assert report.published == publish.published_size() < head.size
    assert "agrees with itself" in report.sentence()
    assert log_audit.audit(start=head.size - 3).root_hash == report.root_hash


def test_a_part_is_read_with_the_leaves_before_it() -> None:
    grown(20)
    size = LogHead.objects.get(pk=1).size
    report = log_audit.audit(start=size - 5)
    assert (report.wrong, report.read, report.start) == ("", 5, size - 5)
    assert log_audit.audit(start=size).wrong == ""
    with pytest.raises(MalformedError, match="can't begin at"):
        log_audit.audit(start=size + 1)


def _attestation(number: int = 5) -> Entry:
    return list(Entry.objects.filter(kind="attestation").order_by("index"))[number]


def _other_bytes(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal(
        "UPDATE log_envelope SET content = %s WHERE entry_id = %s",
        pack(b'{"payload":""}'),
        entry.index,
    )
    return f"the envelope of entry {entry.index} is not the one"


def _broken_frame(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal(
        "UPDATE log_envelope SET content = %s WHERE entry_id = %s",
        b"\x28\xb5\x2f\xfd\x20\x10broken",
        entry.index,
    )
    return f"entry {entry.index}: a stored envelope can't be unpacked"


def _no_envelope(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal("DELETE FROM log_envelope WHERE entry_id = %s", entry.index)
    return f"the envelope of entry {entry.index} is missing, and no decision redacted it"


def _one_envelope_more(steal: Callable[..., None]) -> str:
    steal("INSERT INTO log_envelope (entry_id, content) VALUES (%s, %s)", 900, b"{}")
    return "there is an envelope of an entry 900, which is not there"


def _envelopes_swapped(steal: Callable[..., None]) -> str:
    one, other = _attestation(5).index, _attestation(6).index
    for old, new in ((one, -1), (other, one), (-1, other)):
        steal("UPDATE log_envelope SET entry_id = %s WHERE entry_id = %s", new, old)
    return f"the envelope of entry {one} is not the one"


def _field(column: str, value: Any, says: str) -> Callable[[Callable[..., None]], str]:
    def alter(steal: Callable[..., None]) -> str:
        entry = _attestation()
        steal(f'UPDATE log_entry SET {column} = %s WHERE "index" = %s', value, entry.index)
        return says.format(entry.index)

    return alter


def _other_time(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal('UPDATE log_entry SET received_us = received_us - 1 WHERE "index" = %s', entry.index)
    return f"entry {entry.index}"


def _deleted(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal('DELETE FROM log_entry WHERE "index" = %s', entry.index)
    return f"entry {entry.index} is missing"


def _swapped(steal: Callable[..., None]) -> str:
    one, two = _attestation(5), _attestation(6)
    for index, to in ((one.index, -7), (two.index, one.index), (-7, two.index)):
        steal('UPDATE log_entry SET "index" = %s WHERE "index" = %s', to, index)
    return f"entry {one.index}"


def _cut_off(steal: Callable[..., None]) -> str:
    last = Entry.objects.order_by("-index")[0]
    steal('DELETE FROM log_entry WHERE "index" = %s', last.index)
    return f"entry {last.index} is missing"


def _cut_off_with_head(steal: Callable[..., None]) -> str:
    last, before = Entry.objects.order_by("-index")[:2]
    steal('DELETE FROM log_entry WHERE "index" = %s', last.index)
    steal(
        "UPDATE log_head SET size = %s, last_received_us = %s, policy_index = %s",
        last.index,
        before.received_us,
        last.policy_index,
    )
    return "but a checkpoint covers"


def _replayed(steal: Callable[..., None]) -> str:
    last = Entry.objects.order_by("-index")[0]
    steal(
        'INSERT INTO log_entry ("index", kind, envelope_digest, statement_digest, received_us, key_ids,'
        " policy_index, leaf_hash, predicate_type_id) SELECT %s, kind, %s, statement_digest, received_us,"
        ' key_ids, policy_index, leaf_hash, predicate_type_id FROM log_entry WHERE "index" = %s',
        last.index + 1,
        b"\xcd" * 32,
        last.index,
    )
    return f"there is an entry {last.index + 1}"


def _kind(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal('UPDATE log_entry SET kind = 2 WHERE "index" = %s', entry.index)
    return f"the fields of entry {entry.index}"


def _leaf_too(steal: Callable[..., None]) -> str:
    """As `_kind`, and the leaf made to fit."""
    entry = _attestation()
    entry.kind = Entry.Kind.OBSERVATION
    steal(
        'UPDATE log_entry SET kind = %s, leaf_hash = %s WHERE "index" = %s',
        kind_number(entry.kind),
        leaf_hash(records.leaf(entry).encode()),
        entry.index,
    )
    return f"entry {entry.index}, observation, is not signed by a key of the platform"


def _subjects(steal: Callable[..., None]) -> str:
    entry = Entry.objects.filter(subjects__isnull=False, kind="attestation").order_by("index")[3]
    steal("UPDATE log_entry_subject SET digest = %s WHERE entry_id = %s", packed("sha256:00"), entry.index)
    return f"entry {entry.index} is listed under other subjects"


def _subject_twice(steal: Callable[..., None]) -> str:
    entry = Entry.objects.filter(subjects__isnull=False, kind="attestation").order_by("index")[3]
    steal(
        "INSERT INTO log_entry_subject (entry_id, position, digest, name)"
        " SELECT entry_id, position + 50, digest, name FROM log_entry_subject WHERE entry_id = %s",
        entry.index,
    )
    return f"entry {entry.index} is listed under other subjects"


def _signers(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal("DELETE FROM log_entry_signer WHERE entry_id = %s", entry.index)
    return f"entry {entry.index} is listed under other signers"


def _other_signer(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal(
        "UPDATE log_entry_signer SET signer_id = (SELECT max(id) FROM log_signer s WHERE s.id <> signer_id)"
        " WHERE entry_id = %s",
        entry.index,
    )
    return f"entry {entry.index} is listed under other signers"


def _numbers(sql: str, *values: Any) -> Callable[[Callable[..., None]], str]:
    """Something done to the numbers of signers: the first entry by one of them is named."""

    def steal_it(steal: Callable[..., None]) -> str:
        steal(sql, *values)
        return "entry 0 is listed under other signers"

    return steal_it


def _one_signer_more(steal: Callable[..., None]) -> str:
    steal("INSERT INTO log_signer (id, key_id) VALUES (900, %s)", "00" * 32)
    return f"a signer {'00' * 32} is listed who signed no entry"


def _other_type(steal: Callable[..., None]) -> str:
    entry = _attestation()
    steal(
        "UPDATE log_entry SET predicate_type_id = (SELECT max(id) FROM log_predicate_type"
        ' WHERE id <> predicate_type_id) WHERE "index" = %s',
        entry.index,
    )
    return f"entry {entry.index} is listed under another predicate type than it has"


def _types(sql: str, says: str, *values: Any) -> Callable[[Callable[..., None]], str]:
    """Something done to the numbers of predicate types."""

    def steal_it(steal: Callable[..., None]) -> str:
        steal(sql, *values)
        return says

    return steal_it


def _tile(steal: Callable[..., None]) -> str:
    steal("UPDATE log_tile SET hashes = %s WHERE level = 0 AND number = 0", b"\0" * 8192)
    return "tile 0/0 is not of the log's leaves"


def _no_tile(steal: Callable[..., None]) -> str:
    steal("DELETE FROM log_tile")
    return "tile 0/0 is missing"


def _tile_more(steal: Callable[..., None]) -> str:
    steal("INSERT INTO log_tile (level, number, hashes) VALUES (0, 9, %s)", b"\0" * 8192)
    return "tile 0/9 is of no entries"


def _note(steal: Callable[..., None]) -> str:
    size = publish.published_size()
    steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", b"rubbish\n", size)
    return f"the checkpoint at {size} does not verify"


def _note_by_own_key(steal: Callable[..., None]) -> str:
    """Signed by the log's own key, over another root."""
    size, head = publish.published_size(), LogHead.objects.get(pk=1)
    note = notes.sign(notes.Checkpoint(head.origin, size, b"\1" * 32), platform_keys.load().log)
    steal("UPDATE log_checkpoint SET note = %s WHERE size = %s", note, size)
    return f"the checkpoint at {size} was signed over other entries"


def _beside_note(steal: Callable[..., None]) -> str:
    size = publish.published_size()
    steal("UPDATE log_checkpoint SET root_hash = %s WHERE size = %s", "00" * 32, size)
    return f"what is stored beside the checkpoint at {size}"


def _decision(steal: Callable[..., None]) -> str:
    """A decision about keys exchanged for other bytes: rings can't be made any more, and it is named."""
    entry = Entry.objects.filter(kind="decision").order_by("index")[2]
    steal("UPDATE log_envelope SET content = %s WHERE entry_id = %s", b"{}", entry.index)
    return f"the envelope of entry {entry.index} is not the one"


THEFTS: dict[str, Callable[[Callable[..., None]], str]] = {
    "an envelope's bytes exchanged": _other_bytes,
    "an envelope's stored frame broken": _broken_frame,
    "an envelope deleted": _no_envelope,
    "an envelope inserted": _one_envelope_more,
    "two envelopes swapped": _envelopes_swapped,
    "an entry's statement exchanged": _field("statement_digest", bytes(32), "the fields of entry {}"),
    "an entry's key exchanged": _field("key_ids", bytes(32), "the fields of entry {}"),
    "an entry's newest decision exchanged": _field(
        "policy_index", 0, "entry {} names another newest decision"
    ),
    "an entry's predicate type exchanged": _other_type,
    "an entry's predicate type exchanged for none": _field(
        "predicate_type_id", 900, "entry {} holds what no entry can"
    ),
    "a predicate type's number given to another": _types(
        "UPDATE log_predicate_type SET name = %s WHERE id = 1",
        "entry 0 is listed under another predicate type than it has",
        "urn:x",
    ),
    "a predicate type's number altered": _types(
        "UPDATE log_predicate_type SET id = 901 WHERE id = 1", "entry 0 holds what no entry can"
    ),
    "a predicate type's number deleted": _types(
        "DELETE FROM log_predicate_type WHERE id = 1", "entry 0 holds what no entry can"
    ),
    "a predicate type's number inserted": _types(
        "INSERT INTO log_predicate_type (id, name) VALUES (900, %s)",
        "a predicate type urn:x is listed that no entry has",
        "urn:x",
    ),
    "an entry's leaf exchanged": _field("leaf_hash", b"\0" * 32, "the fields of entry {}"),
    "an entry's time set back": _other_time,
    "a subject's row doubled": _subject_twice,
    "an entry's kind exchanged": _kind,
    "an entry's kind exchanged for none": _field("kind", 7, "entry {} holds what no entry can"),
    "an entry's kind exchanged, its leaf made to fit": _leaf_too,
    "an entry deleted": _deleted,
    "the last entry deleted": _cut_off,
    "the last entry deleted, and the head set back": _cut_off_with_head,
    "two entries swapped": _swapped,
    "an entry appended behind the head": _replayed,
    "a subject's row altered": _subjects,
    "a signer's row deleted": _signers,
    "a signer's row altered": _other_signer,
    "a signer's number given to another key": _numbers(
        "UPDATE log_signer SET key_id = %s WHERE id = 1", "00" * 32
    ),
    "a signer's number altered": _numbers("UPDATE log_signer SET id = 901 WHERE id = 1"),
    "a signer's number deleted": _numbers("DELETE FROM log_signer WHERE id = 1"),
    "a signer's number inserted": _one_signer_more,
    "a decision about keys exchanged": _decision,
    "a tile altered": _tile,
    "tiles deleted": _no_tile,
    "a tile inserted": _tile_more,
    "a checkpoint's note exchanged": _note,
    "a checkpoint signed anew with the log's own key": _note_by_own_key,
    "a checkpoint's stored root exchanged": _beside_note,
}


@pytest.mark.parametrize("what", THEFTS)
def test_it_names_what_was_altered(what: str) -> None:
    grown(FULL if "tile" in what else 40)
    assert log_audit.audit().wrong == ""
    with as_thief() as steal:
        expected = THEFTS[what](steal)
    report = log_audit.audit()
    ROWS.append(f"| {what} | {report.wrong} |")
    assert expected in report.wrong
    assert report.root_hash == ""
    assert report.sentence().startswith("The log is damaged: ")


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


def _cut_to(size: int, steal: Callable[..., None]) -> None:
    """The log as it was when it had `size` entries, in each of its tables."""
    last = Entry.objects.get(pk=size)
    for table in ("log_envelope", "log_entry_subject", "log_entry_signer"):
        steal(f"DELETE FROM {table} WHERE entry_id >= %s", size)
    steal("DELETE FROM log_signer WHERE id NOT IN (SELECT signer_id FROM log_entry_signer)")
    steal('DELETE FROM log_entry WHERE "index" >= %s', size)
    steal("DELETE FROM log_predicate_type WHERE id NOT IN (SELECT predicate_type_id FROM log_entry)")
    steal("DELETE FROM log_checkpoint WHERE size > %s", size)
    before = Entry.objects.get(pk=size - 1)
    steal(
        "UPDATE log_head SET size = %s, last_received_us = %s, policy_index = %s",
        size,
        before.received_us,
        last.policy_index,
    )


def test_what_agrees_with_itself_is_found_from_outside_alone() -> None:
    """An older database, and others in the place of what it lacks, under checkpoints by the log's own key."""
    grown(20)
    size = publish.published_size()
    grown(20)
    place = current().high_water
    kept = place.read_bytes()
    with as_thief() as steal:
        _cut_to(size, steal)
    for what, after in (
        ("the newest entries cut off, with their checkpoints", 0),
        ("… and others in their place, with checkpoints by the log's own key", 30),
    ):
        place.unlink()
        for each in (keyring, high_water, head_memory):
            each.forget()
        if after:
            grown(after)
            place.unlink()
            high_water.forget()
        assert log_audit.audit().wrong == "", "without the file it agrees with itself"
        place.write_bytes(kept)
        high_water.forget()
        found = log_audit.audit().wrong
        assert "entries were published" in found
        ROWS.append(f"| {what} | {found}; without the high-water file: nothing, a witness finds it |")


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], bytes]:
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


def test_what_was_redacted_is_no_damage(graph: Callable[[], int]) -> None:
    signer = factories.registered()
    subject = factories.artifact("gone", factories.sha256("gone"))
    made = factories.statement(subject)
    receipt = intake.submit(signer.envelope(made), token="t").receipt
    grown(3)
    graph()
    redact.redact([receipt.digest], "asked by the person it names", person="os:test")
    report = log_audit.audit()
    assert (report.wrong, report.redacted) == ("", 1)
    assert "of 1 the bytes were redacted" in report.sentence()


def test_the_command_names_the_damage_and_fails() -> None:
    grown(20)
    assert CliRunner().invoke(log_command, ["audit"]).exit_code == 0
    with as_thief() as steal:
        expected = _no_envelope(steal)
    damaged = CliRunner().invoke(log_command, ["audit", "--json"])
    assert damaged.exit_code == 1
    assert expected in json.loads(damaged.stdout)["wrong"]

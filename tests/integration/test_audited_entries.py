"""What is done to entries and envelopes in the database itself is named by the audit."""

from __future__ import annotations

import pytest

from lineage.db.log import Entry
from lineage.db.numbered_fields import kind_number
from lineage.db.packing import pack
from lineage.services import records
from lineage.trust.merkle import leaf_hash
from tests.integration.thefts import (
    Steal,
    Theft,
    attestation,
    field,
    named,
    no_envelope,
    printed,
    small,
)

__all__ = ["printed", "small"]
pytestmark = pytest.mark.usefixtures("small")


def _other_bytes(steal: Steal) -> str:
    entry = attestation()
    steal(
        "UPDATE log_envelope SET content = %s WHERE entry_id = %s",
        pack(b'{"payload":""}'),
        entry.index,
    )
    return f"the envelope of entry {entry.index} is not the one"


def _broken_frame(steal: Steal) -> str:
    entry = attestation()
    steal(
        "UPDATE log_envelope SET content = %s WHERE entry_id = %s",
        b"\x28\xb5\x2f\xfd\x20\x10broken",
        entry.index,
    )
    return f"entry {entry.index}: a stored envelope can't be unpacked"


def _one_envelope_more(steal: Steal) -> str:
    steal("INSERT INTO log_envelope (entry_id, content) VALUES (%s, %s)", 900, b"{}")
    return "there is an envelope of an entry 900, which is not there"


def _envelopes_swapped(steal: Steal) -> str:
    one, other = attestation(5).index, attestation(6).index
    for old, new in ((one, -1), (other, one), (-1, other)):
        steal("UPDATE log_envelope SET entry_id = %s WHERE entry_id = %s", new, old)
    return f"the envelope of entry {one} is not the one"


def _other_time(steal: Steal) -> str:
    entry = attestation()
    steal('UPDATE log_entry SET received_us = received_us - 1 WHERE "index" = %s', entry.index)
    return f"entry {entry.index}"


def _deleted(steal: Steal) -> str:
    entry = attestation()
    steal('DELETE FROM log_entry WHERE "index" = %s', entry.index)
    return f"entry {entry.index} is missing"


def _swapped(steal: Steal) -> str:
    one, two = attestation(5), attestation(6)
    for index, to in ((one.index, -7), (two.index, one.index), (-7, two.index)):
        steal('UPDATE log_entry SET "index" = %s WHERE "index" = %s', to, index)
    return f"entry {one.index}"


def _cut_off(steal: Steal) -> str:
    last = Entry.objects.order_by("-index")[0]
    steal('DELETE FROM log_entry WHERE "index" = %s', last.index)
    return f"entry {last.index} is missing"


def _cut_off_with_head(steal: Steal) -> str:
    last, before = Entry.objects.order_by("-index")[:2]
    steal('DELETE FROM log_entry WHERE "index" = %s', last.index)
    steal(
        "UPDATE log_head SET size = %s, last_received_us = %s, policy_index = %s",
        last.index,
        before.received_us,
        last.policy_index,
    )
    return "but a checkpoint covers"


def _replayed(steal: Steal) -> str:
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


def _kind(steal: Steal) -> str:
    entry = attestation()
    steal('UPDATE log_entry SET kind = 2 WHERE "index" = %s', entry.index)
    return f"the fields of entry {entry.index}"


def _leaf_too(steal: Steal) -> str:
    """As `_kind`, and the leaf made to fit."""
    entry = attestation()
    entry.kind = Entry.Kind.OBSERVATION
    steal(
        'UPDATE log_entry SET kind = %s, leaf_hash = %s WHERE "index" = %s',
        kind_number(entry.kind),
        leaf_hash(records.leaf(entry).encode()),
        entry.index,
    )
    return f"entry {entry.index}, observation, is not signed by a key of the platform"


def _decision(steal: Steal) -> str:
    """A decision about keys exchanged for other bytes: rings can't be made any more, and it is named."""
    entry = Entry.objects.filter(kind="decision").order_by("index")[2]
    steal("UPDATE log_envelope SET content = %s WHERE entry_id = %s", b"{}", entry.index)
    return f"the envelope of entry {entry.index} is not the one"


THEFTS: dict[str, Theft] = {
    "an envelope's bytes exchanged": _other_bytes,
    "an envelope's stored frame broken": _broken_frame,
    "an envelope deleted": no_envelope,
    "an envelope inserted": _one_envelope_more,
    "two envelopes swapped": _envelopes_swapped,
    "an entry's statement exchanged": field("statement_digest", bytes(32), "the fields of entry {}"),
    "an entry's key exchanged": field("key_ids", bytes(32), "the fields of entry {}"),
    "an entry's newest decision exchanged": field(
        "policy_index", 0, "entry {} names another newest decision"
    ),
    "an entry's leaf exchanged": field("leaf_hash", b"\0" * 32, "the fields of entry {}"),
    "an entry's time set back": _other_time,
    "an entry's kind exchanged": _kind,
    "an entry's kind exchanged for none": field("kind", 7, "entry {} holds what no entry can"),
    "an entry's kind exchanged, its leaf made to fit": _leaf_too,
    "an entry deleted": _deleted,
    "the last entry deleted": _cut_off,
    "the last entry deleted, and the head set back": _cut_off_with_head,
    "two entries swapped": _swapped,
    "an entry appended behind the head": _replayed,
    "a decision about keys exchanged": _decision,
}


@pytest.mark.parametrize("what", THEFTS)
def test_it_names_what_was_altered(what: str) -> None:
    named(what, THEFTS[what])

"""What is done to the rows by which entries are found is named: subjects, signers, predicate types."""

from __future__ import annotations

from typing import Any

import pytest

from lineage.db.digest_fields import packed
from lineage.db.log import Entry
from tests.integration.thefts import Steal, Theft, attestation, field, named, printed, small

__all__ = ["printed", "small"]
pytestmark = pytest.mark.usefixtures("small")


def _subjects(steal: Steal) -> str:
    entry = Entry.objects.filter(subjects__isnull=False, kind="attestation").order_by("index")[3]
    steal("UPDATE log_entry_subject SET digest = %s WHERE entry_id = %s", packed("sha256:00"), entry.index)
    return f"entry {entry.index} is listed under other subjects"


def _subject_twice(steal: Steal) -> str:
    entry = Entry.objects.filter(subjects__isnull=False, kind="attestation").order_by("index")[3]
    steal(
        "INSERT INTO log_entry_subject (entry_id, position, digest, name)"
        " SELECT entry_id, position + 50, digest, name FROM log_entry_subject WHERE entry_id = %s",
        entry.index,
    )
    return f"entry {entry.index} is listed under other subjects"


def _signers(steal: Steal) -> str:
    entry = attestation()
    steal("DELETE FROM log_entry_signer WHERE entry_id = %s", entry.index)
    return f"entry {entry.index} is listed under other signers"


def _other_signer(steal: Steal) -> str:
    entry = attestation()
    steal(
        "UPDATE log_entry_signer SET signer_id = (SELECT max(id) FROM log_signer s WHERE s.id <> signer_id)"
        " WHERE entry_id = %s",
        entry.index,
    )
    return f"entry {entry.index} is listed under other signers"


def _numbers(sql: str, *values: Any) -> Theft:
    """Something done to the numbers of signers: the first entry by one of them is named."""

    def steal_it(steal: Steal) -> str:
        steal(sql, *values)
        return "entry 0 is listed under other signers"

    return steal_it


def _one_signer_more(steal: Steal) -> str:
    steal("INSERT INTO log_signer (id, key_id) VALUES (900, %s)", "00" * 32)
    return f"a signer {'00' * 32} is listed who signed no entry"


def _other_type(steal: Steal) -> str:
    entry = attestation()
    steal(
        "UPDATE log_entry SET predicate_type_id = (SELECT max(id) FROM log_predicate_type"
        ' WHERE id <> predicate_type_id) WHERE "index" = %s',
        entry.index,
    )
    return f"entry {entry.index} is listed under another predicate type than it has"


def _types(sql: str, says: str, *values: Any) -> Theft:
    """Something done to the numbers of predicate types."""

    def steal_it(steal: Steal) -> str:
        steal(sql, *values)
        return says

    return steal_it


THEFTS: dict[str, Theft] = {
    "an entry's predicate type exchanged": _other_type,
    "an entry's predicate type exchanged for none": field(
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
    "a subject's row altered": _subjects,
    "a subject's row doubled": _subject_twice,
    "a signer's row deleted": _signers,
    "a signer's row altered": _other_signer,
    "a signer's number given to another key": _numbers(
        "UPDATE log_signer SET key_id = %s WHERE id = 1", "00" * 32
    ),
    "a signer's number altered": _numbers("UPDATE log_signer SET id = 901 WHERE id = 1"),
    "a signer's number deleted": _numbers("DELETE FROM log_signer WHERE id = 1"),
    "a signer's number inserted": _one_signer_more,
}


@pytest.mark.parametrize("what", THEFTS)
def test_it_names_what_was_altered(what: str) -> None:
    named(what, THEFTS[what])

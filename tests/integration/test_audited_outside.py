"""What agrees with itself is found from outside alone."""

from __future__ import annotations

import pytest

from lineage.config import current
from lineage.db.log import Entry
from lineage.services import head_memory, high_water, keyring, log_audit, publish
from tests.integration.thefts import ROWS, Steal, as_thief, grown, printed

__all__ = ["printed"]
pytestmark = pytest.mark.usefixtures("log")


def _cut_to(size: int, steal: Steal) -> None:
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

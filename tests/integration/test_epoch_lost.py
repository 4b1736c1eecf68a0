"""What was lost, and which file tells of it: late publishers, logs that went on otherwise, lost keys."""

from __future__ import annotations

import pytest

from lineage.db.models import Checkpoint, Entry
from lineage.errors import ConflictError, LineageError, LogIntegrityError, RollbackError
from lineage.services import (
    epoch_records,
    high_water,
    high_water_file,
    new_epoch,
    own_keys,
    platform_keys,
)
from lineage.trust import checkpoint as notes
from tests.integration import rolled_back
from tests.integration.lost_logs import (
    WHO,
    WHY,
    audited,
    begin,
    grown,
    lost_log,
    name_of,
    origin,
    published,
    submit,
    water,
)

__all__ = ["water"]
pytestmark = pytest.mark.usefixtures("log", "water")


def test_a_publisher_that_wakes_up_late_does_not_roll_the_log_back_again() -> None:
    """It signed before the older state was put back, and would write its checkpoint over the lost one's."""
    kept, lost = lost_log()
    begin()
    high_water.keep(kept)
    file = high_water.unverified()
    assert file is not None
    assert file.size == lost.size
    submit()
    assert high_water.warning() == ""
    made = published()
    file = high_water.unverified()
    assert file is not None
    assert (file.size, file.origin) == (made.size, f"{origin()}/epoch-2")


def test_a_log_that_went_on_otherwise_is_told_apart() -> None:
    """Somebody appended without the high-water file, which is there again now."""
    _, lost = lost_log()
    data = high_water_file.path().read_bytes()
    high_water_file.path().unlink()
    rolled_back.forget()
    forked = grown(9)
    assert forked.size > lost.size
    high_water_file.write(data)
    rolled_back.forget()
    with pytest.raises(RollbackError):
        submit()
    found = new_epoch.loss()
    assert found is not None
    assert found.forked
    begin()
    (record,) = epoch_records.history()
    assert record.lost_entries == 0
    assert "had begun otherwise" in record.sentence()
    assert name_of(grown()) == f"{origin()}/epoch-2"
    assert name_of(Checkpoint.objects.get(size=forked.size)) == origin()
    audited()


@pytest.mark.usefixtures("key_folder")
def test_a_key_of_the_log_that_was_lost_with_the_entries_is_still_known() -> None:
    """The backup is from before a rotation; the file is signed by the new key alone."""
    kept = grown(3)
    old = platform_keys.load().log.public.key_id
    own_keys.rotate("log", person="p", overlap_us=0)
    lost = grown(2)
    assert platform_keys.load().log.public.key_id != old
    rolled_back.roll_back(kept.size)
    from lineage.services import bootstrap

    bootstrap.ensure()  # puts the old key back into its place
    found = new_epoch.loss()
    assert found is not None
    assert found.signed
    begin()
    made = grown()
    assert platform_keys.load().log.public.key_id == old
    assert (name_of(made), made.size > lost.size) == (f"{origin()}/epoch-2", False)
    own_keys.rotate("log", person="p", overlap_us=0)
    grown()
    audited()


def test_a_file_that_no_known_key_signed_is_not_believed_unasked() -> None:
    kept, _ = lost_log()
    from lineage.trust.high_water import of_note
    from lineage.trust.keys import generate_ed25519

    stranger = generate_ed25519()
    note = notes.sign(notes.Checkpoint(origin(), 99, b"\x07" * 32), stranger)
    high_water_file.write(of_note(note, since_us=0, from_size=1).encode())
    rolled_back.forget()
    with pytest.raises(ConflictError, match="may be forged"):
        begin()
    with pytest.raises(RollbackError):
        submit()
    done, epoch = new_epoch.begin(WHY, person=WHO, unverified=True)
    assert (done.receipt.index, epoch.number) == (kept.size, 2)
    submit()


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", LogIntegrityError), (b"nonsense", LogIntegrityError), ("other", ConflictError)],
    ids=["empty", "nonsense", "another log's"],
)
def test_a_file_that_says_nothing_of_this_log_gives_nothing_up(
    content: bytes | str, error: type[LineageError]
) -> None:
    kept, _ = lost_log()
    if isinstance(content, str):
        from lineage.trust.high_water import of_note

        log = platform_keys.load().log
        note = notes.sign(notes.Checkpoint("lineage/other", 99, b"\x07" * 32), log)
        content = of_note(note, since_us=0, from_size=1).encode()
    high_water_file.write(content)
    rolled_back.forget()
    with pytest.raises(error):
        begin()
    assert Entry.objects.count() == kept.size


# By the command

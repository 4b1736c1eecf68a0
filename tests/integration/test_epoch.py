"""An older state came back: the log goes on by a decision alone, under another name, and says so for ever."""

from __future__ import annotations

import threading

import pytest
from click.testing import CliRunner
from django.db import connections
from pytest_django.live_server_helper import LiveServer

from lineage.cli.log import command as log_command
from lineage.db.models import Checkpoint, Entry
from lineage.errors import ConflictError, LineageError, MalformedError, RollbackError
from lineage.services import (
    decision_records,
    epoch_records,
    epochs,
    new_epoch,
    publish,
)
from tests import tlog_checker
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


def test_nothing_goes_on_until_somebody_has_decided(live_server: LiveServer) -> None:
    kept, lost = lost_log()
    with pytest.raises(RollbackError):
        submit()
    assert publish.publish_once() is None
    found = new_epoch.loss()
    assert found is not None
    assert (found.lost.size, found.lost.root.hex()) == (lost.size, lost.root_hash)
    assert (found.size, found.root_hash, found.signed, found.forked) == (
        kept.size,
        kept.root_hash,
        True,
        False,
    )
    index = begin()
    assert index == kept.size
    assert new_epoch.loss() is None
    submit(2)
    made = published()
    assert name_of(made) == f"{origin()}/epoch-2"
    assert made.size > index
    assert audited().checkpoints == Checkpoint.objects.count()
    size, leaves = tlog_checker.check(f"{live_server.url}/log", publish.verifier_key())
    assert size == len(leaves) == made.size
    assert [epochs.at(each).number for each in (kept.size, made.size)] == [1, 2]
    assert name_of(grown()) == f"{origin()}/epoch-2"


def test_the_decision_says_what_was_lost_and_who_gave_it_up() -> None:
    kept, lost = lost_log()
    index = begin()
    told = decision_records.one(index)
    assert (told.action, told.person) == ("new-epoch", WHO)
    (record,) = epoch_records.history()
    assert (record.number, record.from_size, record.person, record.reason) == (2, kept.size, WHO, WHY)
    assert (record.lost_origin, record.lost_size, record.lost_root) == (origin(), lost.size, lost.root_hash)
    assert record.lost_note.encode() == bytes(lost.note)
    assert record.lost_entries == lost.size - kept.size
    assert WHY in record.sentence()
    assert epoch_records.history(index) == ()


def test_there_is_nothing_to_give_up_in_a_log_that_lost_nothing() -> None:
    with pytest.raises(ConflictError, match="Nothing"):
        begin()
    grown()
    size = Entry.objects.count()
    with pytest.raises(ConflictError, match="Nothing"):
        begin()
    assert Entry.objects.count() == size


def test_it_is_done_once() -> None:
    lost_log()
    index = begin()
    with pytest.raises(ConflictError, match=f"epoch 2 began with entry {index}"):
        begin()
    grown()
    with pytest.raises(ConflictError, match="began"):
        begin()
    assert len(epoch_records.history()) == 1


def test_what_was_shown_must_still_be_so() -> None:
    kept, lost = lost_log()
    shown = new_epoch.loss()
    assert shown is not None
    begin()
    grown(9)
    rolled_back.roll_back(kept.size)
    with pytest.raises(ConflictError, match="changed meanwhile"):
        new_epoch.begin(WHY, person=WHO, shown=shown)
    assert Entry.objects.count() == kept.size
    new_epoch.begin(WHY, person=WHO, shown=new_epoch.loss())
    assert publish.verifier_key(kept.size).split("+")[0] == name_of(lost) == origin()
    assert publish.verifier_key().split("+")[0] == f"{origin()}/epoch-3"


def test_of_several_at_once_one_decides() -> None:
    kept, _ = lost_log()
    together = threading.Barrier(6)
    found: list[int | LineageError] = []

    def decide() -> None:
        together.wait()
        try:
            found.append(begin())
        except LineageError as error:
            found.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=decide) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each for each in found if isinstance(each, int)] == [kept.size]
    assert {type(each) for each in found if not isinstance(each, int)} == {ConflictError}
    assert Entry.objects.count() == kept.size + 1


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", "x" * 2001], ids=range(4))
def test_it_says_why(reason: str) -> None:
    lost_log()
    with pytest.raises(MalformedError):
        begin(reason)


def test_a_second_rollback_makes_the_third_epoch() -> None:
    lost_log()
    begin()
    kept, lost = lost_log()
    assert name_of(lost) == f"{origin()}/epoch-2"
    index = begin("again")
    made = grown()
    assert name_of(made) == f"{origin()}/epoch-3"
    assert [each.number for each in epoch_records.history()] == [3, 2]
    assert epoch_records.history()[0].lost_origin == f"{origin()}/epoch-2"
    assert (kept.size, index) == (index, kept.size)
    audited()
    rows = publish.verifier_keys()
    assert [(each.epoch, each.since) for each in rows][:2] == [(3, index), (2, epochs.at(index).from_size)]
    assert [each.epoch for each in rows] == [3, 2, 1]


def test_a_name_is_never_given_twice() -> None:
    """The old backup comes back once more: it knows nothing of epoch 2, whose name has a tree by now."""
    kept, _ = lost_log()
    begin()
    second = grown(7)
    assert name_of(second) == f"{origin()}/epoch-2"
    rolled_back.roll_back(kept.size)
    begin("the same backup again")
    assert name_of(grown()) == f"{origin()}/epoch-3"
    (record,) = epoch_records.history()
    assert (record.number, record.lost_origin) == (3, f"{origin()}/epoch-2")
    audited()


def call(*arguments: str, text: str | None = None) -> tuple[int, str]:
    answer = CliRunner().invoke(log_command, list(arguments), input=text)
    return answer.exit_code, answer.output


def test_the_command_shows_what_is_lost_and_asks() -> None:
    kept, lost = lost_log()
    code, words = call("new-epoch", "--reason", WHY, text="yes\n")
    assert code == 1
    assert lost.root_hash in words
    assert kept.root_hash in words
    assert f"{lost.size:,} entries" in words
    assert Entry.objects.count() == kept.size
    assert call("new-epoch", "--reason", WHY)[0] == 1
    assert Entry.objects.count() == kept.size
    code, words = call("new-epoch", "--reason", WHY, text="epoch-2\n")
    assert code == 0
    assert publish.verifier_key() in words
    assert Entry.objects.count() == kept.size + 1
    code, words = call("epochs")
    assert WHY in words
    assert lost.root_hash in words
    code, words = call("audit")
    assert (code, WHY in words) == (0, True)
    code, words = call("key", "--all")
    assert words.count(f"{origin()}/epoch-2+") == 1
    assert words.count(f"{origin()}+") == 1

"""An older state came back: the log goes on by a decision alone, under another name, and says so for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from django.db import connections
from pytest_django.live_server_helper import LiveServer

from lineage import config
from lineage.cli.log import command as log_command
from lineage.db.models import Checkpoint, Entry, LogHead
from lineage.errors import ConflictError, LineageError, LogIntegrityError, MalformedError, RollbackError
from lineage.services import (
    decision_records,
    epoch_records,
    epochs,
    high_water,
    high_water_file,
    intake,
    log_audit,
    new_epoch,
    own_keys,
    platform_keys,
    proofs,
    publish,
    witnesses,
)
from lineage.services.clock import now_us
from lineage.trust import checkpoint as notes
from lineage.trust.verify import Outcome
from lineage.trust.verify_file import Given, verify_file
from lineage.witness_settings import Witness
from tests import factories, tlog_checker
from tests.integration import rolled_back
from tests.witness_server import TestWitness, running

pytestmark = pytest.mark.usefixtures("log", "_water")
WHO, WHY = "os:anna", "the disk was swapped"


@pytest.fixture
def _water() -> Iterator[None]:
    with rolled_back.kept():
        yield


def submit(count: int = 1) -> list[str]:
    """Digests of envelopes that were acknowledged."""
    signer = factories.registered()
    made = [signer.envelope(factories.statement()) for _ in range(count)]
    digests = []
    for each in intake.submit_set(made, token="t"):
        if isinstance(each, LineageError):
            raise each
        digests.append(each.receipt.digest)
    return digests


def published() -> Checkpoint:
    made = publish.publish_once()
    assert made is not None
    high_water.keep(made)
    return made


def grown(count: int = 1) -> Checkpoint:
    submit(count)
    return published()


def begin(reason: str = WHY) -> int:
    """Index of the decision."""
    done, _ = new_epoch.begin(reason, person=WHO)
    return done.receipt.index


def origin() -> str:
    return LogHead.objects.values_list("origin", flat=True).get(pk=1)


def name_of(made: Checkpoint) -> str:
    return notes.parse_body(notes.split_note(bytes(made.note))[0]).origin


def audited() -> log_audit.AuditReport:
    report = log_audit.audit()
    assert report.wrong == ""
    return report


def lost_log(before: int = 4, after: int = 3) -> tuple[Checkpoint, Checkpoint]:
    """A log that was rolled back: the checkpoint that is still here, and the one that is lost."""
    kept = grown(before)
    lost = grown(after)
    rolled_back.roll_back(kept.size)
    return kept, lost


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


def test_the_first_checkpoint_covers_the_decision_whatever_was_unpublished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Entries were acknowledged and not published when the backup was made: more than a round takes."""
    monkeypatch.setattr(publish, "MAX_ENTRIES_A_ROUND", 10)
    kept = grown(2)
    submit(300)
    size = LogHead.objects.get(pk=1).size
    while (made := publish.publish_once()) is not None:
        high_water.keep(made)
    submit(5)
    while (made := publish.publish_once()) is not None:
        high_water.keep(made)
    rolled_back.roll_back(size, published=kept.size)
    with pytest.raises(RollbackError):
        publish.publish_once()
    index = begin()
    assert index == size
    submit(30)
    first = published()
    assert (first.size, name_of(first)) == (index + 1, f"{origin()}/epoch-2")
    second = published()
    assert (second.size, name_of(second)) == (index + 11, f"{origin()}/epoch-2")
    names = {each.size: name_of(each) for each in Checkpoint.objects.all()}
    assert {size for size, name in names.items() if name == origin()} == {
        each for each in names if each <= kept.size
    }
    audited()


def test_proofs_from_before_and_after_are_verified_offline_and_say_so() -> None:
    (digest,) = submit()
    published()
    early, old = proofs.of_envelope(digest), publish.verifier_key()
    kept = grown(2)
    (gone,) = submit()
    published()
    lost_proof = proofs.of_envelope(gone)
    rolled_back.roll_back(kept.size)
    begin()
    (fresh,) = submit()
    published()
    new = publish.verifier_key()
    assert new.split("+")[0] == f"{old.split('+')[0]}/epoch-2"

    def judged(proof: bytes, *keys: str) -> tuple[Outcome, str]:
        verdict = verify_file(proof, Given(0, log_keys=keys))
        return verdict.outcome, " ".join(verdict.reasons)

    outcome, _ = judged(early, old)
    assert outcome is Outcome.VERIFIED
    outcome, words = judged(proofs.of_envelope(digest), old)
    assert outcome is Outcome.INCONCLUSIVE
    assert "epoch 2" in words
    assert new in words
    for proof in (proofs.of_envelope(digest), proofs.of_envelope(fresh)):
        outcome, words = judged(proof, new)
        assert outcome is Outcome.VERIFIED
        assert "is in epoch 2" in words
    outcome, words = judged(lost_proof, old, new)
    assert outcome is Outcome.VERIFIED  # it was in the tree of epoch 1, which the log says that it lost
    assert "only a proof of epoch 2 shows" in words
    outcome, words = judged(lost_proof, new)
    assert outcome is Outcome.INCONCLUSIVE
    assert "among those that were lost" in words


def test_a_witness_takes_the_new_name_and_would_have_refused_the_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(TestWitness(now_us() // 1_000_000, log_key=publish.verifier_key())) as witness:
        one = Witness(witness.verifier_key, witness.url)
        settings = replace(config.current(), witnesses=(one,), private_networks=("127.0.0.0/8",))
        monkeypatch.setattr(witnesses, "current", lambda: settings)
        kept = grown(4)
        assert witnesses.ask(one) == kept.size
        lost = grown(3)
        assert witnesses.ask(one) == lost.size
        rolled_back.roll_back(kept.size)
        begin()
        made = grown(5)
        # The same tree under the old name: the witness finds that it does not extend what it saw.
        log = platform_keys.load().log
        forged = notes.sign(notes.Checkpoint(origin(), made.size, bytes.fromhex(made.root_hash)), log)
        body = witnesses.request(kept.size, made).rpartition(bytes(made.note))[0] + forged
        assert witness.add(body)[0] == 409
        again = witnesses.request(lost.size, made).rpartition(bytes(made.note))[0] + forged
        assert witness.add(again)[0] == 422
        # Under the new name it knows nothing until somebody there has taken in the new key.
        assert witnesses.ask(one) == 0
        assert witness.answers[-1] == 404
        witness.other_keys.append(publish.verifier_key())
        assert witnesses.ask(one) == made.size
        later = grown(2)
        assert witnesses.ask(one) == later.size
        assert witness.answers[-2:] == [200, 200]
        assert witness.trees[f"{origin()}/epoch-2"][0] == later.size
        assert witness.seen[0] == lost.size


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

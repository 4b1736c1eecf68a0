"""The high-water file: written after each checkpoint, never set back, believed or refused by what it says."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client

from lineage import config
from lineage.cli import doctor
from lineage.db.models import Checkpoint, Entry, EntrySigner, EntrySubject, Envelope, LogHead, Refusal, Signer
from lineage.errors import ConfigurationError, LogIntegrityError, RollbackError
from lineage.services import (
    bootstrap,
    clock,
    condition,
    high_water,
    high_water_file,
    high_water_state,
    intake,
    own_keys,
    platform_keys,
    publish,
    sightings,
)
from lineage.trust import checkpoint as notes
from lineage.trust import high_water as form
from lineage.trust.keys import generate_ed25519
from tests import factories
from tests.conftest import Api, problem
from tests.integration import rolled_back
from tests.integration.test_publish import lifted

pytestmark = pytest.mark.usefixtures("log")
DAY_US = 86_400_000_000


@pytest.fixture
def auditor(log: None) -> Client:
    client = Client()
    client.force_login(factories.user("auditor", "x"), "allauth.account.auth_backends.AuthenticationBackend")
    return client


def add(count: int = 1) -> None:
    signer = factories.registered()
    intake.submit_set([signer.envelope(factories.statement()) for _ in range(count)], token="t")


def grown(count: int = 1) -> Checkpoint:
    add(count)
    made = publish.publish_once()
    assert made is not None
    return made


def stored() -> form.HighWater:
    found = high_water.read()
    assert found is not None
    return found


def path() -> Path:
    return high_water_file.path()


def test_it_holds_the_newest_checkpoint_as_it_was_signed() -> None:
    first = grown()
    assert stored().from_size == first.size
    newest = grown(3)
    found = stored()
    assert (found.size, found.root.hex(), found.note) == (newest.size, newest.root_hash, bytes(newest.note))
    assert found.from_size == first.size
    assert stat.S_IMODE(path().stat().st_mode) == 0o600
    assert notes.verify(found.note, publish.verifier_key()).size == newest.size


def test_who_was_killed_before_writing_it_left_it_one_behind_and_that_is_made_up_for() -> None:
    grown()
    before = path().read_bytes()
    newest = grown()
    path().write_bytes(before)
    high_water.forget()
    assert high_water.rolled_back() is None
    assert publish.publish_once() is None
    assert stored().size == newest.size


def test_it_is_never_set_back() -> None:
    older = grown()
    newer = grown()
    high_water.keep(older)
    assert stored().size == newer.size
    other = Checkpoint(size=newer.size + 1, root_hash="00" * 32, note=bytes(newer.note), published_us=1)
    with lifted("log_checkpoint"):
        Checkpoint.objects.filter(pk=newer.size).update(root_hash="11" * 32)
    high_water.keep(other)
    assert stored().size == newer.size, "what it holds is not in the log of the one that would replace it"


def test_publishers_in_turns_leave_the_newest() -> None:
    add(60)
    rows: list[Checkpoint] = []
    while (made := publish.publish_once()) is not None:
        rows.append(made)
    for _ in range(12):
        rows.append(grown())
    path().unlink()
    together = threading.Barrier(4)

    def keep(mine: list[Checkpoint]) -> None:
        together.wait()
        try:
            for row in mine:
                high_water.keep(row)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=keep, args=(rows[n::4],)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert stored().size == rows[-1].size
    assert [each.name for each in path().parent.glob(f".{path().name}*")] == []


def test_without_a_file_it_begins_anew_and_says_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    grown()
    assert high_water_state.state().weak == "", "it was begun with the log's first checkpoint"
    path().unlink()
    high_water.forget()
    assert "There is no high-water file" in high_water_state.state().weak
    assert high_water.rolled_back() is None
    second = grown()
    state = high_water_state.state()
    assert "The high-water file was begun anew at 20" in state.weak
    assert f" UTC, with {second.size} entries: nothing shows" in state.weak
    assert f"from {second.size} entries on" in state.words
    monkeypatch.setattr(high_water_state, "now_us", lambda: clock.now_us() + DAY_US + 1)
    assert high_water_state.state().weak == ""
    assert f"from {second.size} entries on" in high_water_state.state().words


@pytest.mark.usefixtures("durable")  # the doctor looks no further where PostgreSQL doesn't wait for the disk
def test_an_absent_file_is_told_where_officers_look(auditor: Client) -> None:
    grown()
    path().unlink()
    told = {each.name: each for each in condition.services(sightings.look())}["high-water"]
    assert told.state == "degraded"
    assert "Shows little" in auditor.get("/system").content.decode()
    found = {each.name: each for each in doctor.examine()}["high-water"]
    assert not found.ok
    assert str(path()) in found.words


def damaged(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def of_another_size(data: bytes) -> bytes:
    high = form.parse(data)
    return data.replace(f"\n{high.size}\n".encode(), f"\n{high.size + 1}\n".encode())


def of_nobody(data: bytes) -> bytes:
    high = form.parse(data)
    said = notes.Checkpoint(high.origin, high.size, high.root)
    return replace(high, note=notes.sign(said, generate_ed25519())).encode()


def of_another_log(data: bytes) -> bytes:
    high = form.parse(data)
    said = notes.Checkpoint("example.com/another", high.size, high.root)
    return replace(high, note=notes.sign(said, platform_keys.load().log)).encode()


def ahead(data: bytes) -> bytes:
    high = form.parse(data)
    said = notes.Checkpoint(high.origin, high.size + 5, high.root)
    return replace(high, note=notes.sign(said, platform_keys.load().log), size=high.size + 5).encode()


def of_another_root(data: bytes) -> bytes:
    high = form.parse(data)
    said = notes.Checkpoint(high.origin, high.size, bytes(32))
    return replace(high, note=notes.sign(said, platform_keys.load().log)).encode()


@pytest.mark.usefixtures("durable")
@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (damaged, "cut off or altered"),
        (emptied, "cut off or altered"),
        (of_another_size, "no key of this log signed"),
        (of_nobody, "no key of this log signed"),
        (of_another_log, "is of the log example.com/another"),
        (ahead, "an older state of it was put back"),
        (of_another_root, "don't begin with these"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_does_not_fit_the_log_stops_it(
    alter: Callable[[bytes], bytes], says: str, api: Api, auditor: Client, graph: Callable[[], int]
) -> None:
    signer = factories.registered()
    grown()
    graph()
    left = alter(path().read_bytes())
    path().write_bytes(left)
    high_water.forget()
    size = LogHead.objects.get(pk=1).size
    answer = api.attest(signer.envelope(factories.statement()))
    assert problem(answer) == (503, "rolled-back")
    assert says.lower() in answer.json()["detail"].lower()
    assert answer.json()["hint"]
    several = b"\n".join(signer.envelope(factories.statement()) for _ in range(3))
    assert problem(api.post("/api/v1/attestations", several, "application/x-ndjson")) == (503, "rolled-back")
    with pytest.raises(RollbackError):
        factories.registered()
    assert publish.publish_once() is None, "nothing is to be signed"
    assert LogHead.objects.get(pk=1).size == size
    assert not Refusal.objects.exists(), "none of it was the senders' fault"
    assert path().read_bytes() == left
    # Reading goes on, and says so.
    assert api.get("/api/v1/attestations").status_code == 200
    for page in ("/", "/system", "/log"):
        assert "rely on what stands here as verified" in auditor.get(page).content.decode()
    ready = Client().get("/health/ready")
    assert (ready.status_code, ready.json()["log"]) == (200, "rolled back")
    told = {each["name"]: each for each in ready.json()["services"]}
    assert told["high-water"]["state"] == "down"
    assert says.lower() in told["high-water"]["reason"].lower()
    assert "No statement is accepted" in told["worker"]["reason"]
    assert "lineage_log_rolled_back 1.0" in Client().get("/metrics").content.decode()
    assert not {each.name: each for each in doctor.examine()}["high-water"].ok


def test_it_is_not_believed_without_a_signature() -> None:
    grown()
    path().write_bytes(of_nobody(path().read_bytes()))
    with pytest.raises(LogIntegrityError, match="no key of this log signed"):
        high_water.read()
    found = high_water.unverified()
    assert found is not None
    assert found.size == Entry.objects.count()


@pytest.mark.usefixtures("key_folder")
@pytest.mark.parametrize(
    ("overlap_us", "says"),
    [
        (0, "from before the log's key was replaced, may have been put back"),
        (DAY_US, "an older state of it was put back"),
    ],
    ids=["at once", "both sign for a while"],
)
def test_a_log_from_before_its_key_was_replaced_is_refused_too(overlap_us: int, says: str) -> None:
    """Without the decision about the new key it can't verify the file, unless the old one signed it too."""
    kept = grown()
    own_keys.rotate("log", person=factories.PERSON, overlap_us=overlap_us)
    grown()
    rolled_back.roll_back(kept.size)
    with pytest.raises(RollbackError, match=says):
        add()


def test_a_log_that_grew_again_behind_its_back_is_told_by_its_root() -> None:
    kept = grown(2)
    lost = grown(2)
    rolled_back.roll_back(kept.size)
    water = path().read_bytes()
    path().unlink()  # as where somebody else's process, without the file, went on with it
    high_water.forget()
    grown(4)
    assert LogHead.objects.get(pk=1).size > lost.size
    path().write_bytes(water)
    high_water.forget()
    with pytest.raises(RollbackError, match="put back and went on, or the log was written anew"):
        add()
    with pytest.raises(RollbackError):
        high_water.refuse(now=True)


def test_a_file_that_cannot_be_written_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown()
    away = replace(config.current(), high_water=tmp_path / "not-mounted" / "high-water")
    monkeypatch.setattr(high_water_file, "current", lambda: away)
    high_water.forget()
    made = grown()
    assert Checkpoint.objects.filter(pk=made.size).exists()
    assert not away.high_water.parent.exists(), "a disk that is not there is not made up"
    assert "its folder is not there" in high_water_state.state().weak
    away.high_water.parent.mkdir()
    assert publish.publish_once() is None
    assert stored().size == made.size


def test_a_file_that_stays_behind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    grown()
    before = path().read_bytes()
    newest = grown()
    path().write_bytes(before)
    assert high_water_state.state().weak == "", "that is normal for a moment"
    monkeypatch.setattr(high_water_state, "now_us", lambda: clock.now_us() + 61_000_000)
    assert f"and {newest.size} are published: it could not be written since" in high_water_state.state().weak


def test_a_file_that_cannot_be_read_is_no_good_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown()
    there = replace(config.current(), high_water=tmp_path)  # a folder
    monkeypatch.setattr(high_water_file, "current", lambda: there)
    high_water.forget()
    with pytest.raises(RollbackError, match="can't be read"):
        add()


def test_no_second_log_begins_under_the_keys_of_one_that_published(transactional_db: None) -> None:
    water = grown()
    kept = path().read_bytes()
    with ExitStack() as stack:
        for table in rolled_back.TABLES:
            stack.enter_context(lifted(table))
        for model in (EntrySubject, EntrySigner, Signer, Entry, Envelope, Checkpoint, LogHead):
            model.objects.all().delete()
    rolled_back.forget()
    with pytest.raises(ConfigurationError, match=f"has published {water.size} entries"):
        bootstrap.ensure()
    assert not LogHead.objects.exists()
    assert path().read_bytes() == kept
    path().unlink()
    bootstrap.ensure()
    assert LogHead.objects.get(pk=1).size == 1


def test_what_a_killed_process_left_half_written_is_nobodys() -> None:
    grown()
    half = path().with_name(f".{path().name}.new")
    half.write_bytes(b"lineage-high")
    os.chmod(half, 0o600)
    newest = grown()
    assert stored().size == newest.size
    assert not half.exists()

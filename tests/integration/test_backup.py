"""Backup and restore from one database to another, by the commands, on real files and real servers."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import stat
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from lineage.db.models import Entry, LogHead
from lineage.errors import ConflictError, LogIntegrityError, NotFoundError
from lineage.services import backup, backup_archive, backup_format, backup_tables, intake, publish
from tests import factories
from tests.integration.backups import PASSWORD, Installation

READY_SECONDS = 60.0


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation on SQLite with everything in it, which no test changes."""
    return Installation(tmp_path_factory.mktemp("old"))


@pytest.fixture(scope="module")
def login(old: Installation) -> dict[str, str]:
    """Its people and programs."""
    return old.fill()


@pytest.fixture(scope="module")
def archive(old: Installation, login: dict[str, str]) -> Path:
    """Its backup."""
    path = old.home / "backup.tar.gz"
    old.lineage("backup", str(path))
    return path


@pytest.fixture(scope="module")
def before(old: Installation, archive: Path) -> dict[str, Any]:
    """What must be there after each restore."""
    found = old.picture()
    assert len(found["log"]["log_tile"]) == 2
    assert all(
        found[part][name] for part in ("log", "tables") for name in found[part]
    )  # equal means something
    assert len(found["facts"]) == len(found["log"]["log_entry"]) - 1, "one was redacted"
    return found


@pytest.fixture
def new(tmp_path: Path) -> Installation:
    """Nothing yet but tables, on SQLite."""
    return empty(tmp_path / "new")


def empty(home: Path, database: str = "") -> Installation:
    """A restore makes the tables too, which takes longer than all else."""
    made = bare(home, database)
    made.tables()
    return made


def bare(home: Path, database: str = "") -> Installation:
    """Without a table."""
    home.mkdir()
    return Installation(home, database)


WORKS = """
from django.test import Client
from lineage.services import intake, publish, tokens
from lineage.db.models import Job, Refusal, User
from tests import factories
assert tokens.authenticate(SECRET).scopes == "attest read"
assert User.objects.get(email=EMAIL).check_password(PASSWORD)
assert Client().login(email=EMAIL, password=PASSWORD)
before = publish.published_size()
intake.submit(factories.registered().envelope(factories.statement()), token="t")
assert publish.publish_once().size > before
# New rows get ids of their own.
factories.token("read"), factories.user("officer"), Refusal.objects.create(digest="", slug="s", detail="d")
Job.objects.create(kind="k", queue="short", max_attempts=1, due_us=1, created_us=1)
"""


def assert_works(installation: Installation, login: dict[str, str]) -> None:
    """People and programs are known by their secrets, and the log goes on."""
    values = {"EMAIL": login["email"], "PASSWORD": PASSWORD, "SECRET": login["secret"]}
    program = WORKS
    for name, value in values.items():
        program = program.replace(name, repr(value))
    installation.run(program)


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]


@pytest.mark.service
def test_everything_moves_to_postgresql_and_back(
    archive: Path, before: dict[str, Any], login: dict[str, str], tmp_path: Path, fresh_postgresql: str
) -> None:
    there = bare(tmp_path / "there", fresh_postgresql)
    restored = there.lineage("restore", str(archive))
    assert there.picture() == before
    again = there.home / "again.tar.gz"
    written = there.lineage("backup", str(again))
    assert {name: written[name] for name in ("origin", "entries", "root_hash", "verifier_key")} == {
        name: restored[name] for name in ("origin", "entries", "root_hash", "verifier_key")
    }
    first, second = contents(archive), contents(again)
    differ = {name for name in {*first, *second} if first.get(name) != second.get(name)}
    assert differ == {"header.json", "manifest.json", "manifest.sig"}  # for its time
    back = empty(tmp_path / "back")
    back.lineage("restore", str(again))
    assert back.picture() == before
    assert_works(there, login)
    assert_works(back, login)


def test_everything_is_there_after_a_restore(
    old: Installation, archive: Path, before: dict[str, Any], login: dict[str, str], tmp_path: Path
) -> None:
    new = bare(tmp_path / "new")
    new.lineage("restore", str(archive))
    assert new.picture() == before
    assert_works(new, login)
    assert stat.S_IMODE((new.home / "keys").stat().st_mode) == 0o700
    for key in (new.home / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert key.read_bytes() == (old.home / "keys" / key.name).read_bytes()


def test_the_archive_is_private_complete_and_never_overwrites(
    old: Installation, archive: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "backup.tar.gz"
    assert "can't be written" in old.lineage("backup", str(path), code=1)
    path.parent.mkdir()
    old.lineage("backup", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    content = path.read_bytes()
    assert "there already" in old.lineage("backup", str(path), code=1)
    assert path.read_bytes() == content
    assert b"HOLDS SECRETS" in contents(path)["README.txt"]


def test_without_keys_they_have_to_be_put_back(
    old: Installation, archive: Path, tmp_path: Path, new: Installation
) -> None:
    keyless = tmp_path / "keyless.tar.gz"
    old.lineage("backup", str(keyless), "--without-keys")
    assert not [name for name in contents(keyless) if "pem" in name]
    other = empty(tmp_path / "other")
    shutil.copytree(old.home / "keys", other.home / "keys")
    shutil.copy(other.home / "keys" / "log.pem", other.home / "keys" / "platform.pem")
    assert "not the restored log's" in other.lineage("restore", str(keyless), code=1)
    assert new.lineage("restore", str(keyless))["keys"] is False
    assert "platform's key can't be read" in new.lineage("log", "checkpoint", code=3)
    shutil.copytree(old.home / "keys", new.home / "keys")
    assert new.lineage("log", "checkpoint") == old.lineage("log", "checkpoint")


def test_the_example_is_not_run_into_a_restored_log(archive: Path, tmp_path: Path, new: Installation) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(archive.read_bytes()[:-9])
    assert "cut off" in new.lineage("restore", str(cut), code=1)
    assert not (new.home / "example-done").exists()
    new.lineage("restore", str(archive))
    assert (new.home / "example-done").exists()


def test_a_restore_goes_into_an_empty_database_alone(archive: Path, new: Installation) -> None:
    new.run("from tests import factories; factories.user()", begin=False)
    assert "rows in account_user" in new.lineage("restore", str(archive), code=1)
    new.run("")
    assert "rows in log_head" in new.lineage("restore", str(archive), code=1)
    assert new.run("from lineage.db.models import Entry; print(Entry.objects.count())") == 1


@pytest.mark.parametrize("vendor", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def test_a_restore_killed_in_the_middle_can_be_begun_again(
    archive: Path, tmp_path: Path, vendor: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("fresh_postgresql") if vendor == "postgresql" else ""
    new = empty(tmp_path / "new", url)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with new.start("-m", "lineage.cli", "restore", str(pipe)) as process:
        try:
            with open(pipe, "wb", buffering=0) as writer:
                writer.write(archive.read_bytes()[:-200_000])
                await_transaction(new)
                process.kill()
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (new.home / "keys").exists()
    header = json.loads(contents(archive)["header.json"])
    assert new.lineage("restore", str(archive))["entries"] == header["log"]["size"]


def await_transaction(installation: Installation) -> None:
    """Until the restore has written rows that nobody else can see."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if in_transaction(installation):
            return
        time.sleep(0.1)
    raise AssertionError("the restore did not begin to write")


def in_transaction(installation: Installation) -> bool:
    if not installation.database:
        import sqlite3

        with closing(sqlite3.connect(installation.home / "lineage.sqlite3", timeout=0)) as probe:
            try:
                # Migrated to the end, and yet nobody else can write: it is no migration that holds the lock.
                done = probe.execute("SELECT count(*) FROM django_migrations WHERE app = 'sessions'")
                if not done.fetchone()[0]:
                    return False
                probe.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                return "locked" in str(error)
            return False
    import psycopg

    with psycopg.connect(installation.database) as probe:
        row = probe.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction' AND query LIKE '%account_token%'"
        ).fetchone()
    return row is not None and row[0] > 0


KILLED = """
import os, signal
from pathlib import Path
from lineage.services import restore, restore_keys
place = restore_keys.place
def place_and_die(*arguments):
    place(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
restore_keys.place = place_and_die
restore.read(Path(ARCHIVE), report=lambda done, total: None)
"""


def test_a_restore_killed_between_keys_and_commit_can_be_begun_again(
    archive: Path, before: dict[str, Any], new: Installation
) -> None:
    setup = "import django; django.setup()\n"
    process = new.start("-c", setup + KILLED.replace("ARCHIVE", repr(str(archive))))
    assert process.communicate(timeout=120)[1] == ""
    assert process.returncode == -signal.SIGKILL
    assert len(list((new.home / "keys").iterdir())) == 4
    new.lineage("restore", str(archive))
    assert new.picture() == before


@pytest.fixture
def written(log: None, tmp_path: Path) -> Path:
    return tmp_path / "backup.tar.gz"


def quiet(done: int, total: int) -> None:
    """Nobody looks."""


def entries_of(path: Path) -> list[Any]:
    with tarfile.open(path) as archive:
        names = [name for name in archive.getnames() if name.startswith("log/entries")]
        parts = [archive.extractfile(name).read() for name in names]  # type: ignore[union-attr]
    return [json.loads(line) for part in parts for line in part.splitlines()]


def test_what_is_appended_meanwhile_is_not_in_it(written: Path) -> None:
    who = factories.registered()
    size = LogHead.objects.get().size
    appended = threading.Event()

    def append() -> None:
        intake.submit(who.envelope(factories.statement()), token="t")
        publish.publish_once()
        factories.user()
        connection.close()
        appended.set()

    def report(done: int, total: int) -> None:
        if done == 1:
            threading.Thread(target=append).start()
            assert appended.wait(READY_SECONDS)  # nobody who appends waits for a backup

    done = backup.write(written, with_keys=True, report=report)
    assert LogHead.objects.get().size == size + 1
    assert done.entries == size == len(entries_of(written))
    with tarfile.open(written) as archive:
        assert not [name for name in archive.getnames() if "account_user" in name or "checkpoints" in name]


def test_rows_come_in_parts_of_bounded_size(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    who = factories.registered()
    intake.submit_set([who.envelope(factories.statement()) for _ in range(50)], token="t")
    monkeypatch.setattr(backup_format, "PART_BYTES", 2000)
    monkeypatch.setattr(backup, "_BYTES", 3000)
    monkeypatch.setattr(backup, "_ROWS", 7)
    backup.write(written, with_keys=False, report=quiet)
    with tarfile.open(written) as archive:
        parts = [info for info in archive if info.name.startswith("log/entries")]
    assert len(parts) > 10
    assert max(info.size for info in parts) < 10_000
    assert [row[0] for row in entries_of(written)] == list(range(52))


def test_there_must_be_a_log(transactional_db: None, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        backup.write(tmp_path / "b", with_keys=True, report=quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_is_not_backed_up(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = backup._entries

    def damaged(alias: str, size: int) -> Iterator[tuple[Entry, bytes]]:
        for entry, content in real(alias, size):
            assert isinstance(content, bytes)
            yield entry, content.replace(b"payload", b"Payload")

    monkeypatch.setattr(backup, "_entries", damaged)
    with pytest.raises(LogIntegrityError, match="envelope of entry 0"):
        backup.write(written, with_keys=True, report=quiet)
    assert list(written.parent.iterdir()) == []


def test_an_archive_is_named_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "b"
    with backup_archive.create(path, 0) as archive:
        archive.add("a", b"content")
        assert not path.exists()
    with gzip.open(path) as packed:
        assert packed.read(1)[0] == ord("a")
    with pytest.raises(ConflictError), backup_archive.create(path, 0):
        pass
    with pytest.raises(ZeroDivisionError), backup_archive.create(tmp_path / "c", 0) as archive:
        archive.add("a", bytes(1 // 0))
    assert [found.name for found in tmp_path.iterdir()] == ["b"]


def test_every_table_is_backed_up_or_left_out_for_a_reason() -> None:
    """A new table has to be put into one of the lists."""
    kept = [*backup_tables.LOG_TABLES, *map(backup_tables.name, backup_tables.BACKED_UP)]
    listed = [*kept, *backup_tables.LEFT_OUT]
    assert len(listed) == len(set(listed))
    there = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert there == set(listed) - {"django_migrations"}
    for model in backup_tables.BACKED_UP:
        backup_tables._decoder(model)  # every column has a form

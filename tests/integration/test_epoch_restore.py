"""A backup of an older state is restored, refused, and gone on from: commands, processes, a real server."""

from __future__ import annotations

import json
import os
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lineage.localservices.service import LocalService
from tests import forks, tlog_checker
from tests.integration.backups import CHECKOUT, Installation
from tests.postgresql.databases import fresh_database
from tests.server import started

WAIT_SECONDS = 60.0
FILL = """
from base64 import b64encode
from dataclasses import asdict
from lineage.services import epoch_records, intake, log_audit, proofs, publish
from tests import factories
import msgspec
publish.publish_once()
if COUNT:
    who = factories.registered()
    lines = [who.envelope(factories.statement()) for _ in range(COUNT)]
    digests = [each.receipt.digest for each in intake.submit_set(lines, token="t")]
    publish.publish_once()
newest = publish.newest()
print(json.dumps({
    "envelope": b64encode(lines[0]).decode() if COUNT else "",
    "proof": proofs.of_envelope(digests[0]).decode() if COUNT else "",
    "key": publish.verifier_key(),
    "keys": [asdict(each) for each in publish.verifier_keys()],
    "epochs": msgspec.to_builtins(epoch_records.history()),
    "size": newest.size, "root": newest.root_hash, "note": newest.note.decode(),
    "wrong": log_audit.audit().wrong,
}))
"""
REFUSED = """
from lineage.errors import RollbackError
from tests import factories
try:
    factories.registered()
except RollbackError as error:
    print(json.dumps(error.message))
"""


def fill(installation: Installation, count: int) -> dict[str, Any]:
    """So many entries more, and what the log says of itself then."""
    found: dict[str, Any] = installation.run(FILL.replace("COUNT", str(count)))
    assert found["wrong"] == ""
    return found


Other = Callable[[Path], Installation]


def on_sqlite(home: Path) -> Installation:
    """An installation in that home on a database that holds nothing yet but its tables."""
    home.mkdir(exist_ok=True)
    for path in home.glob("lineage.sqlite3*"):
        path.unlink()
    return with_tables(Installation(home))


def with_tables(installation: Installation) -> Installation:
    """A restore makes them too, and takes longer than all else here; `test_backup` shows it."""
    installation.tables()
    return installation


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def other(request: pytest.FixtureRequest) -> Iterator[Other]:
    """`other(home)` is an installation in that home on a database that holds nothing yet."""
    if request.param == "sqlite":
        yield on_sqlite
        return
    service: LocalService = request.getfixturevalue("postgresql_service")
    with ExitStack() as stack:

        def on_postgresql(home: Path) -> Installation:
            home.mkdir(exist_ok=True)
            return with_tables(Installation(home, stack.enter_context(fresh_database(service.url))))

        yield on_postgresql


def put_back(other: Other, home: Path) -> tuple[Installation, dict[str, Any], dict[str, Any]]:
    """A log of which an older state was put back; what it said of itself then, and what it said last."""
    first = other(home)
    kept = fill(first, 5)
    first.lineage("backup", str(home / "old.tar.gz"))
    lost = fill(first, 4)
    second = other(home)
    process = second.start("-m", "lineage.cli", "restore", str(home / "old.tar.gz"))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert f"{lost['size']:,} entries were published" in err
    assert "lineage log new-epoch" in err
    return second, kept, lost


def verified(folder: Path, proof: str, *keys: str) -> tuple[int, str]:
    """What `lineage verify` says in an empty folder, with nothing around."""
    folder.mkdir(exist_ok=True)
    (folder / "p").write_text(proof)
    options = [option for key in keys for option in ("--root", key)]
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.environ["PATH"]}
    done = forks.run(["-m", "lineage.cli", "verify", "p", *options], env=environment, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_an_old_backup_is_refused_and_gone_on_from(other: Other, tmp_path: Path) -> None:
    log, kept, lost = put_back(other, tmp_path / "home")
    assert "put back" in log.run(REFUSED)
    done = log.lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")
    assert (done["epoch"], done["from_size"], done["entry"]["index"]) == (2, kept["size"], kept["size"])
    assert (done["lost"]["size"], done["lost"]["root"]) == (lost["size"], lost["root"])
    assert "any more" in log.lineage("log", "new-epoch", "--reason", "again", "--yes", code=1)
    fresh = fill(log, 3)
    assert fresh["key"] == done["verifier_key"] != kept["key"]
    assert "/epoch-2\n" in fresh["note"]
    # Whoever pinned a key before or after, with nothing else around.
    old, new, folder = kept["key"], fresh["key"], tmp_path / "empty"
    assert verified(folder, kept["proof"], old)[0] == 0
    code, words = verified(folder, fresh["proof"], old)
    assert (code, new in words) == (2, True)
    code, words = verified(folder, fresh["proof"], new)
    assert (code, "is in epoch 2" in words) == (0, True)
    code, words = verified(folder, lost["proof"], old, new)
    assert (code, "only a proof of epoch 2 shows" in words) == (0, True)
    # A log with two epochs is backed up and restored like any other.
    log.lineage("backup", str(tmp_path / "two.tar.gz"))
    third = other(tmp_path / "third")
    assert third.lineage("restore", str(tmp_path / "two.tar.gz"))["verifier_key"] == new
    told = fill(third, 0)
    assert {name: told[name] for name in ("keys", "epochs", "note")} == {
        name: fresh[name] for name in ("keys", "epochs", "note")
    }
    assert "/epoch-2\n" in fill(third, 2)["note"]


def test_the_newer_database_turns_up_later(tmp_path: Path) -> None:
    """It lacks what the new epoch has published, and goes on by another: no name has two trees."""
    home = tmp_path / "home"
    first = on_sqlite(home)
    kept = fill(first, 2)
    first.lineage("backup", str(home / "old.tar.gz"))
    lost = fill(first, 6)
    shutil.copy(home / "lineage.sqlite3", tmp_path / "newer")
    log = on_sqlite(home)
    log.lineage("restore", str(home / "old.tar.gz"))
    log.lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")
    second = fill(log, 1)
    assert kept["size"] < second["size"] < lost["size"]
    log = on_sqlite(home)
    shutil.copy(tmp_path / "newer", home / "lineage.sqlite3")
    assert "don't begin with these" in log.run(REFUSED)
    done = log.lineage("log", "new-epoch", "--reason", "the disk was found", "--yes")
    assert (done["epoch"], done["from_size"]) == (3, lost["size"])
    assert done["lost"]["origin"] == second["note"].split("\n")[0]
    third = fill(log, 1)
    assert "/epoch-3\n" in third["note"]
    assert [each["epoch"] for each in third["keys"]] == [3, 1]


def test_the_server_goes_on_by_itself_once_it_is_decided(tmp_path: Path) -> None:
    """Started on the restored database, it refuses; after the decision it needs no restart."""
    log, kept, lost = put_back(on_sqlite, tmp_path / "home")
    database = {"LINEAGE_DATABASE_URL": "", "LINEAGE_DEMO": "0"}
    with started(log.home, **database) as server:

        def post(envelope: str) -> tuple[int, str]:
            kind = "application/vnd.in-toto+json"
            answer = server.call("POST", "/api/v1/attestations", b64decode(envelope), kind)
            return answer.status, str(answer.json().get("type", "")).rpartition(":")[2]

        # Whose key was registered in what is lost: not to be told that it is unknown.
        assert post(lost["envelope"]) == (503, "rolled-back")
        assert post(kept["envelope"]) == (503, "rolled-back")
        done = log.lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")
        assert post(kept["envelope"]) == (200, "")  # it is there, and nothing is added
        assert post(lost["envelope"]) == (422, "signer-unknown")  # until its key is registered again
        until, note = time.monotonic() + WAIT_SECONDS, ""
        while "/epoch-2\n" not in note and time.monotonic() < until:
            time.sleep(0.1)
            note = server.call("GET", "/log/checkpoint").data.decode()
        size, _ = tlog_checker.check(f"{server.url}/log", done["verifier_key"])
        assert size == kept["size"] + 1
        with pytest.raises(AssertionError, match="did not sign"):
            tlog_checker.check(f"{server.url}/log", kept["key"])


DIE = """
import os, signal
from lineage.services import access_records, append, high_water, log_batch, new_epoch, publish
def die(*_a, **_k):
    os.kill(os.getpid(), signal.SIGKILL)
def after(real):
    def called(*a, **k):
        real(*a, **k)
        die()
    return called
"""
POINTS = {
    "before the entry": ("append.append = die", 0),
    "before its rows": ("log_batch.Batch.write = die", 0),
    "before the commit": ("log_batch.Batch.write = after(log_batch.Batch.write)", 0),
    "after the commit": ("access_records.decided = die", 1),
}
BEGIN = "new_epoch.begin('why', person='os:a')"
AGAIN = """
from lineage.db.models import LogHead
from lineage.errors import ConflictError
from lineage.services import epoch_records, new_epoch
before = LogHead.objects.get(pk=1).size
try:
    new_epoch.begin("once more", person="os:a")
    refused = False
except ConflictError:
    refused = True
print(json.dumps([before, LogHead.objects.get(pk=1).size, refused, len(epoch_records.history())]))
"""


def killed(installation: Installation, program: str) -> None:
    process = installation.start("-c", f"import django; django.setup()\n{DIE}{program}")
    out, err = process.communicate(timeout=60)
    assert process.returncode == -9, out + err


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The home of a log that was rolled back, which each test copies, and its size."""
    log, kept, _ = put_back(on_sqlite, tmp_path_factory.mktemp("old") / "home")
    return log.home, kept["size"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_between_any_two_writes_it_has_decided_or_not(
    point: str, old: tuple[Path, int], tmp_path: Path
) -> None:
    home, size = old
    log = Installation(Path(shutil.copytree(home, tmp_path / "home")))
    patch, decided = POINTS[point]
    killed(log, f"{patch}\n{BEGIN}")
    assert log.run(AGAIN) == [size + decided, size + 1, bool(decided), 1]
    # Killed before the high-water file is replaced: the next round does it.
    killed(log, "high_water.keep = die\npublish.publish_once()")
    assert "/epoch-2\n" not in (log.home / "high-water").read_text()
    assert fill(log, 0)["size"] == size + 1
    assert "/epoch-2\n" in (log.home / "high-water").read_text()


def test_keys_of_the_platform_that_were_changed_in_what_is_lost(tmp_path: Path) -> None:
    """The folder has the newer keys; the restored log names the older ones, which are kept beside them."""
    home = tmp_path / "home"
    first = on_sqlite(home)
    fill(first, 2)
    first.lineage("backup", str(home / "old.tar.gz"), "--without-keys")
    rotate = "from lineage.services import own_keys\n" + "".join(
        f"own_keys.rotate({role!r}, person='p', overlap_us=0)\n" for role in ("log", "platform")
    )
    first.run(rotate)
    fill(first, 2)
    log = on_sqlite(home)
    log.lineage("restore", str(home / "old.tar.gz"))
    assert "put back" in json.dumps(log.run(REFUSED))
    assert log.lineage("log", "new-epoch", "--reason", "the disk failed", "--yes")["epoch"] == 2
    fill(log, 2)
    log.run(rotate)
    assert [each["epoch"] for each in fill(log, 2)["keys"]] == [2, 2, 1]

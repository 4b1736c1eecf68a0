"""The database's disk is full: posts are refused in clear words, and nothing acknowledged is lost.

Reading goes on, and as soon as there is room all else does by itself: nothing is started again.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineage.errors import UnavailableError
from lineage.localservices.postgresql import Postgresql
from lineage.localservices.service import Launch
from lineage.trust.keys import generate_ed25519
from tests.bench import load
from tests.crash.conftest import Traces
from tests.crash.running import Installation, Senders, until
from tests.crash.small_disk import PLACE, SmallDisk, small_disk
from tests.services import unavailable

pytestmark = pytest.mark.service
MEGABYTES = 48


class SmallPostgresql(Postgresql):
    """A cluster whose processes have the small disk too, beside the one that its own data are on."""

    def __init__(self, directory: Path, disk: SmallDisk) -> None:
        super().__init__(directory)
        self._disk = disk

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        with super()._launch() as launch:
            # Only root may enter; then it is who it would have been. Changing that forgets whose child it is.
            become = ("setpriv", f"--reuid={launch.user}", f"--regid={launch.group}", "--clear-groups")
            command = [*self._disk.inside, *become, "--pdeathsig=INT", *launch.command]
            yield Launch(command, files=launch.files)

    def database(self) -> str:
        """The URL of a new database whose tables and indexes are on the small disk."""
        folder = self._disk.seen / "tables"
        folder.mkdir()
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        with self._connect("postgres", "superuser-password", "postgres") as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{PLACE}/tables'".encode())
            connection.execute(b"CREATE DATABASE small OWNER lineage TABLESPACE small")
        return self.url.rpartition("/")[0] + "/small"


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def on_small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SmallDisk, Installation]]:
    with small_disk(MEGABYTES) as disk:
        if request.param == "SQLite":
            made = Installation(Path(PLACE), inside=disk.inside, seen=disk.seen)
            yield disk, made
            made.kill()
            return
        if os.geteuid():
            pytest.skip("only root starts PostgreSQL on a small disk")
        service = SmallPostgresql(tmp_path / "cluster", disk)
        try:
            service.start()
        except UnavailableError as error:
            unavailable(f"{error.message} {error.hint}".rstrip())
        try:
            (tmp_path / "home").mkdir()
            made = Installation(tmp_path / "home", service.database())
            yield disk, made
            made.kill()
        finally:
            service.kill()


def test_a_full_disk(on_small_disk: tuple[SmallDisk, Installation], traces: Traces) -> None:
    disk, installation = on_small_disk
    trace = traces.new("a full disk")
    installation.start()
    key = generate_ed25519()
    installation.server.register(key.public.pem(), "crash")
    senders = Senders(installation.server, lambda count: load.envelopes(key, count), told=trace.acknowledged)
    until("it publishes", lambda: installation.server.call("GET", "/log/checkpoint").status == 200)
    try:
        senders.start()
        until("it acknowledges", lambda: len(senders.acknowledged) > 50)
        disk.fill()
        until("it refuses", lambda: len(senders.unanswered) > 50)
    finally:
        senders.end()
    assert set(senders.refused) == {"The storage is full: nothing was written."}
    refused, told = len(senders.unanswered), len(senders.acknowledged)
    assert installation.server.call("GET", "/log/checkpoint").status == 200
    for digest in list(senders.acknowledged)[-3:]:
        assert installation.server.call("GET", f"/api/v1/attestations/sha256:{digest}").status == 200
    installation.reread(trace).holds(senders.acknowledged)
    disk.make_room()
    senders.send_again()
    assert len(senders.acknowledged) == told + refused
    size = told + refused + 2
    until("all of it is published", lambda: installation.reread().published == size)
    until("the graph is level", lambda: installation.ask("SELECT projected FROM graph_state")[0][0] == size)
    assert all(process.poll() is None for process in installation.processes.values())
    installation.reread(trace).holds(senders.acknowledged)
    installation.audited()

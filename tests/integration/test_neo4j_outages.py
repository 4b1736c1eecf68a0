"""Neo4j stopped, killed in the middle of a batch, started on an older copy of its store; readers meanwhile.

They stop and start the session's; each begins with an empty one.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage.errors import UnavailableError
from lineage.graph.backend import Direction, Walk
from lineage.graph.neo4j import store
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.driver import Client
from lineage.localservices.service import LocalService
from lineage.service_urls import Bolt
from lineage.services import project_neo4j
from tests.integration.neo4j_graphs import expected, follow, projecting_into, stored
from tests.integration.projections import RandomLog
from tests.services import CONSTRAINTS, wipe_neo4j

pytestmark = pytest.mark.service


@pytest.fixture
def own(neo4j_service: LocalService) -> Iterator[LocalService]:
    wipe_neo4j(neo4j_service.url, but=CONSTRAINTS)
    yield neo4j_service
    neo4j_service.start()  # where a test that failed has left it stopped


@pytest.fixture
def bolt(log: None, own: LocalService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bolt]:
    with projecting_into(own.url, monkeypatch) as bolt:
        yield bolt


@pytest.fixture
def grown(bolt: Bolt) -> RandomLog:
    grown = RandomLog(11)
    grown.grow(20)
    follow()
    return grown


def test_killed_in_a_batch_stopped_and_given_an_old_store(
    bolt: Bolt, own: LocalService, grown: RandomLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One after the other on one log: each start takes longer than all that is asked after it."""
    backend = Neo4jBackend(bolt)
    old = project_neo4j.graph().state()
    assert old is not None

    # Killed when the rows are written and the watermark is not: nothing of the batch is there afterwards.
    advance = store._Batch._advance

    def killed(batch: store._Batch) -> store.State:
        own.kill()
        return advance(batch)

    grown.grow(10)
    with monkeypatch.context() as patch:
        patch.setattr(store._Batch, "_advance", killed)
        with pytest.raises(UnavailableError):
            project_neo4j.project_pending()
    shutil.copytree(own.directory / "home", tmp_path / "old")
    own.start()
    assert project_neo4j.graph().state() == old
    follow()
    assert stored(bolt) == expected()

    # Killed after the commit, before its answer: the batch is there, once.
    grown.grow(10)
    before = project_neo4j.watermark()
    with monkeypatch.context() as patch:
        write = Client.write

        def written(self: Client, *given: object, **named: object) -> None:
            write(self, *given, **named)  # type: ignore[arg-type]
            own.kill()
            raise UnavailableError("the connection ended before the answer")

        patch.setattr(Client, "write", written)
        with pytest.raises(UnavailableError):
            project_neo4j.project_pending()
    own.start()
    assert project_neo4j.watermark() > before
    follow()
    assert stored(bolt) == expected()

    # Stopped, which is told, and started on what it was when it was killed first.
    own.stop()
    grown.grow(10)
    for call in (project_neo4j.project_pending, project_neo4j.watermark, backend.projected):
        with pytest.raises(UnavailableError) as refused:
            call()
        assert bolt.password not in refused.value.message
    shutil.rmtree(own.directory / "home")
    shutil.copytree(tmp_path / "old", own.directory / "home")
    own.start()
    assert project_neo4j.graph().state() == old
    assert backend.projected() == old.projected
    assert follow() > 20
    healed = project_neo4j.graph().state()
    assert healed is not None
    assert healed.generation == old.generation, "caught up, not rebuilt"
    assert stored(bolt) == expected()


def test_emptied_during_a_question(bolt: Bolt, grown: RandomLog) -> None:
    backend = Neo4jBackend(bolt)
    state = project_neo4j.graph().state()
    assert state is not None

    def question(*_: object) -> None:
        project_neo4j.graph().reset(state, state.origin, state.rules, "while somebody was reading")

    with pytest.raises(UnavailableError, match="emptied"):
        backend._ask(state.projected, question)
    with pytest.raises(UnavailableError, match="0 of"):
        backend.closure(Walk("key:00", Direction.ANCESTORS, state.projected))
    follow()
    assert backend.projected() == state.projected


def freeze(pid: int) -> None:
    """Stop a process and return once none of its threads runs: on a busy machine some go on for a while."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while any(state(path) not in "TtZX" for path in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.01)


def state(task: Path) -> str:
    """The letter of a thread's state, which follows its name. Source: proc(5), /proc/pid/stat."""
    return (task / "stat").read_text().rpartition(") ")[2][0]


def test_a_server_that_hangs(bolt: Bolt, own: LocalService, grown: RandomLog) -> None:
    """It keeps its connections and says nothing: the question ends by itself."""
    backend = Neo4jBackend(bolt)
    assert backend.projected()
    freeze(own.pid)
    try:
        with pytest.raises(UnavailableError):
            backend.projected()
    finally:
        os.kill(own.pid, signal.SIGCONT)
    assert backend.projected()

"""Local services as real processes: started, stopped, killed, orphaned, started again on the same data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lineage import processes
from lineage.errors import ConflictError, UnavailableError
from lineage.localservices import neo4j, postgresql, redis, service
from lineage.localservices.service import LocalService
from tests.server import CHECKOUT
from tests.services import unavailable, wipe_neo4j

pytestmark = pytest.mark.service

STARTS = {"postgresql": postgresql.start, "redis": redis.start, "neo4j": neo4j.start}
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def started(neo4j_service: LocalService) -> Iterator[dict[str, LocalService]]:
    """Those that a test of this module has asked for; Neo4j, which takes long to start, is the session's."""
    services = {"neo4j": neo4j_service}
    yield services
    for one in services.values():
        if one is not neo4j_service:
            one.stop()
    neo4j_service.start()


def get(
    kind: str, started: dict[str, LocalService], tmp_path_factory: pytest.TempPathFactory
) -> LocalService:
    """One that runs, and that the test may end."""
    if kind not in started:
        try:
            started[kind] = STARTS[kind](tmp_path_factory.mktemp(kind))
        except UnavailableError as error:
            unavailable(f"{error.message} {error.hint}".rstrip())
    started[kind].start()
    return started[kind]


@pytest.fixture(params=STARTS)
def own(
    request: pytest.FixtureRequest,
    started: dict[str, LocalService],
    tmp_path_factory: pytest.TempPathFactory,
) -> LocalService:
    return get(request.param, started, tmp_path_factory)


@pytest.fixture(params=["postgresql", "redis"])
def quick(
    request: pytest.FixtureRequest,
    started: dict[str, LocalService],
    tmp_path_factory: pytest.TempPathFactory,
) -> LocalService:
    """For what is the same code for all of them."""
    return get(request.param, started, tmp_path_factory)


@pytest.fixture
def own_postgresql(
    started: dict[str, LocalService], tmp_path_factory: pytest.TempPathFactory
) -> LocalService:
    return get("postgresql", started, tmp_path_factory)


def answers(one: LocalService) -> bool:
    """Whether whoever has only the URL is served."""
    if one.url.startswith("redis:"):
        from redis import Redis

        with Redis.from_url(one.url, socket_timeout=30) as client:
            return bool(client.ping())
    if one.url.startswith("postgresql:"):
        import psycopg

        with psycopg.connect(one.url, connect_timeout=30) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    wipe_neo4j(one.url)
    return True


def until_gone(pids: list[int]) -> None:
    until(lambda: not any(map(processes.alive, pids)), f"the end of {pids}")


def until(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_it_answers_stops_and_starts_again_at_the_same_address(own: LocalService) -> None:
    """Stopped; ended with the process that had started it. One life: Neo4j takes long to start."""
    assert own.running
    assert answers(own)
    url, family = own.url, [own.pid, *processes.descendants(own.pid)]
    own.start()  # does nothing where it runs
    assert own.pid == family[0]
    own.stop()
    assert not own.running
    assert [pid for pid in family if processes.alive(pid)] == []
    ended_with_its_parent(own)
    own.start()
    assert own.url == url
    assert answers(own)


def test_it_is_killed_and_starts_again_at_the_same_address(quick: LocalService) -> None:
    """As Neo4j does in `test_neo4j_outages`."""
    url, family = quick.url, [quick.pid, *processes.descendants(quick.pid)]
    quick.kill()
    assert [pid for pid in family if processes.alive(pid)] == []
    with pytest.raises(UnavailableError):
        quick.pid  # noqa: B018
    quick.kill()  # does nothing
    quick.start()
    assert quick.url == url
    assert answers(quick)


def ended_with_its_parent(own: LocalService) -> None:
    """Another process starts it, where it serves the same, and is killed."""
    kind = kind_of(own)
    program = (
        f"import sys, time; from pathlib import Path; from lineage.localservices import {kind} as kind;"
        "s = kind.start(Path(sys.argv[1])); print(s.pid, s.url, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(own.directory)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as parent:
        assert parent.stdout is not None
        pid, url = parent.stdout.readline().split()
        family = [int(pid), *processes.descendants(int(pid))]
        assert processes.alive(family[0])
        assert (url, answers(own)) == (own.url, True)
        parent.kill()
    until_gone(family)


def test_killed_by_somebody_else_it_comes_back(quick: LocalService) -> None:
    os.kill(quick.pid, signal.SIGKILL)
    until(lambda: not quick.running, "its end")
    quick.start()
    assert answers(quick)


def test_a_stopped_process_can_be_killed(quick: LocalService) -> None:
    os.kill(quick.pid, signal.SIGSTOP)
    quick.kill()
    assert not quick.running


def test_files_are_the_owners_alone(own: LocalService) -> None:
    secrets = [path for path in own.directory.rglob("*password*") if path.is_file()]
    assert secrets
    assert [path for path in secrets if path.stat().st_mode & 0o077] == []
    assert own.directory.stat().st_mode & 0o077 == 0


def test_a_second_one_in_the_same_folder_is_refused(
    own: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PREDECESSOR_SECONDS", 0.1)
    with pytest.raises(ConflictError, match=f"Another {own.name}"):
        start_again(own)
    assert answers(own)


def start_again(own: LocalService) -> LocalService:
    return STARTS[kind_of(own)](own.directory)


def kind_of(own: LocalService) -> str:
    return next(kind for kind in STARTS if kind in own.name.lower())


@pytest.mark.parametrize("kind", STARTS)
def test_a_missing_program_is_said_with_its_debian_package(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql, "PROGRAMS", tmp_path)
    with pytest.raises(UnavailableError, match="not installed") as raised:
        STARTS[kind](tmp_path / "service")
    assert "apt-get install" in raised.value.hint


def test_two_of_a_kind_run_side_by_side(tmp_path: Path, redis_service: LocalService) -> None:
    other = redis.start(tmp_path)
    assert other.port != redis_service.port
    assert answers(redis_service)
    other.stop()


def test_postgresql_keeps_what_was_committed_when_it_is_killed(own_postgresql: LocalService) -> None:
    import psycopg

    with psycopg.connect(own_postgresql.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
    own_postgresql.kill()
    own_postgresql.start()
    with psycopg.connect(own_postgresql.url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW lc_collate").fetchone() == ("C.UTF-8",)
        assert connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False,)


def test_neo4j_takes_no_password_but_its_own(neo4j_service: LocalService) -> None:
    from neo4j import GraphDatabase
    from neo4j.exceptions import AuthError

    address = f"bolt://127.0.0.1:{neo4j_service.port}"
    with (
        GraphDatabase.driver(address, auth=("neo4j", neo4j.FIRST_PASSWORD)) as driver,
        pytest.raises(AuthError),
    ):
        driver.verify_connectivity()


def test_redis_takes_nobody_without_the_password(redis_service: LocalService) -> None:
    from redis import AuthenticationError, Redis

    with Redis(port=redis_service.port, socket_timeout=30) as client, pytest.raises(AuthenticationError):
        client.ping()


def test_fresh_databases_are_new_and_gone_afterwards(fresh_postgresql: str) -> None:
    import psycopg

    name = urlsplit(fresh_postgresql).path[1:]
    with psycopg.connect(fresh_postgresql) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (name,)
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)


def test_fresh_redis_and_neo4j_are_empty(fresh_redis: str, fresh_neo4j: str) -> None:
    from neo4j import GraphDatabase
    from redis import Redis

    with Redis.from_url(fresh_redis, socket_timeout=30) as client:
        assert client.dbsize() == 0
    parts = urlsplit(fresh_neo4j)
    auth = (str(parts.username), str(parts.password))
    with GraphDatabase.driver(f"bolt://{parts.hostname}:{parts.port}", auth=auth) as driver:
        assert driver.execute_query("MATCH (n) RETURN count(n) AS n").records[0]["n"] == 0

"""`lineage up --full`: PostgreSQL, Redis, Neo4j, web, Celery workers and beat in one real process tree."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from lineage.config import read_environment_file
from lineage.processes import alive
from tests import factories
from tests.integration.uptree import Tree, Up, children, lineage, until
from tests.server import Server, free_port
from tests.services import need_all

pytestmark = pytest.mark.service

SERVICES = ("/bin/postgres -D", "redis-server", "CommunityEntryPoint")
PROCESSES = (
    "lineage.cli.web",
    *("--queues=graph", "--queues=short", "--queues=sync", "--queues=long"),
    " beat ",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    need_all()
    with ExitStack() as ends:
        yield Tree(tmp_path_factory.mktemp("full"), ends)


@pytest.fixture
def running(tree: Tree) -> Up:
    return tree.running("--full")


@pytest.fixture(scope="module")
def token(tree: Tree) -> str:
    """Of every scope that is needed here."""
    scopes = [part for scope in ("attest", "read", "operate") for part in ("--scope", scope)]
    made = lineage(tree.running("--full").home, "tokens", "create", "--name", "tests", *scopes)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture
def server(running: Up, token: str) -> Server:
    return Server(int(running.url.rpartition(":")[2]), running.home, token)


def find(running: Up, part: str) -> int:
    """The process id of the first whose command line has this part, 0 where there is none."""
    return next((pid for pid, words in children(running.process.pid).items() if part in words), 0)


def attest(server: Server) -> int:
    """Send a statement of a fresh key until the graph has it; 201, or the first status that is not."""
    who = factories.signer()
    key = {"name": factories.fresh("full"), "public_key": who.private.public.pem().decode()}
    form = json.dumps(key | {"scopes": {"any": True}}).encode()
    registered = int(server.call("POST", "/api/v1/keys", form).status)
    if registered != 201:
        return registered
    envelope = who.envelope(factories.statement())
    path = "/api/v1/attestations?wait=projected"
    return int(server.call("POST", path, envelope, "application/vnd.in-toto+json").status)


def test_every_service_and_process_runs(running: Up) -> None:
    for part in (*SERVICES, *PROCESSES):
        until(partial(find, running, part), f"{part} to run")  # or to run again


def test_the_settings_point_to_them_and_are_the_owners_alone(running: Up) -> None:
    path = running.home / "environment"
    settings = read_environment_file(path)
    schemes = {
        name: settings[f"LINEAGE_{name}_URL"].partition(":")[0] for name in ("DATABASE", "GRAPH", "BROKER")
    }
    assert schemes == {"DATABASE": "postgresql", "GRAPH": "bolt", "BROKER": "redis"}
    assert path.stat().st_mode & 0o077 == 0
    assert not (running.home / "lineage.sqlite3").exists()


def test_no_password_is_in_a_command_line(running: Up) -> None:
    settings = read_environment_file(running.home / "environment")
    words = " ".join(children(running.process.pid).values())
    for name in ("DATABASE", "GRAPH", "BROKER"):
        assert settings[f"LINEAGE_{name}_URL"].split("@")[0].rpartition(":")[2] not in words


def test_an_attestation_goes_through_to_the_graph(server: Server) -> None:
    assert attest(server) == 201


@pytest.mark.parametrize("part", [*SERVICES, *PROCESSES])
def test_what_is_killed_is_started_again(running: Up, server: Server, part: str) -> None:
    until(partial(find, running, part), f"{part} to run")
    before = find(running, part)
    os.kill(before, signal.SIGKILL)
    until(lambda: find(running, part) not in {0, before}, f"another {part}")
    until(lambda: running.get("/health/ready") == 200 and attest(server) == 201, "it to work again")


def test_started_again_it_has_kept_everything(tree: Tree, running: Up, server: Server) -> None:
    """Killed without a chance, and started without saying `--full` again."""
    size, printed = server.call("GET", "/health/ready").json()["size"], running.printed
    family = children(running.process.pid)
    running.process.kill()
    running.process.wait()
    second = tree.running()
    assert second.printed == printed
    until(lambda: not [pid for pid in family if alive(pid)], "the end of all orphans")
    assert server.call("GET", "/health/ready").json()["size"] == size
    assert attest(server) == 201
    for part in (*SERVICES, *PROCESSES):
        assert find(second, part), part


def test_a_start_without_a_program_says_which(tmp_path: Path) -> None:
    done = lineage(
        tmp_path / "home", "up", "--full", "--no-demo", "--port", str(free_port()), PATH="/nowhere"
    )
    assert done.returncode == 1
    assert "apt-get install" in done.stderr

"""`lineage up` as a person starts it: a real process tree on a free port, in a home of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import urllib3

from lineage.processes import alive
from tests import forks
from tests.integration.uptree import Tree, Up, children, lineage, settings, until
from tests.server import free_port


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """One home for all tests of this module; those that end its processes start them again."""
    with ExitStack() as ends:
        yield Tree(tmp_path_factory.mktemp("up"), ends)


@pytest.fixture
def running(tree: Tree) -> Up:
    return tree.running()


def test_it_serves_and_somebody_can_sign_in(running: Up) -> None:
    assert running.get("/health/ready") == 200
    assert running.get("/accounts/login/") == 200
    assert running.printed["login"] == "operator@localhost"
    who = "from django.contrib.auth import authenticate; import sys;"
    check = f"{who} print(authenticate(email=sys.argv[1], password=sys.argv[2]))"
    done = forks.run(
        ["-c", f"import django; django.setup(); {check}", *_login(running)],
        env=settings(running.home) | {"DJANGO_SETTINGS_MODULE": "lineage.settings"},
        cwd=running.home,
    )
    assert done.stdout == "operator@localhost\n", done.stderr


def _login(running: Up) -> tuple[str, str]:
    return running.printed["login"], running.printed["password"]


def test_the_graph_and_a_checkpoint_follow_what_is_appended(running: Up, tmp_path: Path) -> None:
    lineage(running.home, "keys", "generate", "--out", str(tmp_path / "k"))
    done = lineage(
        running.home,
        "keys",
        "register",
        "--name",
        "k",
        "--public-key",
        str(tmp_path / "k.pub"),
        "--any",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    index = json.loads(done.stdout)["entry"]["index"]

    def followed() -> bool:
        ready = urllib3.request("GET", running.url + "/health/ready").json()
        return bool(min(ready["projected"], ready["published"]) > index)

    until(followed, "the worker to follow")
    assert lineage(running.home, "doctor").returncode == 0


def test_its_files_are_its_owners_alone(running: Up) -> None:
    """But for what the server gives to anybody."""
    public = running.home / "static"
    private = [path for path in running.home.rglob("*") if public not in (path, *path.parents)]
    assert {path.name for path in private} > {"environment", "lineage.sqlite3", "platform.pem"}
    assert [path for path in private if path.lstat().st_mode & 0o077] == []


@pytest.mark.parametrize("ending", ["worker", "lineage.cli.web"])
def test_a_killed_child_is_started_again(running: Up, ending: str) -> None:
    before = running.child(ending)
    os.kill(before, signal.SIGKILL)
    until(lambda: not alive(before), "the end of the killed child")
    until(lambda: running.child(ending) != before, f"another {ending}")
    until(lambda: running.get("/health/ready") == 200, "it to serve again")
    assert (
        f"{ending.rpartition('.')[2]} ended (killed by SIGKILL)"
        in (running.home.parent / "stderr").read_text()
    )


def test_a_second_one_on_the_same_home_is_refused(running: Up) -> None:
    before = (running.home / "environment").read_text()
    done = lineage(running.home, "up", "--no-demo", "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert "running already" in done.stderr
    assert str(running.process.pid) in done.stderr
    assert (running.home / "environment").read_text() == before


def test_a_port_in_use_is_said_in_one_line(running: Up, tmp_path: Path) -> None:
    done = lineage(tmp_path / "home", "up", "--no-demo", "--port", running.url.rpartition(":")[2])
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "--port" in done.stderr


def test_it_stops_cleanly_and_goes_on_where_it_was(tree: Tree, running: Up, record_property: Any) -> None:
    """By Ctrl-C; the last tree of all is ended by SIGTERM."""
    family = children(running.process.pid)
    assert len(family) >= 3
    assert running.stop() == 0
    assert not [pid for pid in family if alive(pid)]
    environment = (running.home / "environment").read_text()
    started = time.perf_counter()
    second = tree.running()
    record_property("seconds to the second start", round(time.perf_counter() - started, 2))
    assert second.printed == running.printed
    assert (running.home / "environment").read_text() == environment


def test_no_orphan_survives_a_killed_parent_and_the_next_start_works(tree: Tree, running: Up) -> None:
    family = children(running.process.pid)
    running.process.kill()
    running.process.wait()
    assert tree.running().get("/health/ready") == 200
    until(lambda: not [pid for pid in family if alive(pid)], "the end of all orphans")


def test_a_wrong_setting_stops_the_start_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("LINEAGE_CHECKPOINT_SECONDS=soon\n")
    done = lineage(tmp_path, "up", "--no-demo")
    assert done.returncode == 3
    assert "LINEAGE_CHECKPOINT_SECONDS" in done.stderr

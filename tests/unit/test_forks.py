"""What a process that begins as a fork has in common with one of its own, and what not."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests import forks

ENVIRONMENT = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "lineage.settings"}
SETTINGS = """
import django; django.setup()
from django.conf import settings
from django.db import connection
from lineage.config import current
print(current().home, settings.STATIC_ROOT, connection.settings_dict["NAME"], connection.vendor)
"""
WRITTEN = """
import sqlite3
kept = sqlite3.connect("file", isolation_level=None)
kept.execute("PRAGMA journal_mode=WAL")
kept.execute("CREATE TABLE t (a)")
"""


@pytest.mark.parametrize(
    "program",
    ["print('said')", "raise SystemExit('why')", "raise SystemExit(4)", "1/0", "import no_such_module",
     "import os; os.kill(os.getpid(), 15)", "import atexit; atexit.register(print, 'at exit')",
     "import threading; threading.Timer(0.1, print, ['by a thread']).start()",
     "import sys; print(sys.argv, sys.stdin.read(), __name__)"],
)  # fmt: skip
def test_it_ends_and_says_as_a_process_of_its_own(program: str, tmp_path: Path) -> None:
    arguments = ["-c", program, "a", "b"]
    forked = forks.run(arguments, env=ENVIRONMENT, cwd=tmp_path)
    own = subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, cwd=tmp_path, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (forked.returncode, forked.stdout) == (own.returncode, own.stdout)
    assert forked.stderr.splitlines()[-1:] == own.stderr.splitlines()[-1:]


def test_a_script_is_run_as_by_python_itself(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    script = tmp_path / "script.py"
    script.write_text("import sys, beside; print(__name__, __file__, sys.argv, sys.path[0], beside.NAME)")
    arguments = [str(script), "a"]
    forked = forks.run(arguments, env=ENVIRONMENT, cwd=Path("/"))
    own = subprocess.run(
        [sys.executable, *arguments], env=ENVIRONMENT, cwd="/", capture_output=True, text=True, check=True
    )
    assert (forked.returncode, forked.stdout, forked.stderr) == (0, own.stdout, "")


def test_a_file_that_it_is_given_stays_open_in_it_alone(tmp_path: Path) -> None:
    with open(tmp_path / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = forks.start(
            ["-c", "import time; time.sleep(600)"], env=ENVIRONMENT, cwd=tmp_path, files=[lock.fileno()]
        )
    with open(tmp_path / "lock", "wb") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
        process.wait()
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_its_settings_are_those_of_its_own_environment(tmp_path: Path) -> None:
    for name in ("one", "two"):
        home = tmp_path / name
        said = forks.run(["-c", SETTINGS], env={**ENVIRONMENT, "LINEAGE_HOME": str(home)}, cwd=tmp_path)
        assert said.stdout.split() == [str(home), f"{home}/static", f"{home}/lineage.sqlite3", "sqlite"]
    url = {"LINEAGE_DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d", "LINEAGE_HOME": str(tmp_path)}
    said = forks.run(["-c", SETTINGS], env={**ENVIRONMENT, **url}, cwd=tmp_path)
    assert said.stdout.split()[2:] == ["d", "postgresql"]


def test_at_its_end_a_database_is_one_file(tmp_path: Path) -> None:
    assert forks.run(["-c", WRITTEN], env=ENVIRONMENT, cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with closing(sqlite3.connect(tmp_path / "file")) as database:
        assert database.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_a_group_of_its_own_is_killed_whole(tmp_path: Path) -> None:
    # By one call each: what `print` writes in two, both processes may write in turns.
    program = "import os, time; os.fork(); os.write(1, b'here '); time.sleep(600)"
    with open(tmp_path / "said", "wb") as output:
        process = forks.start(["-c", program], env=ENVIRONMENT, cwd=tmp_path, output=output, group=True)
    while len((tmp_path / "said").read_text().split()) < 2:
        assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.poll() == -signal.SIGKILL


STARTS = """
from pathlib import Path
from tests import forks
print(forks.start(["-c", "import time; time.sleep(600)"], env={}, cwd=Path.cwd()).pid)
"""


def test_who_started_it_does_not_leave_it_behind(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONPATH": str(forks.CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", STARTS], env=environment, cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert not Path(f"/proc/{done.stdout.strip()}").exists()

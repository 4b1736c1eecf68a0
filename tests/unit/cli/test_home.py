"""What `lineage up` keeps in its home, and that only one of them works there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.cli import home as homes
from lineage.config import read_environment_file
from lineage.errors import ConfigurationError, ConflictError


def test_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    homes.make(tmp_path / "a/home")
    assert (tmp_path / "a/home").stat().st_mode & 0o777 == 0o700
    homes.make(tmp_path / "a/home")


def test_a_home_that_can_not_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="LINEAGE_HOME"):
        homes.make(tmp_path / "file/home")


def test_settings_are_remembered_beside_those_that_a_person_wrote(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("# mine\nLINEAGE_ALLOWED_HOSTS=lineage.example.org\nLINEAGE_PORT=1\n")
    homes.remember(tmp_path, {"LINEAGE_PORT": "2", "LINEAGE_HOST": "127.0.0.1"})
    assert read_environment_file(path) == {
        "LINEAGE_ALLOWED_HOSTS": "lineage.example.org",
        "LINEAGE_HOST": "127.0.0.1",
        "LINEAGE_PORT": "2",
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["environment"]


def test_nothing_new_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    path.write_text("# mine\nLINEAGE_PORT=1\n")
    homes.remember(tmp_path, {"LINEAGE_PORT": "1"})
    assert path.read_text() == "# mine\nLINEAGE_PORT=1\n"


def test_the_first_login_is_kept_until_somebody_deletes_it(tmp_path: Path) -> None:
    assert homes.read_login(tmp_path) is None
    homes.write_login(tmp_path, homes.Login("a@example.org", "p w"))
    assert homes.read_login(tmp_path) == homes.Login("a@example.org", "p w")
    assert (tmp_path / "initial-login").stat().st_mode & 0o777 == 0o600


def test_the_example_is_remembered(tmp_path: Path) -> None:
    assert not homes.example_done(tmp_path)
    homes.mark_example_done(tmp_path)
    assert homes.example_done(tmp_path)


HOLD = """
import sys
from pathlib import Path
from lineage.cli import home
with home.locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_holds_a_home_until_it_ends_however_it_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConflictError, match=str(holder.pid)), homes.locked(tmp_path):
            raise AssertionError("two processes hold one home")
        holder.kill()
        holder.wait()
        with homes.locked(tmp_path):
            assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"

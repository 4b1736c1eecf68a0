"""`lineage up` with the platform's keys in a token: every process signs, keys are rotated beside it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.trust import checkpoint
from tests import softhsm
from tests.integration.uptree import lineage, until, up
from tests.server import free_port

pytestmark = pytest.mark.service

Run = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose settings name a new token."""
    token = softhsm.make(tmp_path / "hsm")
    for name, value in token.environment.items():
        monkeypatch.setenv(name, value)
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    (made / "environment").write_text(f"LINEAGE_KEYS={token.uri()}\n")
    (made / "environment").chmod(0o600)
    return made


@pytest.fixture
def run(home: Path) -> Run:
    def command(*arguments: str, code: int | None = 0) -> Any:
        """The answer, or what was said where it ended with another code; None: whichever code it was."""
        done = lineage(home, *arguments, "--json")
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return command


def published(run: Run) -> Any:
    """The newest checkpoint, once it covers the whole log."""

    def all_of_it() -> Any:
        stats, note = run("graph", "stats"), run("log", "checkpoint", code=None)
        return note if isinstance(note, dict) and note["size"] == stats["entries"] else None

    return until(all_of_it, "a checkpoint over everything")


def test_an_installation_lives_on_a_token(home: Path, run: Run, tmp_path: Path) -> None:
    port = free_port()
    with up(home, port, tables=True) as started:
        assert started.get("/health/ready") == 200
        run("keys", "generate", "--out", str(tmp_path / "k"))
        run("keys", "register", "--name", "k", "--public-key", str(tmp_path / "k.pub"), "--any")
        old = run("log", "key")["verifier_key"]
        before = published(run)
        assert checkpoint.verify(before["note"].encode(), old).size == before["size"] == 2
        for role in ("log", "platform"):
            run("keys", "rotate-platform", role)
        after = published(run)
        new = run("log", "key")["verifier_key"]
        assert new != old
        for known in (old, new):
            assert checkpoint.verify(after["note"].encode(), known).size == after["size"] == 4
        keys = next(each for each in run("doctor") if each["check"] == "keys")
        assert (keys["ok"], "the token keeps them" in keys["words"]) == (True, True)
    with up(home, port) as again:
        assert again.get("/health/ready") == 200
    assert not list(home.glob("keys/*.pem"))
    archive = tmp_path / "backup.tar.gz"
    assert run("backup", str(archive))["keys"] is False
    with tarfile.open(archive) as opened:
        assert not [name for name in opened.getnames() if name.startswith("keys")]
    for file in home.glob("lineage.sqlite3*"):
        file.unlink()
    assert run("restore", str(archive))["keys"] is True  # they are in the token
    assert run("log", "key")["verifier_key"] == new


def test_what_is_wrong_with_the_token_stops_the_start_in_one_line(home: Path, run: Run) -> None:
    settings = (home / "environment").read_text()
    (home / "environment").write_text(settings.replace("token=lineage%20tests", "token=another"))
    assert "does not show the token another" in lineage(home, "prepare").stderr
    (home / "environment").write_text(settings)
    pin = home.parent / "hsm" / "pin"
    pin.write_text("wrong")
    done = lineage(home, "prepare")
    assert (done.returncode, "is wrong or has expired" in done.stderr) == (3, True)
    assert "Traceback" not in done.stderr

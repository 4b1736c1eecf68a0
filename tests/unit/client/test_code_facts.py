"""Which code runs, asked of real git repositories."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.client.code_facts import CodeFacts, code_facts
from lineage.client.programs import answer, answer_sha256


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/train.py").write_text("print(1)\n")
    (tmp_path / "other.py").write_text("print(2)\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=os.environ | settings, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:token@git.example/ml/churn.git")
    found = code_facts(repository / "src/train.py")
    assert found == CodeFacts(
        script="src/train.py",
        sha256=hashlib.sha256(b"print(1)\n").hexdigest(),
        commit=git(repository, "rev-parse", "HEAD"),
        repository=found.repository,
        dirty=False,
    )
    assert "git.example/ml/churn.git" in found.repository
    assert "token" not in found.repository


def test_edits_anywhere_make_it_dirty_and_their_diff_is_named(repository: Path) -> None:
    (repository / "other.py").write_text("print(3)\n")
    found = code_facts(repository / "src/train.py")
    diff = subprocess.run(
        ["git", "diff", "HEAD", "--binary"], cwd=repository, capture_output=True, check=True
    )
    assert (found.dirty, found.diff_sha256) == (True, hashlib.sha256(diff.stdout).hexdigest())


def test_staged_edits_are_not_committed_either(repository: Path) -> None:
    (repository / "other.py").write_text("print(3)\n")
    git(repository, "add", "other.py")
    assert code_facts(repository / "src/train.py").dirty is True


def test_a_script_that_no_commit_has_is_dirty_and_other_new_files_are_not(repository: Path) -> None:
    (repository / "model.bin").write_bytes(b"w")
    assert code_facts(repository / "src/train.py").dirty is False
    (repository / "new.py").write_text("")
    found = code_facts(repository / "new.py")
    assert (found.dirty, found.diff_sha256) == (True, "")


def test_the_index_is_left_alone(repository: Path) -> None:
    before = (repository / ".git/index").stat().st_mtime_ns
    os.utime(repository / "other.py")
    code_facts(repository / "src/train.py")
    assert (repository / ".git/index").stat().st_mtime_ns == before


def test_without_a_repository_the_script_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "train.py").write_text("x")
    found = code_facts(tmp_path / "train.py")
    assert found == CodeFacts(script="train.py", sha256=hashlib.sha256(b"x").hexdigest())
    monkeypatch.chdir(tmp_path)
    assert code_facts(tmp_path / "missing.py") == CodeFacts()


def test_without_git_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert code_facts(repository / "src/train.py").commit == ""


def test_a_program_that_hangs_or_fails_says_nothing() -> None:
    hangs = [sys.executable, "-c", "import time; print('x', flush=True); time.sleep(600)"]
    assert answer(hangs, seconds=0.2) is None
    assert answer_sha256(hangs, seconds=0.2) is None
    assert answer([sys.executable, "-c", "raise SystemExit(1)"], seconds=60) is None
    assert answer(["no-such-program-anywhere"], seconds=60) is None
    assert answer_sha256([sys.executable, "-c", "print('x')"], seconds=60) == (
        hashlib.sha256(b"x\n").hexdigest()
    )

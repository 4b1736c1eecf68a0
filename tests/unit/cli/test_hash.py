"""`lineage hash`: results, manifests and exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from lineage.cli.main import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"one")
    (folder / "sub/b\\ack").write_bytes(b"two")
    (folder / "sub" / os.fsdecode(b"\xff")).write_bytes(b"three")
    return folder


def test_a_file_is_its_sha256_and_blake3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").write_bytes(b"x")
    digests = {"sha256": hashlib.sha256(b"x").hexdigest(), "blake3": blake3(b"x").hexdigest()}
    assert run(["hash", str(tmp_path / "f")]) == 0
    assert capsys.readouterr().out == "sha256:{sha256}\nblake3:{blake3}\n".format(**digests)
    assert run(["hash", str(tmp_path / "f"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"path": "f", "digests": digests, "size": 1}


def test_a_folders_digest_is_that_of_its_manifest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder.parent / "manifest"
    assert run(["hash", str(folder), "--manifest", str(target), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["digests"] == {"dirHash": hashlib.sha256(target.read_bytes()).hexdigest()}
    assert [file["path"] for file in found["files"]] == ["a", r"sub/b\x5cack", r"sub/\xff"]


@pytest.fixture(params=["json", "manifest", "sha256sum"])
def manifest(request: pytest.FixtureRequest, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder as it is now, in each form that can be checked."""
    target = folder.parent / "expected"
    if request.param == "json":
        assert run(["hash", str(folder), "--json"]) == 0
        target.write_text(capsys.readouterr().out)
    elif request.param == "manifest":
        assert run(["hash", str(folder), "--manifest", str(target)]) == 0
    else:
        listed = "find . -type f -print0 | xargs -0 sha256sum"
        made = subprocess.run(listed, shell=True, cwd=folder, capture_output=True, check=True)
        target.write_bytes(made.stdout)
    capsys.readouterr()
    return target


def test_an_unchanged_folder_is_verified(
    folder: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hash", str(folder), "--check", str(manifest)]) == 0
    assert capsys.readouterr().out == "same\n"


def test_a_changed_folder_is_refuted_with_each_difference(
    folder: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a").write_bytes(b"changed")
    (folder / "sub/b\\ack").rename(folder / "new")
    assert run(["hash", str(folder), "--check", str(manifest), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcome"] == "refuted"
    assert [line.partition(":")[0] for line in answer["differences"]] == ["a", "new", r"sub/b\x5cack"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\n",
        b"{}",
        b"[]",
        b'{"files": 1}',
        b"not a manifest",
        b"abc  a\n",
        b"0" * 64 + b"  a\n" + b"0" * 64 + b"  a\n",
        b'{"path": "a", "digests": {"sha256": "zz"}}',
    ],
)
def test_a_manifest_that_is_none_is_inconclusive(folder: Path, content: bytes | None) -> None:
    path = folder.parent / "expected"
    if content is not None:
        path.write_bytes(content)
    assert run(["hash", str(folder), "--check", str(path)]) == 2


def test_a_folder_that_can_not_be_hashed_is_inconclusive_not_refuted(folder: Path, manifest: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert run(["hash", str(folder), "--check", str(manifest)]) == 2
    assert run(["hash", str(folder)]) == 1


def test_a_single_file_is_checked_under_its_name_or_as_the_only_one(tmp_path: Path) -> None:
    file, check = tmp_path / "f", tmp_path / "sums"
    file.write_bytes(b"x")
    right, wrong = hashlib.sha256(b"x").hexdigest(), "0" * 64
    for content, code in (
        (f"{right} *other\n", 0),
        (f"{right.upper()}  f\n{wrong}  g\n", 0),
        (f"{wrong}  f\n{right}  g\n", 1),
        (f"{wrong}  other\n", 1),
        (f"{right}  g\n{wrong}  h\n", 2),
    ):
        check.write_text(content)
        assert run(["hash", str(file), "--check", str(check)]) == code


def test_a_format_that_it_is_not_is_wrong_usage(folder: Path) -> None:
    assert run(["hash", str(folder), "--format", "file"]) == 3
    assert run(["hash", str(folder / "a"), "--format", "folder"]) == 3
    assert run(["hash", str(folder / "a"), "--format", "file"]) == 0

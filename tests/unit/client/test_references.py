"""What a reference on the command line means."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lineage.client import references
from lineage.client.references import describe, to_json
from lineage.errors import InconclusiveError, MalformedError
from lineage.predicates.folders import dir_hash
from lineage.trust.statement import ResourceDescriptor

HELLO = hashlib.sha256(b"hello").hexdigest()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model.bin").write_bytes(b"hello")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("out/model.bin", "out/model.bin"),
        ("./out//model.bin", "out/model.bin"),
        ("model=out/model.bin", "model"),
        ("org/model=out/model.bin", "org/model"),
    ],
)
def test_a_file_is_its_sha256_under_the_name_it_is_given_by(reference: str, name: str) -> None:
    assert describe(reference) == ResourceDescriptor(name=name, digests={"sha256": HELLO})


def test_a_path_outside_goes_by_its_last_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe(str(tmp_path / "out/model.bin")).name == "model.bin"
    monkeypatch.chdir(tmp_path / "out")
    assert describe("../out/model.bin").name == "model.bin"
    assert describe(".").name == "out"


def test_a_path_that_exists_is_that_path_whatever_it_looks_like(tmp_path: Path) -> None:
    for odd in ("a=b", f"sha256:{HELLO}", "urn:x"):
        (tmp_path / odd).write_bytes(b"hello")
        assert describe(odd) == ResourceDescriptor(name=odd, digests={"sha256": HELLO})


def test_a_folder_lists_its_files_and_its_digest_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "out/a").mkdir()
    (tmp_path / "out/a/b").write_bytes(b"")
    found = describe("out")
    files = {"model.bin": HELLO, "a/b": hashlib.sha256(b"").hexdigest()}
    assert found.annotations == {"files": files}
    assert found.digests == {"dirHash": dir_hash(files)}


def test_a_folder_of_too_many_files_names_its_manifest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "out/second").write_bytes(b"")
    monkeypatch.setattr(references, "MAX_LISTED_FILES", 1)
    found = describe("out")
    assert found.annotations == {"manifest": {"sha256": found.digests["dirHash"]}}


def test_a_folder_with_a_name_that_json_can_not_say_names_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "out" / os.fsdecode(b"\xff")).write_bytes(b"")
    assert set(describe("out").annotations) == {"manifest"}


def test_a_digest_stands_for_what_lies_elsewhere() -> None:
    assert describe(f"sha256:{HELLO.upper()}") == ResourceDescriptor(digests={"sha256": HELLO})
    assert describe(f"base=dirHash:{HELLO}") == ResourceDescriptor(name="base", digests={"dirHash": HELLO})


def test_a_uri_stands_for_what_nobody_hashed() -> None:
    assert describe("https://example.org/d?a=b") == ResourceDescriptor(uri="https://example.org/d?a=b")
    assert describe("corpus=hf:org/c") == ResourceDescriptor(name="corpus", uri="hf:org/c")


@pytest.mark.parametrize(
    "reference", ["missing", "name=missing", "=out/model.bin", "sha256:abc", "a=sha256:abc", ""]
)
def test_what_is_nothing_is_refused(reference: str) -> None:
    with pytest.raises(MalformedError):
        describe(reference)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    (tmp_path / odd).write_bytes(b"hello")
    with pytest.raises(MalformedError, match="not UTF-8"):
        describe(odd)
    assert describe(f"name={odd}").name == "name"


def test_what_can_not_be_hashed_is_inconclusive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InconclusiveError):
        describe("pipe")


def test_json_leaves_out_what_is_empty() -> None:
    assert to_json(ResourceDescriptor(uri="urn:x")) == {"uri": "urn:x"}
    full = ResourceDescriptor(
        "n", "urn:x", {"sha256": HELLO}, "text/plain", "file:///d", {"role": "model"}, "aGk="
    )
    assert to_json(full) == {
        "name": "n",
        "uri": "urn:x",
        "digest": {"sha256": HELLO},
        "mediaType": "text/plain",
        "downloadLocation": "file:///d",
        "annotations": {"role": "model"},
        "content": "aGk=",
    }

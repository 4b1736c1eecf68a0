"""Large files are checked in shards: the one that is damaged is named, and parts that match clear nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.artifacts import content
from tests.workers.copies import Copies, copies_in
from tests.workers.damage_rows import TABLE

SHARD = 1 << 16


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


@pytest.fixture
def sharded(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    """A matched, mostly sparse file of 16 small shards."""
    monkeypatch.setattr(content, "SHARD_BYTES", SHARD)
    path = copies.root / "large.bin"
    path.write_bytes(b"begin")
    os.truncate(path, 16 * SHARD)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    return key, path


def test_a_damaged_shard_is_named_and_no_quick_match_clears_it(
    sharded: tuple[str, Path], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, path = sharded
    with open(path, "r+b") as file:
        file.seek(5 * SHARD + 7)
        file.write(b"!")
    drawn = iter([[4, 5], [0, 1]])
    monkeypatch.setattr("random.SystemRandom.sample", lambda *_: next(drawn))
    words = "Shard 6 of 16 differs: bytes 327,680 to 393,215."
    assert copies.verify(key, method="quick") == "mismatch"
    assert (copies.newest().method, copies.reason()) == ("shards", words)
    assert copies.status(key) == ("failed", "copy-mismatch")
    assert copies.verify(key, method="quick") == "match"  # other shards
    assert copies.status(key) == ("failed", "copy-mismatch")
    assert copies.verify(key, method="content") == "mismatch"
    assert (copies.newest().method, copies.reason()) == ("blake3", words)
    os.truncate(path, 0)
    path.write_bytes(b"begin")
    os.truncate(path, 16 * SHARD)
    assert copies.verify(key, method="content") == "match"
    assert copies.status(key) == ("verified", "")
    TABLE.append(("16 shards", "one byte of one altered; quick, content", "mismatch", words))


def test_a_quick_look_that_finds_nothing_does_not_clear_what_the_whole_showed(
    sharded: tuple[str, Path], copies: Copies
) -> None:
    key, path = sharded
    original = path.read_bytes()
    path.write_bytes(b"BEGIN" + original[5:])
    assert copies.verify(key) == "mismatch"
    assert copies.reason() == "Shard 1 of 16 differs: bytes 0 to 65,535."
    path.write_bytes(original)
    for method, status in (
        ("quick", ("failed", "copy-mismatch")),
        ("content", ("failed", "copy-mismatch")),  # what the digest itself showed, only it can clear
        ("full", ("verified", "")),
    ):
        assert copies.verify(key, method=method) == "match"
        assert copies.status(key) == status, method


def test_shards_of_another_length_are_not_compared(
    sharded: tuple[str, Path], copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded by a version whose shards were longer or shorter: the whole is read, and nothing cried."""
    key, _ = sharded
    for size in (SHARD // 2, SHARD * 2):
        monkeypatch.setattr(content, "SHARD_BYTES", size)
        assert copies.verify(key, method="content") == "match"
        assert copies.newest().method == "sha256"

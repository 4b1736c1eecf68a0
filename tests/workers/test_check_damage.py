"""The damage table: what was done to a copy → what is said of it, through job, log, graph and status.

Each row is a test; `pytest -s` prints the table. Nothing here is told by a time or a size that was kept: each
look reads the bytes, and what could not be read is never a match and never a mismatch.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.services import (
    decide_checks,
)
from lineage.services.clock import now_us
from tests.unit.artifacts.formats import test_damage as damages
from tests.unit.artifacts.formats.model_files import described, gguf_bytes
from tests.workers.copies import Copies, copies_in
from tests.workers.damage_rows import GGUF, ROWS, TABLE, UNTELLABLE, Row

WHO = "officer@example.com"
DAY_US = 24 * 3600 * 1_000_000


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


@pytest.mark.parametrize("row", UNTELLABLE, ids=[f"{row.what}: {row.done}" for row in UNTELLABLE])
def test_what_can_not_be_checked_turns_nothing_green_or_red(row: Row, copies: Copies) -> None:
    """After a match it stays verified, after a mismatch failed, and what never matched is not verified."""
    path, other = copies.root / row.name, copies.root / "never"
    row.make(path)
    row.make(other)
    key = copies.state(path)
    never = copies.state(other, {"sha512": "0" * 128} if other.is_file() else {"dirHash": "0" * 64})
    assert copies.verify(key) == "match"
    row.damage(path)
    assert copies.verify(key) == "inconclusive"
    said = copies.reason()
    TABLE.append((row.what, row.done, row.outcome, said.replace(str(copies.root), "/storage")))
    assert row.words[0] in said
    assert copies.status(key) == ("verified", "")
    assert copies.status(key, now_us() + 8 * DAY_US) == ("expired", "check-overdue")
    row_of(never, copies, row, other)


def row_of(never: str, copies: Copies, row: Row, other: Path) -> None:
    assert copies.verify(never) == "mismatch"
    row.damage(other)
    assert copies.verify(never) == "inconclusive"
    assert copies.status(never) == ("failed", "copy-mismatch")


def test_what_never_could_be_checked_is_not_verified(copies: Copies) -> None:
    path = copies.root / "m.bin"
    os.mkfifo(path)
    key = copies.state(path, {"sha256": "a" * 64})
    assert copies.verify(key) == "inconclusive"
    assert copies.status(key) == ("unverified", "inconclusive")


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.what}: {row.done}" for row in ROWS])
def test_damage(row: Row, copies: Copies) -> None:
    path = copies.root / row.name
    row.make(path)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("verified", "")
    row.damage(path)
    assert copies.verify(key) == row.outcome
    said = copies.reason()
    TABLE.append((row.what, row.done, row.outcome, said))
    at = -1
    for words in row.words:
        at = said.find(words, at + 1)
        assert at >= 0, (words, said)
    assert copies.status(key) == row.status


def test_an_altered_chat_template_is_found_though_the_plain_gguf_hash_is_equal(copies: Copies) -> None:
    path = copies.root / "m.gguf"
    GGUF(path)
    key = copies.state(path)
    assert copies.verify(key) == "match"
    before = described(path.read_bytes(), path.name)
    path.write_bytes(gguf_bytes(copies.root.parent, template="{{ evil }}"))
    after = described(path.read_bytes(), path.name)
    assert before.digests["gguf-hash:sha256"] == after.digests["gguf-hash:sha256"]
    assert copies.verify(key) == "mismatch"
    assert "metadata key tokenizer.chat_template differs" in copies.reason()
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_an_unsafe_pickle_fails_though_its_bytes_match_until_that_is_waived(copies: Copies) -> None:
    path = copies.root / "m.pkl"  # protocol 0 has nothing to be known by but this name
    path.write_bytes(pickle.dumps(damages.Evil(), 0))
    key = copies.state(path, location=path.as_uri().replace("m.pkl", "m%2Epkl"))
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("failed", "unsafe-format")
    until_us = now_us() + DAY_US
    decide_checks.waive(key, "unsafe-format", until_us, "read line by line", person=WHO)
    copies.follow()
    assert copies.status(key) == ("verified", "")
    assert copies.status(key, until_us) == ("failed", "unsafe-format")
    TABLE.append(
        ("pickle", "its code unsafe, its bytes as they were", "match", "status failed: unsafe-format")
    )

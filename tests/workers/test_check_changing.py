"""Files that somebody changes while they are read: never a match, never a mismatch that is not one."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.artifacts.formats import test_damage as damages
from tests.workers.copies import Copies, copies_in
from tests.workers.damage_rows import PICKLE, TABLE, appended, folder


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def written_to_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[], object],
) -> None:
    """While the next file is read, another thread writes: `write` is over before reading goes on."""
    left = [1]

    def read(pace: object, count: int) -> None:
        if left and left.pop():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

    monkeypatch.setattr("lineage.services.check_sweep._Pace.read", read)


@pytest.mark.parametrize("how", ["one byte altered", "appended to", "cut off", "replaced by a rename"])
def test_a_file_that_changes_while_it_is_read(
    how: str, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copies.root / "m.bin"
    path.write_bytes(bytes(4 << 20))
    key = copies.state(path)
    assert copies.verify(key) == "match"

    def write() -> None:
        if how == "one byte altered":
            with open(path, "r+b") as file:
                file.write(b"!")
        elif how == "appended to":
            appended(path)
        elif how == "cut off":
            os.truncate(path, 1)
        else:
            path.with_name("other").write_bytes(b"!" * (4 << 20))
            path.with_name("other").replace(path)

    written_to_meanwhile(monkeypatch, write)
    assert copies.verify(key) == "inconclusive"
    TABLE.append(
        (
            "file",
            f"{how} while it is read",
            "inconclusive",
            copies.reason().replace(str(copies.root), "/storage"),
        )
    )
    assert copies.status(key) == ("verified", "")
    assert copies.verify(key) == "mismatch"
    assert copies.status(key) == ("failed", "copy-mismatch")


def test_a_file_exchanged_between_hashing_and_looking_into_it(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harmless pickle can't be shown for the one that matched, even where a whole folder is moved."""
    path = copies.root / "models/m.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(damages.Evil()))
    key = copies.state(path)

    def exchange() -> None:
        path.parent.rename(copies.root / "away")
        path.parent.mkdir()
        path.write_bytes(PICKLE)

    written_to_meanwhile(monkeypatch, exchange)
    copies.verify(key)
    assert copies.status(key) == ("failed", "unsafe-format")


def test_a_folder_that_is_being_copied(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copies.root / "m"
    folder(path)
    key = copies.state(path)
    (path / "weights/b.bin").unlink()
    written_to_meanwhile(monkeypatch, lambda: (path / "weights/b.bin").write_bytes(b"b"))
    assert copies.verify(key) == "inconclusive"
    assert "changed while it was read" in copies.reason()
    assert copies.verify(key) == "match"

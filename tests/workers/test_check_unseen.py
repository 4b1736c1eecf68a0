"""Files that match and could not be looked into: said in the check, in the inventory and on the page."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.services import as_of, check_learned, check_looks, inventories
from lineage.web import inventory_view
from tests.unit.artifacts.formats.model_files import gguf_bytes
from tests.workers.copies import Copies, copies_in

LIMIT = 64
WORDS = f"It is larger than {LIMIT} bytes, so what is in it was not looked at."


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Files of more than 64 bytes are too large to be looked into."""
    monkeypatch.setattr(check_looks, "MAX_DESCRIBED_BYTES", LIMIT)
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def test_a_large_file_matches_and_it_is_said_that_nobody_looked_in(copies: Copies, tmp_path: Path) -> None:
    path = copies.root / "model.gguf"
    path.write_bytes(gguf_bytes(tmp_path))
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert copies.reason() == WORDS
    assert copies.status(key) == ("verified", "")
    (file,) = inventory_view.context(key, as_of.resolve(None), ())["inventory"].files
    assert file.problem == WORDS
    path.write_bytes(gguf_bytes(tmp_path) + b"\0")
    assert copies.verify(key) == "mismatch"
    assert "It is 1 byte longer" in copies.reason()


def test_a_large_pickle_is_not_taken_for_safe(copies: Copies) -> None:
    """What loading it would run could not be looked for; an officer may take that upon them."""
    path = copies.root / "model.pkl"
    path.write_bytes(pickle.dumps(["harmless"] * 100))
    key = copies.state(path)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("failed", "unsafe-format")
    found = inventories.of_node(key)
    assert found is not None
    assert [each.finding for each in found.unsafe] == [f"{check_looks.UNEXAMINED_PICKLE} {WORDS}"]


def test_of_a_folder_the_first_are_named(copies: Copies, tmp_path: Path) -> None:
    folder = copies.root / "folder"
    folder.mkdir()
    for number in range(check_learned.MAX_UNSEEN + 2):
        (folder / f"{number}.gguf").write_bytes(gguf_bytes(tmp_path))
    (folder / "README").write_text("words " * 50)  # of no format, so nothing is missed
    assert copies.verify(copies.state(folder)) == "match"
    named = [f"{number}.gguf: {WORDS}" for number in range(check_learned.MAX_UNSEEN)]
    assert copies.reason() == " ".join([*named, "And 2 more files were not looked into."])


UNOPENED = {
    "model.gguf": (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1; 2 and 3 are read here."),
    "big.gguf": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian, which is not read here."),
    "table.parquet": (b"PARE" + bytes(20) + b"PARE", "footer is encrypted."),
    "table.feather": (b"FEA1" + bytes(20), "Feather of version 1, which is not read here."),
}


@pytest.mark.parametrize("name", UNOPENED)
def test_a_file_that_is_never_looked_into_here_matches_all_the_same(copies: Copies, name: str) -> None:
    """A table that its owner has encrypted would otherwise keep its folder from ever being verified."""
    content, words = UNOPENED[name]
    folder = copies.root / "folder"
    folder.mkdir()
    (folder / name).write_bytes(content)
    (folder / "README").write_text("words " * 50)
    key = copies.state(folder)
    assert copies.verify(key) == "match"
    assert copies.status(key) == ("verified", "")
    assert copies.reason().startswith(f"{name}: What is in it was not looked at: ")
    assert copies.reason().endswith(words)
    (folder / name).write_bytes(content + b"\0")
    assert copies.verify(key) == "mismatch"

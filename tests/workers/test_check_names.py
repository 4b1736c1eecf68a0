"""An artifact is its bytes: what is unsafe in them is found whatever they are called, in whatever order."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.db.models import Entry
from lineage.predicates import inventory
from lineage.predicates.inventory import ANY_NAME, Inventory
from lineage.services import append, as_of, inventories, reverify
from lineage.services import jobs as line
from lineage.web import inventory_view
from tests.unit.artifacts.formats.test_damage import Evil
from tests.workers.copies import Copies, copies_in

FAILED = ("failed", "unsafe-format")
GIVEN_BACK = b"cos\nsystem\n."
"""It imports and calls nothing: what begins so may be text, unless its name says that it is a pickle."""


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def pytorch(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil(), protocol=2))


def not_whole(path: Path) -> None:
    """A zip that says of itself nothing but that it is one, and has no directory."""
    path.write_bytes(b"PK\3\4" + bytes(200))


WRITERS: dict[str, Callable[[Path], object]] = {
    "PyTorch's zip": pytorch,
    "protocol 0": lambda path: path.write_bytes(pickle.dumps(Evil(), 0)),
    "protocol 4": lambda path: path.write_bytes(pickle.dumps(Evil(), 4)),
    "only by its name": lambda path: path.write_bytes(GIVEN_BACK),
    "a broken zip": not_whole,
}
BY_NAME = {"only by its name", "a broken zip"}


def inventories_of(key: str) -> list[Entry]:
    return list(Entry.objects.filter(predicate_type=inventory.URI, subjects__digest=key).order_by("index"))


def two(copies: Copies, what: str, first: str, second: str) -> tuple[Path, Path]:
    """The same bytes twice."""
    WRITERS[what](copies.root / first)
    shutil.copy(copies.root / first, copies.root / second)
    return copies.root / first, copies.root / second


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize(("first", "second"), [("model.pt", "blob"), ("blob", "model.pt")])
def test_one_name_after_the_other(what: str, first: str, second: str, copies: Copies) -> None:
    one, other = two(copies, what, first, second)
    key = copies.state(one)
    assert copies.verify(key) == "match"
    if what not in BY_NAME or first == "model.pt":
        assert copies.status(key) == FAILED
    copies.state(other)
    assert copies.run(key)["match"] == 2
    assert copies.status(key) == FAILED
    shown = inventory_view.read(key, as_of.resolve(None), ("unsafe-format",))
    assert shown is not None
    assert shown.unsafe


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize(("first", "second"), [("a.pt", "zblob"), ("ablob", "z.pt")])
def test_both_names_in_one_sweep(what: str, first: str, second: str, copies: Copies) -> None:
    one, other = two(copies, what, first, second)
    key = copies.state(one)
    copies.state(other)
    assert copies.run(key)["match"] == 2
    assert copies.status(key) == FAILED
    assert len(inventories_of(key)) == 1
    found = inventories.of_node(key)
    assert found is not None
    assert len(found.unsafe) == 1


@pytest.mark.parametrize("what", BY_NAME)
def test_what_the_graph_has_not_yet_followed_is_added_to(what: str, copies: Copies) -> None:
    """As for two storages that are checked one after the other in one job."""
    one, other = two(copies, what, "blob", "model.pt")
    key = copies.state(one)
    copies.state(other)
    other.rename(copies.root / "away")
    line.enqueue("reverify", key)
    line.drain("tests")  # the graph is left where it is
    assert inventories.sizes([key]) == {}
    (copies.root / "away").rename(other)
    copies.run(key)
    assert copies.status(key) == FAILED
    assert len(inventories_of(key)) == 2


@pytest.mark.parametrize("method", ["full", "content", "quick"])
def test_a_new_name_is_looked_at_by_every_method(method: str, copies: Copies) -> None:
    one, other = two(copies, "only by its name", "blob", "model.pt")
    key = copies.state(one)
    copies.run(key)
    assert copies.status(key) == ("verified", "")
    copies.state(other)
    copies.run(key, method=method)
    assert copies.status(key) == FAILED


def test_each_name_is_looked_at_once(copies: Copies) -> None:
    """However many copies there are, and however often they are checked."""
    path = copies.root / "blob"
    path.write_bytes(b"weights")
    key = copies.state(path)
    copies.run(key)
    for name in ("other", "third.txt", "m.bin", "n.BIN", "x.onnx"):
        shutil.copy(path, copies.root / name)
        copies.state(copies.root / name)
        for _ in range(2):
            copies.run(key)
    assert copies.status(key) == ("verified", "")
    assert len(inventories_of(key)) == 3
    found = inventories.of_node(key)
    assert found is not None
    assert found.looked_as == ("", ".bin", ".onnx")
    assert inventories.unsettled([key]) == {key: {"", ".bin", ".onnx"}}


def test_what_its_bytes_tell_is_looked_at_under_one_name(copies: Copies) -> None:
    path = copies.root / "blob"
    path.write_bytes(pickle.dumps([1, 2]))
    key = copies.state(path)
    copies.run(key)
    shutil.copy(path, copies.root / "model.pt")
    copies.state(copies.root / "model.pt")
    copies.run(key)
    assert inventories.unsettled([key]) == {}
    assert len(inventories_of(key)) == 1


def test_a_later_look_clears_nothing(copies: Copies) -> None:
    """What is read without a finding under one name was found under another."""
    one, other = two(copies, "only by its name", "model.pt", "table.onnx")
    key = copies.state(one)
    copies.run(key)
    copies.state(other)
    copies.run(key)
    assert len(inventories_of(key)) == 2
    found = inventories.of_node(key)
    assert found is not None
    assert found.looked_as == (".onnx", ".pt")
    assert len(found.unsafe) == 1
    assert copies.status(key) == FAILED


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_was_recorded_without_its_name_is_looked_at_once_more(kind: str, copies: Copies) -> None:
    """Inventories that do not say under which names was looked may lack what is found today."""
    path = copies.root / "blob"
    if kind == "folder":
        path.mkdir()
    pytorch(path / "data" if kind == "folder" else path)
    key = copies.state(path)
    size = sum(file.stat().st_size for file in [path, *path.glob("*")] if file.is_file())
    append.append([inventories.prepare(key, Inventory(size, ()))])
    copies.follow()
    assert copies.verify(key) == "match"
    assert copies.status(key) == FAILED
    copies.run(key)
    assert len(inventories_of(key)) == 2
    found = inventories.of_node(key)
    assert found is not None
    assert found.looked_as == (ANY_NAME,)


def test_a_check_of_all_says_what_it_found_in_any_copy(copies: Copies) -> None:
    one, other = two(copies, "PyTorch's zip", "zblob", "a.pt")
    key = copies.state(one)
    copies.state(other)
    copies.run(reverify.ALL)
    assert copies.status(key) == FAILED

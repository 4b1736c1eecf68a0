"""Folders of this machine, with what somebody may put or exchange there."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import Access, GoneError, Item, MissingError, Storage, by_kind
from lineage.errors import InconclusiveError, MalformedError

NAMES = [b"a#b", b"a?b", b"a%20b", b"a b", b"\xc3\xa4", b"\xff\xfe", b"a;b", b"a\\b", b"%2e%2e"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    (made / "model.bin").write_bytes(b"weights")
    return made


def opened(root: Path) -> Storage:
    return by_kind("file").open(Access("file", f"file://{root}", root=str(root)))


def at(root: Path, name: str | bytes) -> str:
    return f"file://{quote_from_bytes(os.fsencode(root) + b'/' + os.fsencode(name))}"


def whole(source: ByteSource) -> bytes:
    view, found = memoryview(bytearray(3)), b""
    while count := source.readinto(view):
        found += bytes(view[:count])
    source.finish()
    source.close()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_read(root: Path, name: bytes) -> None:
    with open(os.fsencode(root) + b"/" + name, "wb") as file:
        file.write(name)
    with opened(root) as storage:
        assert whole(storage.open(storage.item(at(root, name)))) == name
        assert name in [item.path for item in storage.items(f"file://{root}/")]


def test_a_folder_is_listed_in_c_order_with_sizes(root: Path) -> None:
    (root / "f").mkdir()
    for name in ("b", "B", "a-b", "\u00e4"):
        (root / "f" / name).write_bytes(b"x" * len(name))
    (root / "f" / "a").mkdir()
    (root / "f" / "a" / "z").write_bytes(b"")
    (root / "f" / "empty").mkdir()
    with opened(root) as storage:
        found = storage.items(at(root, "f"))
        assert [item.path for item in found] == [b"B", b"a-b", b"a/z", b"b", "\u00e4".encode()]
        assert [item.size for item in found] == [1, 3, 0, 1, 1]
        assert whole(storage.open(found[1])) == b"xxx"


def test_parts_are_read_anywhere(root: Path) -> None:
    with opened(root) as storage:
        source = storage.open(storage.item(at(root, "model.bin")))
        assert source.size == 7
        assert source.read_at(2, 3) == b"igh"
        with pytest.raises(MalformedError):
            source.read_at(5, 3)
        assert whole(source) == b"weights"


def test_a_root_behind_a_link_is_one(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    with opened(tmp_path / "link") as storage:
        storage.probe()
        assert whole(storage.open(storage.item(at(tmp_path / "link", "model.bin")))) == b"weights"


@pytest.mark.parametrize(
    "tail", ["../secret", "%2e%2e/secret", "f/../../secret", "out", "out/x", "model.bin?x", "a%00b", "link"]
)
def test_no_location_leads_out(root: Path, tmp_path: Path, tail: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "link").symlink_to("../secret")
    with opened(root) as storage, pytest.raises(InconclusiveError) as caught:
        storage.item(f"file://{root}/{tail}")
    assert not isinstance(caught.value, MissingError | GoneError)


@pytest.mark.parametrize("location", ["file://elsewhere/x", "http://localhost/x", "file:", "x"])
def test_other_addresses_are_refused(root: Path, location: str) -> None:
    with opened(root) as storage, pytest.raises(InconclusiveError):
        storage.item(location)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(f"/proc/self/fd/{here}/{path.name}")  # the path itself may be too long
    finally:
        os.close(here)


def device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


ODD: list[Callable[[Path], None]] = [fifo, listening, device, folder, loop]


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_file_is_not_opened(root: Path, make: Callable[[Path], None]) -> None:
    make(root / "odd")
    with opened(root) as storage, pytest.raises(InconclusiveError) as caught:
        storage.item(at(root, "odd"))
    assert not isinstance(caught.value, MissingError | GoneError)


@pytest.mark.parametrize("make", [fifo, listening, device, loop])
def test_what_is_exchanged_after_the_look_is_not_opened(root: Path, make: Callable[[Path], None]) -> None:
    with opened(root) as storage:
        item = storage.item(at(root, "model.bin"))
        (root / "model.bin").unlink()
        make(root / "model.bin")
        with pytest.raises(InconclusiveError):
            storage.open(item)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_link_that_is_put_there_after_the_look_is_not_followed(
    root: Path, tmp_path: Path, which: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_bytes(b"secret")
    (root / "f").mkdir()
    (root / "f" / "x").write_bytes(b"open")
    with opened(root) as storage:
        (item,) = storage.items(at(root, "f"))
        (root / "f" / "x").unlink()
        if which == "file":
            (root / "f" / "x").symlink_to(tmp_path / "elsewhere" / "x")
        else:
            (root / "f").rmdir()
            (root / "f").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(InconclusiveError):
            storage.open(item)


def test_an_item_of_another_folder_is_not_opened(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with opened(root) as storage, pytest.raises(InconclusiveError):
        storage.open(Item(b"", None, str(tmp_path / "secret")))


def test_what_is_missing_is_told_from_what_is_gone(root: Path, tmp_path: Path) -> None:
    with opened(root) as storage:
        for location in (at(root, "none"), at(root, "model.bin/x")):
            with pytest.raises(MissingError):
                storage.item(location)
        with pytest.raises(MissingError):
            storage.items(at(root, "none"))
        item = storage.item(at(root, "model.bin"))
        (root / "model.bin").rename(root / "other")
        with pytest.raises(MissingError):
            storage.open(item)
        (root / "other").unlink()
        calls: list[Callable[[], object]] = [storage.probe, lambda: storage.item(at(root, "model.bin"))]
        for call in calls:  # an empty mount point
            with pytest.raises(GoneError):
                call()
        root.rmdir()
        for call in [*calls, lambda: storage.open(item)]:
            with pytest.raises(GoneError):
                call()
        root.write_bytes(b"a file")
        with pytest.raises(GoneError):
            storage.probe()


def test_a_file_that_changes_while_it_is_read_is_inconclusive(root: Path) -> None:
    with opened(root) as storage:
        source = storage.open(storage.item(at(root, "model.bin")))
        assert source.readinto(memoryview(bytearray(3))) == 3
        (root / "model.bin").write_bytes(b"another")
        with pytest.raises(InconclusiveError):
            source.finish()
        source.close()


def test_a_file_that_is_replaced_while_it_is_read_is_inconclusive(root: Path) -> None:
    (root / "new").write_bytes(b"another")
    with opened(root) as storage:
        source = storage.open(storage.item(at(root, "model.bin")))
        (root / "new").rename(root / "model.bin")
        with pytest.raises(InconclusiveError):
            source.finish()
        source.close()


def test_a_sparse_terabyte_tells_its_size_before_it_is_read(root: Path) -> None:
    with open(root / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with opened(root) as storage:
        item = storage.item(at(root, "sparse"))
        source = storage.open(item)
        assert item.size == source.size == 1 << 40
        assert source.read_at((1 << 40) - 4, 4) == bytes(4)
        source.close()


def test_permission_that_was_lost_is_inconclusive() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, as_anybody(Path(name)) as root:
        (root / "model.bin").write_bytes(b"weights")
        with opened(root) as storage:
            item = storage.item(at(root, "model.bin"))
            (root / "model.bin").chmod(0)
            with pytest.raises(InconclusiveError, match="Permission denied") as caught:
                storage.open(item)
            assert not isinstance(caught.value, GoneError)
            root.chmod(0)
            with pytest.raises(GoneError, match="Permission denied"):
                storage.probe()
            root.chmod(0o700)


@contextmanager
def as_anybody(folder: Path) -> Iterator[Path]:
    """Who may not read everything; the superuser becomes somebody else for the block, to whom it gives it."""
    if os.geteuid() != 0:
        yield folder
        return
    os.chown(folder, 65534, -1)
    os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(0)


def test_nothing_stays_open(root: Path) -> None:
    fifo(root / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    with opened(root) as storage:
        for name in ("pipe", "none"):
            with pytest.raises(InconclusiveError):
                storage.open(Item(b"", None, str(root / name)))
        storage.open(storage.item(at(root, "model.bin"))).close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(MalformedError):
        by_kind("ftp")

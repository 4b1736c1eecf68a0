"""Digests of files and folders, compared with `sha256sum` and with Go's Hash1 written out by hand."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from lineage.artifacts import hashing, tree
from lineage.errors import InconclusiveError, TooLargeError


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def expected(files: dict[bytes, bytes]) -> str:
    """dirHash written out from its definition."""
    lines = [
        hashlib.sha256(files[name]).hexdigest().encode() + b"  " + name + b"\n" for name in sorted(files)
    ]
    return hashlib.sha256(b"".join(lines)).hexdigest()


@pytest.mark.parametrize(
    "size", [0, 1, hashing.CHUNK_BYTES - 1, hashing.CHUNK_BYTES, 3 * hashing.CHUNK_BYTES + 7]
)
def test_a_file_is_its_sha256_whatever_its_size(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    seen: list[int] = []
    assert (
        hashing.hash_file(write(tmp_path / "f", content), seen.append) == hashlib.sha256(content).hexdigest()
    )
    assert sum(seen) == size


def test_a_folder_agrees_with_sha256sum(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a.txt", "a/b/c", "Z", "ä"):
        write(tmp_path / name, name.encode() * 100)
    listed = subprocess.run(
        "find . -type f -printf '%P\\0' | sort -z | xargs -0 sha256sum",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    folder = hashing.hash_folder(tmp_path)
    assert hashing.manifest(folder.files) == listed
    assert folder.dirhash == hashlib.sha256(listed).hexdigest()
    assert folder.size == sum(len(n.encode()) * 100 for n in ("b", "a/z", "a.txt", "a/b/c", "Z", "ä"))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no processors to be confined to here")
def test_no_more_threads_than_processors_it_may_use(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / str(number), bytes(100))
    threads: set[int] = set()
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        hashing.hash_folder(tmp_path, lambda _: threads.add(threading.get_ident()))
    finally:
        os.sched_setaffinity(0, usable)
    assert len(threads) == 1


def test_order_is_that_of_raw_bytes_of_the_whole_path(tmp_path: Path) -> None:
    files = {b"a-b": b"1", b"a/b": b"2", b"a.b": b"3", b"\xff\xfe": b"4", "é".encode(): b"5"}
    for name, content in files.items():
        write(tmp_path / os.fsdecode(name), content)
    folder = hashing.hash_folder(tmp_path)
    assert [file.path for file in folder.files] == sorted(files)
    assert folder.dirhash == expected(files)


def test_many_files_are_hashed_in_parallel_with_the_same_result_and_full_progress(tmp_path: Path) -> None:
    files = {f"d{n % 7}/{n}".encode(): str(n).encode() * n for n in range(400)}
    for name, content in files.items():
        write(tmp_path / name.decode(), content)
    seen: list[int] = []
    assert hashing.hash_folder(tmp_path, seen.append).dirhash == expected(files)
    assert sum(seen) == sum(len(content) for content in files.values())


def test_empty_folders_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "f", b"x")
    before = hashing.hash_folder(tmp_path).dirhash
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    assert hashing.hash_folder(tmp_path).dirhash == before == expected({b"f": b"x"})


def test_a_folder_without_files_is_the_hash_of_nothing(tmp_path: Path) -> None:
    assert hashing.hash_folder(tmp_path).dirhash == hashlib.sha256(b"").hexdigest()


def test_a_symlink_inside_counts_as_its_target(tmp_path: Path) -> None:
    write(tmp_path / "blobs/1", b"one")
    write(tmp_path / "sub/x", b"two")
    (tmp_path / "model").symlink_to("blobs/1")
    (tmp_path / "again").symlink_to("sub")
    assert hashing.hash_folder(tmp_path).dirhash == expected(
        {b"blobs/1": b"one", b"sub/x": b"two", b"model": b"one", b"again/x": b"two"}
    )


def test_a_folder_given_by_a_symlink_is_its_target(tmp_path: Path) -> None:
    write(tmp_path / "real/f", b"x")
    (tmp_path / "link").symlink_to("real")
    assert hashing.hash_folder(tmp_path / "link").dirhash == expected({b"f": b"x"})


def _outside(folder: Path) -> None:
    write(folder.parent / "outside", b"secret")
    (folder / "link").symlink_to("../outside")


def _sibling_prefix(folder: Path) -> None:
    write(folder.parent / (folder.name + "-more") / "f", b"x")
    (folder / "link").symlink_to(f"../{folder.name}-more/f")


def _broken(folder: Path) -> None:
    (folder / "link").symlink_to("nothing")


def _endless(folder: Path) -> None:
    (folder / "link").symlink_to("link")


def _loop(folder: Path) -> None:
    write(folder / "d/f", b"x")
    (folder / "d/up").symlink_to("..")


def _newline(folder: Path) -> None:
    write(folder / "a\nb", b"x")


def _newline_in_folder(folder: Path) -> None:
    write(folder / "a\nb/c", b"x")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path may only be 108 bytes long
        try:
            server.bind("s")
        finally:
            os.chdir(here)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_outside, "leads out of the folder"),
        (_sibling_prefix, "leads out of the folder"),
        (_broken, "leads nowhere"),
        (_endless, "leads nowhere"),
        (_loop, "leads into itself"),
        (_newline, "newline"),
        (_newline_in_folder, "newline"),
        (_pipe, "neither a file nor a folder"),
        (_socket, "neither a file nor a folder"),
    ],
)
def test_what_can_not_be_the_same_elsewhere_is_inconclusive(
    tmp_path: Path, spoil: object, reason: str
) -> None:
    folder = tmp_path / "folder"
    write(folder / "good", b"x")
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(InconclusiveError, match=reason):
        hashing.hash_folder(folder)


def test_a_pipe_or_a_missing_file_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InconclusiveError, match="not a regular file"):
        hashing.hash_file(tmp_path / "pipe")
    with pytest.raises(InconclusiveError, match="can't be opened"):
        hashing.hash_file(tmp_path / "missing")
    with pytest.raises(InconclusiveError, match="not a regular file"):
        hashing.hash_file(tmp_path)
    with pytest.raises(InconclusiveError, match="not a folder"):
        hashing.hash_folder(tmp_path / "pipe")


def test_a_file_that_changes_while_it_is_read_is_inconclusive(tmp_path: Path) -> None:
    path = write(tmp_path / "f", b"x" * (hashing.CHUNK_BYTES + 1))
    grown = False

    def grow(_: int) -> None:
        nonlocal grown
        if not grown:
            grown = True
            with path.open("ab") as file:
                file.write(b"more")

    with pytest.raises(InconclusiveError, match="changed while it was read"):
        hashing.hash_file(path, grow)


def test_a_path_deeper_than_the_stack_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    finally:
        os.close(here)
    try:
        assert [file.path for file in hashing.hash_folder(tmp_path).files] == [b"d/" * 1200 + b"f"]
    finally:
        # pytest's own clean-up of old folders, at the end of some later session, would exhaust the stack.
        subprocess.run(["rm", "-r", "--", tmp_path / "d"], check=True)


def test_more_files_than_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 2)
    for name in ("a", "b"):
        write(tmp_path / name, b"")
    assert len(tree.list_files(os.fsencode(tmp_path))) == 2
    write(tmp_path / "c", b"")
    with pytest.raises(TooLargeError, match="more than 2 files"):
        tree.list_files(os.fsencode(tmp_path))

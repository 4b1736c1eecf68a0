"""What is done to copies, and what has to be said of each: the rows of the damage table."""

from __future__ import annotations

import os
import pickle
import shutil
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save

from tests.unit.artifacts.formats import test_damage as damages
from tests.unit.artifacts.formats import test_oci, test_onnx, test_tables
from tests.unit.artifacts.formats.model_files import gguf_bytes
from tests.unit.artifacts.formats.test_damage import cut, flipped, made, replaced

CONTENT = bytes(range(256)) * 40
TABLE: list[tuple[str, str, str, str]] = []
"""What was found, row by row, of all tests: `table` prints it."""


@dataclass(frozen=True)
class Row:
    """`words` are in the reason, in this order. `status`: of the artifact, after a match and the damage."""

    what: str
    done: str
    name: str
    make: Callable[[Path], object]
    damage: Callable[[Path], object]
    words: tuple[str, ...]
    outcome: str = "mismatch"

    @property
    def status(self) -> tuple[str, str]:
        """What can't be checked takes a fresh match not back."""
        return ("failed", "copy-mismatch") if self.outcome == "mismatch" else ("verified", "")


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def built(make: Callable[[Path], bytes]) -> Callable[[Path], object]:
    """A file of what `make` gives; it may use the folder that is its argument."""
    return lambda path: path.write_bytes(make(path.parent.parent))


def altered(damage: damages.Damage) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(damage(path.read_bytes(), path.parent.parent))


def appended(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"!")


def replaced_with_its_time(path: Path) -> None:
    """Another file of the same size, with the times of the one that it takes the place of."""
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def folder(path: Path) -> None:
    for name, inside in {"config.json": b"{}", "weights/a.bin": b"a" * 100, "weights/b.bin": b"b"}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(inside)


def sparse_terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def linked_outside(path: Path) -> None:
    secret = path.parent.parent / "secret"
    secret.write_bytes(path.read_bytes())  # the very bytes, in a place that was not configured
    path.unlink()
    path.symlink_to(secret)


def made_instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(path.parent, os.O_RDONLY)
        try:  # its address has little room
            listening.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def a_device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # it gives zeros for ever


def a_loop(path: Path) -> None:
    path.symlink_to(path)


GGUF = built(gguf_bytes)
PICKLE = pickle.dumps({"a": [1, 2, 3]})
SAFETENSORS = holding(save(damages.TENSORS, metadata={"note": "x"}))
TEMPLATE = b"{{ messages }}"

ROWS: tuple[Row, ...] = (
    # Any file
    Row("file", "one bit flipped", "m.bin", holding(CONTENT), altered(flipped(5000)), ("bytes differ",)),
    Row(
        "file",
        "cut off",
        "m.bin",
        holding(CONTENT),
        altered(cut(10)),
        ("10 bytes shorter: expected 10,240 bytes, found 10,230",),
    ),
    Row("file", "a byte appended", "m.bin", holding(CONTENT), appended, ("1 byte longer",)),
    Row(
        "file",
        "replaced by another of its size and time",
        "m.bin",
        holding(CONTENT),
        replaced_with_its_time,
        ("bytes differ",),
    ),
    Row(
        "file", "emptied", "m.bin", holding(CONTENT), altered(made(b"")), ("10,240 bytes shorter", "found 0")
    ),
    Row(
        "file",
        "a sparse terabyte in its place",
        "m.bin",
        holding(CONTENT),
        sparse_terabyte,
        ("bytes longer: expected 10,240 bytes, found 1,099,511,627,776", "not read"),
    ),
    # Folders
    Row(
        "folder",
        "a file altered",
        "m",
        folder,
        lambda path: (path / "weights/a.bin").write_bytes(b"A" * 100),
        ("weights/a.bin differs: expected SHA-256", "found"),
    ),
    Row(
        "folder",
        "a file missing",
        "m",
        folder,
        lambda path: (path / "weights/b.bin").unlink(),
        ("weights/b.bin is missing",),
    ),
    Row(
        "folder",
        "a file added",
        "m",
        folder,
        lambda path: (path / "weights/evil.py").write_bytes(b"x"),
        ("weights/evil.py was added",),
    ),
    Row(
        "folder",
        "a file renamed",
        "m",
        folder,
        lambda path: (path / "weights/b.bin").rename(path / "weights/c.bin"),
        ("weights/b.bin is missing", "weights/c.bin was added"),
    ),
    Row(
        "folder",
        "a sparse terabyte added",
        "m",
        folder,
        lambda path: sparse_terabyte(path / "big"),
        ("bytes longer", "not read"),
    ),
    # GGUF
    Row(
        "GGUF",
        "another chat template",
        "m.gguf",
        GGUF,
        altered(lambda content, folder: gguf_bytes(folder, template="{{ evil }}")),
        ("metadata key tokenizer.chat_template differs: expected sha256", "found"),
    ),
    Row(
        "GGUF",
        "a chat template of the same length, in place",
        "m.gguf",
        GGUF,
        altered(replaced(TEMPLATE, b"{{ massages }}")),
        ("metadata key tokenizer.chat_template differs: expected sha256",),
    ),
    Row(
        "GGUF",
        "a tensor renamed",
        "m.gguf",
        GGUF,
        altered(replaced(b"blk.0.attn_q", b"blk.1.attn_q")),
        ("tensor blk.0.attn_q.weight is now called blk.1.attn_q.weight",),
    ),
    Row(
        "GGUF",
        "a shape reversed",
        "m.gguf",
        GGUF,
        altered(
            lambda content, folder: gguf_bytes(
                folder, tensors={"token_embd.weight": (4, 8), "blk.0.attn_q.weight": (4, 4)}
            )
        ),
        ("tensor token_embd.weight: shape was 4\u00d78, is 8\u00d74",),
    ),
    Row(
        "GGUF",
        "a tensor altered",
        "m.gguf",
        GGUF,
        altered(flipped(-1)),
        ("tensor blk.0.attn_q.weight differs: expected",),
    ),
    # safetensors
    Row(
        "safetensors",
        "a tensor altered",
        "m.safetensors",
        SAFETENSORS,
        altered(flipped(-1)),
        ("tensor b differs",),
    ),
    Row(
        "safetensors",
        "its header altered",
        "m.safetensors",
        SAFETENSORS,
        altered(replaced(b"[2,4]", b"[4,2]")),
        ("tensor a: shape was 2\u00d74, is 4\u00d72",),
    ),
    Row(
        "safetensors",
        "a gap made",
        "m.safetensors",
        SAFETENSORS,
        altered(replaced(b"[0,32]", b"[1,32]")),
        ("no safetensors", "The tensor a has data_offsets"),
    ),
    # Others
    Row(
        "pickle",
        "code put into it",
        "m.pkl",
        holding(PICKLE),
        altered(made(pickle.dumps(damages.Evil()))),
        ("import posix.system was not there before", "became unsafe"),
    ),
    Row(
        "Parquet",
        "a value changed",
        "t.parquet",
        holding(test_tables.parquet(test_tables.table())),
        altered(made(test_tables.parquet(test_tables.table((1.0, 2.0, 3.0, 9.0))))),
        ("row group 1 differs: expected sha256",),
    ),
    Row(
        "ONNX",
        "an operator replaced",
        "m.onnx",
        holding(test_onnx.WHOLE),
        altered(replaced(b"Relu", b"Tanh")),
        ("node activate differs: expected sha256",),
    ),
    Row(
        "OCI manifest",
        "a layer exchanged",
        "manifest.json",
        holding(test_oci.written(test_oci.MANIFEST)),
        altered(
            made(test_oci.written({**test_oci.MANIFEST, "layers": [damages.OTHER_LAYER]})),
        ),
        ("layer 1 (model.gguf): size was 10, is 11",),
    ),
    Row(
        "a model of any format",
        "overwritten by text",
        "m.gguf",
        GGUF,
        altered(made(b"hello")),
        ("bytes shorter", "no gguf file any more"),
    ),
)


def by_name(name: str, make: Callable[[Path], object], damage: Callable[[Path], object], *words: str) -> Row:
    return Row("folder" if make is folder else "file", name, "m.bin", make, damage, words, "inconclusive")


UNTELLABLE = (
    by_name("a link out of the roots, to the same bytes", holding(CONTENT), linked_outside, "leads out of"),
    by_name("a link to itself", holding(CONTENT), made_instead(a_loop), "can't be resolved"),
    by_name("a named pipe in its place", holding(CONTENT), made_instead(os.mkfifo), "a named pipe"),
    by_name("a socket in its place", holding(CONTENT), made_instead(a_socket), "a socket"),
    by_name("a device in its place", holding(CONTENT), made_instead(a_device), "a device"),
    by_name(
        "a folder in its place", holding(CONTENT), made_instead(Path.mkdir), "a folder and not a regular"
    ),
    by_name("missing", holding(CONTENT), Path.unlink, "Nothing is at"),
    by_name("missing", folder, shutil.rmtree, "Nothing is at"),
    by_name(
        "a file in it a link that leads out of it",
        folder,
        lambda path: linked_outside(path / "config.json"),
        "symlink config.json leads out of the folder",
    ),
    by_name(
        "a file in it a named pipe",
        folder,
        lambda path: os.mkfifo(path / "pipe"),
        "pipe is neither a file nor a folder",
    ),
    by_name(
        "a file in it with a newline in its name",
        folder,
        lambda path: (path / "a\nb").write_bytes(b""),
        "has a newline in it",
    ),
)

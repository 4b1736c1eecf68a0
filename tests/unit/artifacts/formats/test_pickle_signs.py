"""What runs something when it is loaded is a pickle, however it is called and begins; text is none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import random
import string
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.artifacts.formats import Recognised, ending, pickle_signs, recognised
from lineage.artifacts.formats.pickles import PICKLE
from lineage.artifacts.reading import MemoryBytes
from tests.unit.artifacts.formats.model_files import gguf_bytes
from tests.unit.artifacts.formats.test_damage import Evil
from tests.unit.artifacts.formats.test_pickles import EVIL, tarred, zipped

OLD = b"cos\nsystem\n(S'id'\ntR."
"""Of protocol 0: it begins with the letter of an instruction, and with nothing else."""


def found(content: bytes, name: str = "blob") -> Recognised | None:
    return recognised(MemoryBytes(content), name)


def unsafe(content: bytes, name: str = "blob") -> tuple[str, ...]:
    kind = found(content, name)
    return kind.form.describe(MemoryBytes(content), name, None).unsafe if kind else ()


def in_a_name() -> bytes:
    """A tar whose first file is called as a pickle is written."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(OLD.decode()), io.BytesIO(b""))
    return out.getvalue()


RUNS = {
    "protocol 0": OLD,
    "protocol 0 of Python": pickle.dumps(Evil(), 0),
    "protocol 1 of Python": pickle.dumps(Evil(), 1),
    "an instance of protocol 0": b"(S'id'\nios\nsystem\n.",
    "after a long text": b"V" + b"x" * 10_000 + b"\n0" + OLD,
    "after many bytes": b"T" + (100_000).to_bytes(4, "little") + bytes(100_000) + b"0" + OLD,
    "after another pickle": b"(lp0\nI1\na." + OLD,
    "breaks off behind it": OLD[:-1] + b"\xff\xff",
    "marks that are popped": b"((00" + OLD,
    "GGUF's first bytes": b"GGUF\x03\0\0\0\0" + OLD,
    "a header of safetensors": b'\x80\x05G\0\0\0\0\0{"x' + OLD,
    "the name in a tar": in_a_name(),
}


@pytest.mark.parametrize("content", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("name", ["blob", "m.gguf", "m.safetensors", "m.onnx", "notes.txt"])
def test_what_would_run_is_a_pickle_under_every_name(content: bytes, name: str) -> None:
    assert found(content, name) == Recognised(PICKLE, by_bytes=True, loads=True)
    assert unsafe(content, name)


@pytest.mark.parametrize(
    "packed", [gzip.compress, bz2.compress, zlib.compress, lzma.compress], ids=["gzip", "bz2", "zlib", "xz"]
)
@pytest.mark.parametrize(
    "content",
    [OLD, EVIL, zipped({"m/data.pkl": EVIL}), tarred({"m.pkl": EVIL})],
    ids=["protocol-0", "pickle", "zip", "tar"],
)
def test_what_is_compressed_is_found_without_a_name(packed: Callable[[bytes], bytes], content: bytes) -> None:
    assert unsafe(packed(content))
    assert unsafe(gzip.compress(packed(content)))


def test_an_archive_of_pytorch_says_itself_that_it_holds_a_pickle() -> None:
    """So that one which can't be read to its end is not taken for harmless, whatever it is called."""
    whole = zipped({"m/data.pkl": EVIL})
    assert found(whole[:-30]) == Recognised(PICKLE, by_bytes=True, loads=True)
    assert found(zipped({"word/document.xml": b"<w/>"})) == Recognised(PICKLE, by_bytes=True, loads=False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"./configure\n",
        b"cat\ndog\nbird\n",
        b"config\nbuild\n.env\n",
        b"import os\nimport sys\n",
        b"import\nos\n(tR",
        b"person\nbicycle\ncar\n",
        b"Various things\nand others",
        b"c" + b"x" * 9_000,
        b"V" + b"x" * 9_000,
        b"X\xff\xff\0\0" + bytes(9_000),
        b"P\xff\n" + OLD,
        b"Ione\n0" + OLD,
        b"Sid\n0" + OLD,
        b"0" + OLD,
        gzip.compress(b"a,b\n1,2\n" * 1_000, mtime=0),
        gzip.compress(OLD, mtime=0)[:20],
        b"\x78\x01 is no stream",
    ],
)
def test_what_runs_nothing_is_just_a_file(content: bytes) -> None:
    assert found(content) is None


def test_neither_words_nor_noise_are_taken_for_pickles(tmp_path: Path) -> None:
    chance = random.Random(7)
    letters = string.ascii_letters + ".()]}012"
    for _ in range(2_000):
        words = ("".join(chance.choices(letters, k=chance.randrange(1, 9))) for _ in range(40))
        assert found("\n".join(words).encode()) is None
        assert found(chance.randbytes(300)) is None
    kind = found(gguf_bytes(tmp_path), "m.pt")
    assert kind is not None
    assert (kind.form.name, kind.by_bytes, kind.loads) == ("gguf", True, False)


def test_one_that_makes_sense_for_too_long_is_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_signs, "MAX_TRIED", 50)
    assert found(b"N0" * 60) == Recognised(PICKLE, by_bytes=True, loads=True)
    assert found(b"(N" * 10 + b"t" * 10) is None


@pytest.mark.parametrize(
    ("name", "telling"),
    [("blob", ""), ("M.PT", ".pt"), ("a.tar.gz", ".tar.gz"), ("a.b.onnx", ".onnx"), ("notes.txt", "")],
)
def test_the_ending_that_has_a_say(name: str, telling: str) -> None:
    assert ending(name) == telling

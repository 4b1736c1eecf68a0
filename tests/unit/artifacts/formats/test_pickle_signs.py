"""What runs something when it is loaded is a pickle, however it is called and begins; text is none."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import random
import re
import string
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.artifacts.formats import HEAD_BYTES, Recognised, ending, pickle_signs, recognised
from lineage.artifacts.formats.pickles import PICKLE, runs_in
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
    "a call that is cut off": OLD[:-1],
    "a call of anybody's module": b"cmodule\ncall\n(S'id'\ntR\xff",
    "a call of what was remembered": b"cos\nsystem\np0\n0(S'id'\np1\ntp2\n0g0\ng2\nR.",
    "a call above a mark": b"(cmodule\ncall\n)R.",
    "a call with a list": b"cos\nsystem\n](S'id'\neR.",
    "a call with text, as Python's own unpickler has it": b"cos\nsystem\nS'w'\nR.",
    "names from the stack": b"Vos\nVsystem\n\x93(S'id'\ntR.",
    "an object of protocol 1": b"(cos\nsystem\nS'id'\no.",
    "a new object": b"cmodule\nClass\n)\x81.",
    "a new object with names": b"cmodule\nClass\n)}\x92.",
    "the state of what is imported": b"cmodule\nthing\n}S'a'\nI1\nsb.",
    "onto the path": b"csys\npath\nS'x'\na0cevil\nx\n.",
    "many onto the path": b"csys\npath\n(Vx\nVy\ne.",
    "into the environment": b"cos\nenviron\nS'LD_PRELOAD'\nS'/tmp/x.so'\ns.",
    "into the environment, and no more": b"cos\nenviron\nVLD_PRELOAD\nV/tmp/x.so\ns",
    "much into the environment": b"cos\nenviron\n(VLD_PRELOAD\nV/tmp/x.so\nu.",
    "onto anybody's list": b"cmodule\nplugins\nVx\na.",
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


def zlib_of(content: bytes) -> bytes:
    return zlib.compress(content)


@pytest.mark.parametrize(
    "packed", [gzip.compress, bz2.compress, zlib_of, lzma.compress], ids=["gzip", "bz2", "zlib", "xz"]
)
def test_all_streams_of_a_compressed_file_are_read(packed: Callable[[bytes], bytes]) -> None:
    """As Python's readers do: one behind the other, an empty one before, zeros between, and more behind."""
    for content in (OLD, EVIL):
        assert unsafe(packed(b"") + packed(content))
        assert unsafe(packed(content[:3]) + packed(content[3:]))
        assert unsafe(packed(b"") * 300 + packed(content) + b"and what is no stream")
        assert unsafe(packed(content[:5]) + bytes(10_000) + packed(content[5:]), "m.joblib")
        assert unsafe(packed(content) + packed(content)[:-3])
    assert found(packed(b"1,2\n") + packed(b"3,4\n") + b"and what is no stream") is None


@pytest.mark.parametrize("size", [4096, 6144, 1 << 16, 1 << 23])
def test_the_old_header_of_lzma_has_a_dictionary_of_any_size(size: int) -> None:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": size}]
    packed = lzma.compress(OLD, lzma.FORMAT_ALONE, filters=filters)
    assert unsafe(packed)
    assert unsafe(packed[:1] + b"\0\7\0\0" + packed[5:]) == ()


def test_what_comes_out_before_a_stream_breaks_is_found() -> None:
    """A reader has given it on by then, and it has run."""
    packed = gzip.compress(OLD, mtime=0)
    assert unsafe(packed[:-8] + bytes(8))
    assert unsafe(packed[:-8])
    assert unsafe(gzip.compress(OLD + random.Random(1).randbytes(1 << 16), mtime=0)[:20_000])


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
        b"car\ncat\ncow\ncup\nbear\n",
        b"car\ncat\ncow\ncup\nb.txt\n",
        b"car\ncat\nVan\nRed\n",
        b"car\ncat\n2b\n",
        b"car\ncat\ncow\ncup\nb.",
        b"cast\ncat\nNail\n",
        b"cast\ncat\nVan\napple\n",
        b"cmodule\ncall\nVx\nR(.",
        b"cmodule\ncall\ng0\ntR.",
        b"cmodule\ncall\n(p0\n0)R.",
        b"I1\n(R)R.",
        b"(oR.",
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


WORDS = re.findall(
    r"\S+",
    """
person bicycle car motorcycle airplane bus train truck boat bench bird cat dog horse sheep cow bear
zebra giraffe backpack umbrella handbag tie suitcase frisbee skis kite bat cup bottle fork knife
spoon bowl banana apple sandwich orange broccoli carrot pizza donut cake chair couch bed table
toilet tv laptop mouse remote keyboard cell oven toaster sink book clock vase scissors teddy brush
automobile deer frog ship tench goldfish cock hen robin bulbul jay magpie kite eagle vulture newt
axolotl terrapin gecko agama boa cobra viper crab crane coot bustard beaver cast code calendar copy
types test tabs ant bee beetle box bar barn bib boot tub tank abacus altar apron In the of Van
Violin Sofa Fig Gown Rug Nail Kimono Loafer Bib Taxi Church x.png b.txt a.b cat.jpg t.R. none true 0
1 2 b. a.
""",
)


def of_words(chance: random.Random) -> list[str]:
    return chance.sample(WORDS, chance.randrange(2, 40))


def made_up(chance: random.Random) -> list[str]:
    return ["".join(chance.choices("cbtaesopdR.N2", k=chance.randrange(1, 7))) for _ in range(30)]


LISTS: dict[str, Callable[[random.Random], list[str]]] = {
    "words": of_words,
    "words in order": lambda chance: sorted(of_words(chance)),
    "words that are made up": made_up,
    "pairs": lambda chance: [f"{one} {number}" for number, one in enumerate(of_words(chance))],
    "CSV": lambda chance: [f"{one},{chance.random():.3f},{chance.randrange(9)}" for one in of_words(chance)],
    "ids": lambda chance: [f"{chance.getrandbits(128):032x}" for _ in range(30)],
    "short ids": lambda chance: [f"{chance.getrandbits(20):x}" for _ in range(30)],
    "numbers": lambda chance: [
        str(chance.choice([chance.randrange(99), chance.random()])) for _ in range(30)
    ],
    "one of each": lambda chance: [f"I{chance.randrange(3)}" for _ in range(20)] + of_words(chance),
}


@pytest.mark.parametrize("kind", LISTS)
def test_lists_are_no_pickles(kind: str) -> None:
    """Of what people keep in data sets, one a line: none turns red, whatever letters it begins with."""
    chance = random.Random(kind)
    for _ in range(20_000):
        content = "\n".join(LISTS[kind](chance)).encode()
        assert not runs_in(MemoryBytes(content), content[:HEAD_BYTES]), content


def test_numbers_that_make_sense_for_long_are_no_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_signs, "MAX_TRIED", 50)
    for piece in (b"N", b"(", b")", b"\x88", b"N0", b"I1\n", b"I1\nI2\n", b"\x85"):
        assert found(b")" + piece * 60) is None
    assert found(b"(N" * 10 + b"t" * 10) is None


def test_what_imports_and_makes_sense_for_too_long_is_taken_for_a_pickle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pickle_signs, "MAX_TRIED", 50)
    assert found(b"cos\nsystem\n" + b"N0" * 60) == Recognised(PICKLE, by_bytes=True, loads=True)


@pytest.mark.parametrize(
    ("name", "telling"),
    [("blob", ""), ("M.PT", ".pt"), ("a.tar.gz", ".tar.gz"), ("a.b.onnx", ".onnx"), ("notes.txt", "")],
)
def test_the_ending_that_has_a_say(name: str, telling: str) -> None:
    assert ending(name) == telling

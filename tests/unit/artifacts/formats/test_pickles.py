"""Pickles: in every container, harmless and not, and too much of anything."""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineage.artifacts.formats import (
    archives,
    differences,
    pickle_scan,
    pickle_walk,
    pickles,
    recognise,
    recognised,
)
from lineage.artifacts.formats.base import Description, UnopenedError
from lineage.artifacts.formats.pickles import PICKLE
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import InconclusiveError, MalformedError, TooLargeError

EVIL = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R."
GOOD = pickle.dumps({"a": [1, 2], "b": "x"})
SAID = ("imports posix.system (found by picklescan and fickling)",)


def described(content: bytes, name: str = "m.pkl") -> Description:
    return PICKLE.describe(MemoryBytes(content), name, None)


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def npy(value: object) -> bytes:
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)  # type: ignore[arg-type]
    return out.getvalue()


PACKED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "plain": (lambda content: content, "m.pkl"),
    "gzip": (gzip.compress, "m.pkl"),
    "zlib": (zlib.compress, "m.joblib"),
    "bz2": (bz2.compress, "m.pkl"),
    "xz": (lzma.compress, "m.pkl"),
    "lzma": (lambda content: lzma.compress(content, lzma.FORMAT_ALONE), "m.joblib"),
    "zip": (lambda content: zipped({"a/data.pkl": content}), "a/data.pkl"),
    "zip-deflated": (lambda content: zipped({"a/data.pkl": content}, zipfile.ZIP_DEFLATED), "a/data.pkl"),
    "zip-bz2": (lambda content: zipped({"a/data.pkl": content}, zipfile.ZIP_BZIP2), "a/data.pkl"),
    "zip-other-name": (lambda content: zipped({"readme.txt": content}), "readme.txt"),
    "tar": (lambda content: tarred({"a/data.pkl": content}), "a/data.pkl"),
    "tar-gz": (lambda content: gzip.compress(tarred({"data.pkl": content})), "m.tar.gz/data.pkl"),
    "zip-in-zip": (lambda content: zipped({"in.zip": zipped({"d.pkl": content})}), "in.zip/d.pkl"),
    "gzip-in-zip": (lambda content: zipped({"d.pkl": gzip.compress(content)}), "d.pkl"),
    "npy": (lambda content: npy(np.array([None], dtype=object))[:128] + content, "m.npy"),
    "npz": (lambda content: zipped({"x.npy": npy(np.array([None], dtype=object))[:128] + content}), "x.npy"),
    "behind-another": (lambda content: GOOD + content, "m.pkl (pickle 2)"),
    "behind-a-long-value": (lambda content: pickle.dumps(bytes(200_000)) + content, "m.pkl (pickle 2)"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_pickle_is_found_wherever_it_is(kind: str) -> None:
    pack, where = PACKED[kind]
    name = (
        where.partition("/")[0].partition(" ")[0] if kind in {"tar-gz", "npy"} or "/" not in where else "m.pt"
    )
    found = described(pack(EVIL), name)
    assert f"{where} {SAID[0]}" in found.unsafe


def npy_of(header: str, content: bytes = EVIL) -> bytes:
    packed = header.encode() + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(packed)) + packed + content


HEADERS = {
    "by a number": r"{'descr': '|\x4f', 'fortran_order': False, 'shape': (1,), }",
    "by an octal number": r"{'descr': '|\117', 'fortran_order': False, 'shape': (1,), }",
    "by a name": r"{'descr': '|\N{LATIN CAPITAL LETTER O}', 'fortran_order': False, 'shape': (1,), }",
    "in small": "{'descr': 'object', 'fortran_order': False, 'shape': (1,), }",
    "in another order": "{'fortran_order': False, 'shape': (1,), 'descr': '<f4'}",
    "with more in it": "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'a': 1}",
    "in other quotes": "{\"descr\": '<f4', 'fortran_order': False, 'shape': (1,)}",
    "too long": "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" + " " * (1 << 16),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_no_spelling_of_a_header_hides_what_is_behind_it(header: str) -> None:
    assert described(npy_of(header), "a.npy").unsafe == (f"a.npy {SAID[0]}",)
    assert described(zipped({"a": npy_of(header)}), "blob").unsafe[0] == f"a {SAID[0]}"


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(3),
        np.zeros(()),
        np.zeros((2, 3), dtype=">i8", order="F"),
        np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4", (2,)), ("c", [("x", "U3")])]),
        np.array(["a", "b"]),
        np.zeros(2, dtype="datetime64[ns]"),
    ],
    ids=["floats", "none", "fortran", "fields", "text", "times"],
)
def test_numbers_behind_the_header_that_numpy_writes_are_numbers(value: Any) -> None:
    """Whatever they would be as a pickle."""
    content = npy(value)
    assert described(content[: len(content) - value.nbytes] + EVIL, "a.npy").facts["pickles"] == "0"


HARMLESS: dict[str, Any] = {
    "values": {"a": [1, 2.5, "x", None, True], "b": (b"y", {1, 2})},
    "ordered-dict": collections.OrderedDict(a=1),
    "array": np.arange(10),
    "arrays": {"w": np.ones((2, 2), dtype=np.float32), "b": np.zeros(2)},
    "date": date(2026, 1, 1),
}


def test_what_is_harmless() -> None:
    files = {f"{name}.pkl": pickle.dumps(value) for name, value in HARMLESS.items()}
    files |= {f"protocol-{number}.pkl": pickle.dumps([1, "x", {"a": 2.5}], number) for number in range(6)}
    found = described(zipped(files), "m.pt")
    assert (found.unsafe, found.facts["pickles"]) == ((), str(len(files)))


def test_a_model_of_sklearn_is_called_unsafe_since_fickling_does() -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0], [1]], [0, 1])
    found = described(pickle.dumps(model))
    assert (
        "m.pkl imports sklearn.linear_model._logistic.LogisticRegression (found by fickling)" in found.unsafe
    )
    out = io.BytesIO()
    joblib.dump(model, out)
    assert any("joblib.numpy_pickle" in why for why in described(out.getvalue(), "m.joblib").unsafe)


def test_a_zip_has_a_part_for_each_file_and_each_import() -> None:
    recorded = described(zipped({"data.pkl": GOOD, "data/0": b"1234"}), "m.pt")
    assert [(part.kind, part.name, part.detail) for part in recorded.parts] == [
        ("file", "data.pkl", f"size {len(GOOD)}"),
        ("file", "data/0", "size 4"),
    ]
    found = described(zipped({"data.pkl": EVIL, "data/0": b"1235"}), "m.pt")
    said = differences(recorded, found)
    assert any(sentence.startswith("the file data/0 differs") for sentence in said)
    assert "the import posix.system was not there before" in said
    assert f"loading it became unsafe: data.pkl {SAID[0]}" in said


def test_an_archive_without_a_file_holds_nothing_that_is_run() -> None:
    """It has 22 bytes, before which zipfile looks for more."""
    empty = zipped({})
    assert len(empty) == 22
    found = described(empty, "m.zip")
    assert (found.parts, found.unsafe) == ((), ())


def test_text_in_an_archive_is_no_pickle() -> None:
    assert described(zipped({"code/m.py": b"class A:\n  pass\n", "b": b"cat\ndog\n"}), "m.pt").unsafe == ()


def test_an_encryption_flag_hides_nothing() -> None:
    content = bytearray(zipped({"data.pkl": EVIL}))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + at] |= 1
    assert described(bytes(content), "m.pt").unsafe == (
        f"data.pkl {SAID[0]}",
        *described(bytes(content)).unsafe[1:],
    )
    garbled = bytes(content).replace(EVIL, bytes(len(EVIL)))
    found = described(garbled, "m.pt")
    assert (found.unsafe, found.facts["not looked into"]) == ((), "data.pkl (encrypted)")


def test_what_breaks_off_after_an_import_is_unsafe() -> None:
    assert described(EVIL[:-1] + b"\xff").unsafe[0] == f"m.pkl {SAID[0]}"
    assert described(EVIL[:-1]).unsafe[0] == f"m.pkl {SAID[0]}"


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_what_breaks_off_after_a_harmless_import_is_unsafe(packed: Callable[[bytes], bytes]) -> None:
    """However many instructions it has: examiners that know the name see nothing else in it."""
    content = b"\x80\x02" + b"N0" * 130_000 + b"cnumpy\nndarray\n0"
    said = "m.joblib breaks off after an import, so what loading it runs can't be told"
    assert said in described(packed(content), "m.joblib").unsafe
    assert said in described(packed(content + b"\xff"), "m.joblib").unsafe
    if packed is gzip.compress:
        assert described(packed(content) + packed(EVIL), "m.joblib").unsafe != ()
        assert said in described(packed(content)[:-9], "m.joblib").unsafe
    assert described(packed(content + b"N."), "m.joblib").unsafe == ()


def test_an_extension_code_is_an_import_that_can_not_be_told() -> None:
    assert any("can't be told" in why or "copyreg" in why for why in described(b"\x80\x02\x82\x01.").unsafe)


def split(archive: bytes) -> tuple[bytes, bytes, bytes]:
    """The files of a zip, its directory and its end."""
    end = archive.rindex(b"PK\5\6")
    size, place = struct.unpack_from("<II", archive, end + 12)
    return archive[:place], archive[place : place + size], archive[end:]


def two_directories(named: bytes, before: bytes, large: bool = False) -> bytes:
    """Of two zips: the directory of `named` is where the end says, that of `before` right before the end."""
    files, directory, _ = split(named)
    more, other, end = split(before)
    files += bytes(max(len(more) - len(files), 0))
    moved = bytearray(other)
    place = other.index(b"PK\1\2") + 42
    moved[place : place + 4] = struct.pack("<I", len(files) - len(more))
    content = files + directory + more + bytes(moved)
    if large:
        record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, len(other), len(files))
        end = record + struct.pack("<IIQI", 0x07064B50, 0, len(content), 1) + end
    return content + end[:-6] + struct.pack("<I", len(files)) + end[-2:]


@pytest.mark.parametrize("large", [False, True], ids=["plain", "zip64"])
@pytest.mark.parametrize("name", ["model.pt", "blob"])
def test_a_zip_with_two_directories_hides_no_pickle(name: str, large: bool) -> None:
    """PyTorch takes the one that the end names, Python the other."""
    hidden, shown = zipped({"archive/data.pkl": EVIL}), zipped({"archive/aaaaa.txt": b"hello"})
    content = two_directories(hidden, shown, large)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["archive/aaaaa.txt"]
        assert archive.read("archive/aaaaa.txt") == b"hello"
    assert ["two directories" in why for why in described(content, name).unsafe] == [True]
    assert described(two_directories(shown, hidden, large), name).unsafe == (f"archive/data.pkl {SAID[0]}",)
    packed = described(zipped({"in.zip": content}), name)
    assert any("two directories" in why for why in packed.unsafe)
    with pytest.raises(MalformedError, match="two directories"):
        described(two_directories(shown, shown, large), name)


def test_what_is_put_before_or_behind_a_zip_makes_no_second_directory() -> None:
    archive = zipped({"a.txt": b"hello"})
    assert described(b"PK\3\4" + bytes(100) + archive, "setup.zip").unsafe == ()
    assert described(archive[:-2] + b"\5\0notes", "setup.zip").unsafe == ()
    assert described(zipped({"longer.txt": b"hello"}) + archive, "setup.zip").unsafe == ()


def of_seven(content: bytes) -> bytes:
    """The tar as Unix's seventh edition has it: without a magic, of one file."""
    head = bytearray(content[:512])
    head[257:265] = bytes(8)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + content[512:]


OLD = b"cos\nsystem\n(S'id'\ntR."
NUMBER = pickle.dumps(1, 2)


@pytest.mark.parametrize("name", ["model.pt", "checkpoint.tar", "blob"])
@pytest.mark.parametrize("member", ["storages", "tensors", "pickle", "sys_info"])
@pytest.mark.parametrize("content", [OLD, NUMBER + OLD, EVIL], ids=["old", "behind-another", "new"])
def test_the_files_of_pytorchs_old_tar_are_pickles(content: bytes, member: str, name: str) -> None:
    packed = tarred({member: content})
    for archive in (packed, of_seven(packed)):
        found = recognised(MemoryBytes(archive), name)
        assert found is not None
        assert (found.form, found.loads) == (PICKLE, True)
        assert any(why.startswith(member) and "system" in why for why in described(archive, name).unsafe)


def test_what_is_between_the_pickles_of_pytorchs_old_tar_hides_nothing() -> None:
    said = "tensors holds more than pickles, so what loading it runs can't be told"
    files = {"storages": NUMBER, "tensors": NUMBER * 2 + bytes(40) + EVIL, "pickle": GOOD}
    assert described(tarred(files), "model.pt").unsafe == (said,)
    files["tensors"] = NUMBER + b"X\xff\xff\xff\x7f" + EVIL
    assert described(tarred(files), "model.pt").unsafe == (said,)
    assert described(tarred({**files, "tensors": NUMBER * 3}), "model.pt").unsafe == ()
    assert described(tarred({"a.txt": b"hello", "pickle": b"how to make a pickle\n"}), "a.tar").unsafe == ()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
def test_a_link_in_pytorchs_old_tar_is_unsafe(kind: bytes) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        plain, link = tarfile.TarInfo("a.txt"), tarfile.TarInfo("storages")
        plain.size, link.type, link.linkname = len(OLD), kind, "a.txt"
        archive.addfile(plain, io.BytesIO(OLD))
        archive.addfile(link)
    assert ["is a link" in why for why in described(out.getvalue(), "blob").unsafe] == [True]


MALFORMED = {
    "empty": b"",
    "text": b"hello world",
    "png": b"\x89PNG\r\n\x1a\n",
    "cut-off": pickle.dumps([1, 2, 3])[:-3],
    "negative-length": b"T\xff\xff\xff\xff.",
    "longer-than-the-file": b"\x8e" + struct.pack("<Q", 1 << 62),
    "gzip-cut-off": gzip.compress(GOOD * 100)[:-20],
    "gzip-broken": gzip.compress(GOOD)[:12] + b"\xff" * 30,
    "zip-without-end": zipped({"a.pkl": GOOD})[:-10],
    "zip-cut-off": zipped({"a.pkl": GOOD})[-80:].join([b"PK\3\4", b""]),
    "tar-cut-off": tarred({"a.pkl": GOOD * 100})[:1024],
    "npy-header": b"\x93NUMPY\x01\x00\xff\xff",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed(name: str) -> None:
    with pytest.raises(MalformedError):
        described(MALFORMED[name])


def by_method(files: Mapping[str, bytes], methods: Mapping[str, int], encrypted: bool = False) -> bytes:
    """A zip in which some files say that they are packed by other methods than they are."""
    content = bytearray(zipped(files))
    for name, method in methods.items():
        place = content.rindex(name.encode()) - 46
        local = content.index(name.encode()) - 30
        for at in (place + 10, local + 8):
            content[at : at + 2] = method.to_bytes(2, "little")
        if encrypted:
            content[place + 8] |= 1
    return bytes(content)


@pytest.mark.parametrize("method", [9, 14, 93, 99])
def test_what_is_packed_by_a_method_that_is_not_known_hides_nothing_beside_it(method: int) -> None:
    files = {"a.csv": b"1,2", "m/data.pkl": GOOD}
    with pytest.raises(UnopenedError, match=rf"a\.csv: .* by method {method}, which can't be opened here"):
        described(by_method(files, {"a.csv": method}), "report.docx")
    found = described(by_method({**files, "z.pkl": EVIL}, {"a.csv": method}), "report.docx")
    assert (found.unsafe, found.facts["not looked into"]) == ((f"z.pkl {SAID[0]}",), "a.csv")


def test_what_is_broken_or_encrypted_hides_nothing_beside_it() -> None:
    files = {"a.csv": b"\xff" * 40, "z.pkl": EVIL}
    for encrypted in (True, False):
        found = described(by_method(files, {"a.csv": zipfile.ZIP_DEFLATED}, encrypted), "blob")
        assert found.unsafe == (f"z.pkl {SAID[0]}",)
        files_left = {"a.csv": files["a.csv"]}
        with pytest.raises(UnopenedError if encrypted else MalformedError, match=r"encrypted|broken"):
            described(by_method(files_left, {"a.csv": zipfile.ZIP_DEFLATED}, encrypted), "blob")


@pytest.mark.parametrize(
    "head", [b"7z\xbc\xaf\x27\x1c", b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd"], ids=["7z", "lz4", "zstd"]
)
def test_what_can_not_be_opened_is_inconclusive(head: bytes) -> None:
    with pytest.raises(InconclusiveError, match="can't be opened here"):
        described(head + bytes(100))


def test_what_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_EXPANDED_BYTES", 100_000)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    monkeypatch.setattr(pickles, "MAX_PICKLES", 5)
    monkeypatch.setattr(pickles, "MAX_EXAMINED_BYTES", 1000)
    monkeypatch.setattr(pickle_walk, "MAX_INSTRUCTIONS", 500)
    bomb = gzip.compress(pickle.dumps(bytes(1_000_000)))
    nested = GOOD
    for _ in range(5):
        nested = gzip.compress(nested)
    for content in (
        bomb,
        zipped({"a.pkl": bomb}),
        zipped({"a": bytes(1_000_000)}, zipfile.ZIP_DEFLATED),
        zipped({str(n): b"" for n in range(4)}),
        tarred({str(n): b"" for n in range(4)}),
        nested,
        b"N." * 6,
        pickle.dumps(["x" * 300] * 2 + ["y" * 900]),
        pickle.dumps(list(range(600))),
    ):
        with pytest.raises(TooLargeError):
            described(content)


def test_too_large_for_fickling_is_judged_by_picklescan_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "FICKLING_INSTRUCTIONS", 3)
    assert described(GOOD).unsafe == ()
    assert described(GOOD).facts["fickling"] == "can't judge m.pkl: picklescan alone did"
    assert described(pickle.dumps(date(2026, 1, 1))).unsafe == (
        "m.pkl imports datetime.date (found by picklescan)",
    )
    assert described(pickle.dumps(np.arange(3))).unsafe == ()


def test_what_fills_ficklings_limits_is_not_called_malicious_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "FICKLING_REMEMBERED", 1_000_000)
    many = tuple(range(12_000))  # more on the stack than fickling bears
    found = described(pickle.dumps(many))
    assert (found.unsafe, "fickling" in found.facts) == ((), True)


def test_examiners_that_do_not_come_to_an_end_are_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "WALL_SECONDS", 0.001)
    with pytest.raises(InconclusiveError, match=r"0\.001 seconds"):
        described(EVIL)


def test_nothing_is_run(tmp_path: Path) -> None:
    class Make:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    assert described(pickle.dumps(Make())).unsafe
    assert not (tmp_path / "ran").exists()


def test_nothing_beside_the_file_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fickling.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    assert described(EVIL).unsafe


@pytest.mark.parametrize(
    ("content", "name", "recognised"),
    [
        (EVIL, "anything", True),
        (b"\x80", "x", False),
        (b"csome,thing\n1,2\n", "table.dat", False),
        (b"cos\nsystem\n(S'x'\ntR.", "m.dat", True),
        (b"cos\nsystem\n\xff", "m.bin", True),
        (b"hello", "m.bin", False),
        (zipped({"a": b""}), "data.zip", True),
        (zipped({"a": b""}), "report.docx", True),
        (tarred({"a": b""}), "blob", True),
        (npy(np.zeros(1)), "blob", True),
        (zipped({"m/data.pkl": EVIL}), "m.safetensors", True),
        (EVIL, "table.parquet", True),
        (b"", "m.pt", True),
    ],
    ids=[
        "content",
        "one-byte",
        "csv",
        "protocol-0",
        "broken",
        "text",
        "zip",
        "docx",
        "tar",
        "array",
        "zip-called-safetensors",
        "pickle-called-parquet",
        "suffix",
    ],
)
def test_what_is_recognised(content: bytes, name: str, recognised: bool) -> None:
    assert (recognise(content, name) is PICKLE) == recognised

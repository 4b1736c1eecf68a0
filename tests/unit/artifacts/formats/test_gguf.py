"""GGUF files: their digests, what is refused, and the manifests of llama.cpp."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import gguf
import pytest

from lineage.artifacts.formats import UnopenedError, differences, gguf_manifest
from lineage.artifacts.formats.gguf_file import GGUF
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from tests.unit.artifacts.formats.model_files import described, gguf_bytes, raw_gguf, raw_info, text

SAME_HASH = ("gguf-hash:sha256", "gguf-hash:sha1", "gguf-hash:uuid")


def test_a_file_is_described_as_its_own_library_reads_it(tmp_path: Path) -> None:
    content = gguf_bytes(tmp_path)
    found = described(content, "m.gguf")
    reader = gguf.GGUFReader(tmp_path / "made.gguf")
    tensors = {part.name: part for part in found.parts if part.kind == "tensor"}
    assert list(tensors) == [tensor.name for tensor in reader.tensors]
    for tensor in reader.tensors:
        raw = tensor.data.tobytes()
        shape = "\u00d7".join(str(size) for size in tensor.shape)
        assert tensors[tensor.name].digest == hashlib.sha256(raw).hexdigest()
        assert tensors[tensor.name].detail == f"dtype {tensor.tensor_type.name}, shape {shape}"
    keys = [part.name for part in found.parts if part.kind == "metadata"]
    assert keys == [name for name in reader.fields if not name.startswith("GGUF.")]
    everything = b"".join(tensor.data.tobytes() for tensor in reader.tensors)
    assert found.digests["gguf-hash:sha256"] == hashlib.sha256(everything).hexdigest()
    assert found.digests["gguf-hash:sha1"] == hashlib.sha1(everything).hexdigest()
    assert found.facts["architecture"] == "llama"
    assert found.unsafe == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"template": "{{ evil }}"}, ["the metadata key tokenizer.chat_template differs: expected sha256"]),
        (
            {"tensors": {"token_embd.weight": (8, 4), "blk.1.attn_q.weight": (4, 4)}},
            ["the tensor blk.0.attn_q.weight is now called blk.1.attn_q.weight"],
        ),
        (
            {"tensors": {"token_embd.weight": (4, 8), "blk.0.attn_q.weight": (4, 4)}},
            ["the tensor token_embd.weight: shape was 4\u00d78, is 8\u00d74"],
        ),
    ],
    ids=["chat-template", "renamed", "shape-reversed"],
)
def test_what_llama_cpps_hash_misses_is_told(
    tmp_path: Path, changed: dict[str, object], words: list[str]
) -> None:
    recorded = described(gguf_bytes(tmp_path), "m.gguf")
    found = described(gguf_bytes(tmp_path, **changed), "m.gguf")  # type: ignore[arg-type]
    assert [recorded.digests[name] for name in SAME_HASH] == [found.digests[name] for name in SAME_HASH]
    said = differences(recorded, found)
    assert len(said) == len(words)
    assert all(sentence.startswith(start) for sentence, start in zip(said, words, strict=True))


def _key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


NESTED = struct.pack("<IQ", 9, 1) * 6 + struct.pack("<IQ", 0, 0)
REFUSED = {
    "empty": (b"", MalformedError, "needs 4 bytes"),
    "magic": (b"GGML" + bytes(20), MalformedError, "start with GGUF"),
    "version-1": (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), UnopenedError, "version 1"),
    "cut-in-the-header": (b"GGUF" + struct.pack("<IQ", 3, 0), MalformedError, "number of metadata keys"),
    "many-tensors": (raw_gguf(count=1 << 60), MalformedError, "more than fit"),
    "many-keys": (raw_gguf(key_count=1 << 60), MalformedError, "more than fit"),
    "long-name": (raw_gguf(struct.pack("<Q", 1 << 62) + bytes(8), 1), MalformedError, "needs"),
    "name-no-utf8": (raw_gguf(struct.pack("<Q", 1) + b"\xff" + bytes(8), 1), MalformedError, "UTF-8"),
    "key-twice": (raw_gguf(_key("k", 0, b"\1") * 2, 2), MalformedError, "k stands there twice"),
    "type-none": (raw_gguf(_key("k", 99, bytes(8)), 1), MalformedError, "type 99"),
    "bool-of-two": (raw_gguf(_key("k", 7, b"\2"), 1), MalformedError, "neither 0 nor 1"),
    "array-too-long": (raw_gguf(_key("k", 9, struct.pack("<IQ", 4, 1 << 61)), 1), MalformedError, "needs"),
    "array-of-strings-too-long": (
        raw_gguf(_key("k", 9, struct.pack("<IQ", 8, 1 << 40)), 1),
        MalformedError,
        "needs",
    ),
    "array-too-deep": (raw_gguf(_key("k", 9, NESTED), 1), TooLargeError, "deeper"),
    "alignment-of-three": (
        raw_gguf(_key("general.alignment", 4, struct.pack("<I", 3)), 1),
        MalformedError,
        "power of two",
    ),
    "dimensions": (raw_gguf(infos=raw_info("t", (1,) * 9), count=1), MalformedError, "9 dimensions"),
    "tensor-type": (raw_gguf(infos=raw_info("t", (1,), 250), count=1), UnopenedError, "type 250"),
    "block": (raw_gguf(infos=raw_info("t", (31,), 8), count=1), MalformedError, "doesn't divide"),
    "cut-off": (raw_gguf(infos=raw_info("t", (9,)), count=1, data=bytes(32)), MalformedError, "cut off"),
    "overflow": (raw_gguf(infos=raw_info("t", (1 << 63, 1 << 63)), count=1), MalformedError, "cut off"),
    "gap": (raw_gguf(infos=raw_info("t", (1,), offset=32), count=1, data=bytes(64)), MalformedError, "a gap"),
    "overlap": (
        raw_gguf(infos=raw_info("a", (8,)) + raw_info("b", (8,)), count=2, data=bytes(64)),
        MalformedError,
        "b overlaps",
    ),
    "name-twice": (
        raw_gguf(infos=raw_info("a", (8,)) + raw_info("a", (8,), offset=32), count=2, data=bytes(64)),
        MalformedError,
        "same name",
    ),
    "behind-the-end": (
        raw_gguf(infos=raw_info("t", (8,)), count=1, data=bytes(65)),
        MalformedError,
        "33 bytes stand behind",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    content, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        GGUF.describe(MemoryBytes(content), "m.gguf", None)


def test_a_big_endian_file_could_not_be_checked(tmp_path: Path) -> None:
    with pytest.raises(UnopenedError, match="big-endian"):
        GGUF.describe(MemoryBytes(gguf_bytes(tmp_path, big=True)), "m.gguf", None)


def test_padding_is_not_overlooked(tmp_path: Path) -> None:
    content = gguf_bytes(tmp_path, tensors={"a": (3,), "b": (3,)})
    recorded, altered = described(content, "m.gguf"), described(content[:-1] + b"\1", "m.gguf")
    assert differences(recorded, altered) == (
        "bytes differ that belong to no part: in the header, or in padding",
    )


def test_a_manifest_is_written_as_llama_cpp_does_and_checked(tmp_path: Path) -> None:
    content = gguf_bytes(tmp_path)
    written = gguf_manifest.write(MemoryBytes(content), "m.gguf", ("sha256", "sha1", "uuid"))
    assert written.splitlines()[0].startswith(b"sha256    ")
    assert written.splitlines()[-1].startswith(b"uuid      ")
    assert gguf_manifest.looks_like_one(written)
    lines = gguf_manifest.read(written)
    assert gguf_manifest.check(MemoryBytes(content), lines) == ()
    altered = bytearray(content)
    altered[-1] ^= 1
    said = gguf_manifest.check(MemoryBytes(bytes(altered)), lines)
    assert said[0].startswith("the tensor blk.0.attn_q.weight differs: expected sha256 ")
    assert any(sentence.startswith("all tensors together differ: expected uuid") for sentence in said)


def test_a_manifest_names_what_is_missing_and_what_is_extra(tmp_path: Path) -> None:
    lines = gguf_manifest.read(gguf_manifest.write(MemoryBytes(gguf_bytes(tmp_path)), "m.gguf"))
    other = gguf_bytes(tmp_path, tensors={"token_embd.weight": (8, 4), "new": (4, 4)})
    assert gguf_manifest.check(MemoryBytes(other), lines) == (
        "the tensor blk.0.attn_q.weight is missing",
        "the tensor new is not in the manifest",
    )


def test_xxh64_alone_and_a_part_of_the_tensors_prove_nothing(tmp_path: Path) -> None:
    content = gguf_bytes(tmp_path)
    for manifest in (
        b"xxh64     5a54d3aad816f302  m.gguf\n",
        b"sha256    " + b"0" * 64 + b"  m.gguf:token_embd.weight\n",
    ):
        with pytest.raises(InconclusiveError):
            gguf_manifest.check(MemoryBytes(content), gguf_manifest.read(manifest))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"sha256 abc m.gguf\n",
        b"md5 " + b"0" * 32 + b" m.gguf",
        (b"sha256  " + b"0" * 64 + b"  m.gguf\n") * 2,
        b"sha256  " + b"0" * 64 + b"  a.gguf\nsha256  " + b"0" * 64 + b"  b.gguf\n",
    ],
    ids=["empty", "no-utf8", "short", "other-algorithm", "twice", "two-files"],
)
def test_a_manifest_that_is_none(content: bytes) -> None:
    with pytest.raises(MalformedError):
        gguf_manifest.read(content)

"""safetensors files: their digests, and what is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from lineage.artifacts.formats import UnopenedError, differences
from lineage.artifacts.formats.safetensors_file import SAFETENSORS
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import LineageError, MalformedError, TooLargeError
from tests.unit.artifacts.formats.model_files import described, raw_safetensors

Arrays = dict[str, np.ndarray[Any, Any]]
TENSORS: Arrays = {"a": np.arange(8, dtype=np.float32).reshape(2, 4), "b": np.zeros((2, 2), dtype=np.int64)}


def test_a_file_is_described_as_its_own_library_reads_it() -> None:
    content = save(TENSORS, metadata={"format": "np", "note": "x"})
    found = described(content, "m.safetensors")
    tensors = {part.name: part for part in found.parts if part.kind == "tensor"}
    assert {name: part.digest for name, part in tensors.items()} == {
        name: hashlib.sha256(value.tobytes()).hexdigest() for name, value in load(content).items()
    }
    assert tensors["a"].detail == "dtype F32, shape 2\u00d74"
    assert [part.name for part in found.parts if part.kind == "metadata"] == ["format", "note"]
    assert found.facts == {"tensors": "2", "dtypes": "F32 1, I64 1", "made for": "np"}


def test_it_is_recognised_without_its_suffix() -> None:
    assert described(save(TENSORS), "weights").format == "safetensors"


@pytest.mark.parametrize(
    ("tensors", "metadata", "words"),
    [
        (TENSORS, {"note": "y"}, "the metadata key note differs"),
        ({**TENSORS, "b": np.ones((2, 2), dtype=np.int64)}, {"note": "x"}, "the tensor b differs"),
        (
            {"a": TENSORS["a"].reshape(4, 2), "b": TENSORS["b"]},
            {"note": "x"},
            "the tensor a: shape was 2\u00d74, is 4",
        ),
        ({"a": TENSORS["a"], "c": TENSORS["b"]}, {"note": "x"}, "the tensor b is now called c"),
        ({"a": TENSORS["a"]}, {"note": "x"}, "the tensor b is missing"),
    ],
    ids=["metadata", "value", "shape", "renamed", "missing"],
)
def test_what_differs_is_named(tensors: Arrays, metadata: dict[str, str], words: str) -> None:
    recorded = described(save(TENSORS, metadata={"note": "x"}), "m.safetensors")
    (said,) = differences(recorded, described(save(tensors, metadata=metadata), "m.safetensors"))
    assert said.startswith(words)


def _info(dtype: str = "I32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


REFUSED: dict[str, tuple[Any, bytes, type[LineageError], str]] = {
    "twice": (b'{"a":{},"a":{}}', b"", MalformedError, "a twice"),
    "twice-inside": (b'{"a":{"dtype":"I32","dtype":"I32"}}', b"", MalformedError, "dtype twice"),
    "array": (b"[1]", b"", MalformedError, "begin with"),
    "nan": (b'{"a":NaN}', b"", MalformedError, "no JSON"),
    "deep": (b'{"a":' + b"[" * 20_000, b"", MalformedError, "no JSON"),
    "metadata-number": ({"__metadata__": {"a": 1}}, b"", MalformedError, "object of texts"),
    "half-a-character": (b'{"\\ud800":{}}', b"", MalformedError, "half a character"),
    "extra-member": ({"a": {**_info(), "x": 1}}, bytes(4), MalformedError, "only them"),
    "dtype": ({"a": _info(dtype="X9")}, bytes(4), UnopenedError, "dtype X9"),
    "negative": ({"a": _info(shape=[-1])}, bytes(4), MalformedError, "are none"),
    "bool-as-number": ({"a": _info(shape=[True])}, bytes(4), MalformedError, "are none"),
    "gap": ({"a": _info(offsets=[4, 8])}, bytes(8), MalformedError, "a gap"),
    "overlap": ({"a": _info(), "b": _info()}, bytes(4), MalformedError, "b overlaps"),
    "behind": ({"a": _info()}, bytes(5), MalformedError, "1 bytes stand behind"),
    "cut-off": ({"a": _info()}, bytes(3), MalformedError, "cut off"),
    "shape": ({"a": _info(shape=[2])}, bytes(4), MalformedError, "don't fit"),
    "half-a-byte": (
        {"a": _info(dtype="F4", shape=[3], offsets=[0, 1])},
        bytes(1),
        MalformedError,
        "don't fit",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    header, data, error, words = REFUSED[name]
    content = raw_safetensors(header, data)
    with pytest.raises(error, match=words):
        SAFETENSORS.describe(MemoryBytes(content), "m.safetensors", None)


def test_a_header_over_the_formats_own_limit() -> None:
    class Long(MemoryBytes):
        size = 200_000_000

    with pytest.raises(TooLargeError):
        SAFETENSORS.describe(Long((150_000_000).to_bytes(8, "little")), "m.safetensors", None)


def test_the_layout_of_the_header_is_not_overlooked() -> None:
    header = {"a": _info()}
    tight = raw_safetensors(json.dumps(header, separators=(",", ":")).encode(), bytes(4))
    loose = raw_safetensors(header, bytes(4))
    assert differences(described(tight, "m"), described(loose, "m")) == (
        "bytes differ that belong to no part: in the header, or in padding",
    )

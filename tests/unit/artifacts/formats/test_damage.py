"""What was done to a file → what is said about it: a row each, as it would be told to an officer.

Words that start a sentence stand for it; what is malformed is told by its error.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import save

from lineage.artifacts.formats import differences
from lineage.artifacts.looking import problem
from lineage.errors import LineageError
from tests.unit.artifacts.formats import test_oci, test_onnx, test_tables
from tests.unit.artifacts.formats.model_files import described, gguf_bytes

Damage = Callable[[bytes, Path], bytes]


def flipped(where: int) -> Damage:
    """One bit of the byte at `where` (negative: from the end)."""

    def damage(content: bytes, folder: Path) -> bytes:
        altered = bytearray(content)
        altered[where] ^= 1
        return bytes(altered)

    return damage


def cut(count: int) -> Damage:
    return lambda content, folder: content[:-count]


def more(content: bytes, folder: Path) -> bytes:
    return content + b"\x01" * 100


def replaced(old: bytes, new: bytes) -> Damage:
    def damage(content: bytes, folder: Path) -> bytes:
        assert content.count(old) >= 1
        assert len(old) == len(new)
        return content.replace(old, new, 1)

    return damage


def made(content: bytes) -> Damage:
    return lambda original, folder: content


TENSORS = {"a": np.arange(8, dtype=np.float32).reshape(2, 4), "b": np.zeros((2, 2), dtype=np.float32)}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def torch_zip(pickled: bytes, weights: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in {"m/data.pkl": pickled, "m/data/0": weights, "m/version": b"3\n"}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def changed_onnx(change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = test_onnx.model()
    change(model)
    return bytes(model.SerializeToString())


def _without_an_operator(model: onnx.ModelProto) -> None:
    del model.graph.node[1]


def _other_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 22


ORIGINALS: Mapping[str, tuple[str, Callable[[Path], bytes]]] = {
    "gguf": ("m.gguf", gguf_bytes),
    "safetensors": ("m.safetensors", lambda folder: save(TENSORS, metadata={"note": "x"})),
    "pickle": ("m.pkl", lambda folder: pickle.dumps({"a": [1, 2, 3]})),
    "torch": ("m.pt", lambda folder: torch_zip(pickle.dumps({"w": 1}), bytes(16))),
    "onnx": ("m.onnx", lambda folder: test_onnx.WHOLE),
    "parquet": ("t.parquet", lambda folder: test_tables.parquet(test_tables.table())),
    "arrow": ("t.arrow", lambda folder: test_tables.arrow(test_tables.table())),
    "oci": ("manifest.json", lambda folder: test_oci.written(test_oci.MANIFEST)),
}
OTHER_LAYER = {**test_oci.LAYER, "size": 11}

ROWS: tuple[tuple[str, str, Damage, str], ...] = (
    (
        "gguf",
        "one bit of the last tensor flipped",
        flipped(-1),
        "the tensor blk.0.attn_q.weight differs: expected",
    ),
    (
        "gguf",
        "another chat template",
        lambda content, folder: gguf_bytes(folder, template="{{ evil }}"),
        "the metadata key tokenizer.chat_template differs: expected sha256",
    ),
    (
        "gguf",
        "a chat template of the same length, in place",
        replaced(b"{{ messages }}", b"{{ massages }}"),
        "the metadata key tokenizer.chat_template differs: expected sha256",
    ),
    (
        "gguf",
        "a tensor renamed in place",
        replaced(b"blk.0.attn_q", b"blk.1.attn_q"),
        "the tensor blk.0.attn_q.weight is now called blk.1.attn_q.weight",
    ),
    (
        "gguf",
        "a shape reversed",
        lambda content, folder: gguf_bytes(
            folder, tensors={"token_embd.weight": (4, 8), "blk.0.attn_q.weight": (4, 4)}
        ),
        "the tensor token_embd.weight: shape was 4\u00d78, is 8\u00d74",
    ),
    (
        "gguf",
        "a tensor's type changed in place, to one of the same size",
        lambda content, folder: content.replace(
            struct.pack("<IQQI", 2, 4, 4, 0), struct.pack("<IQQI", 2, 4, 4, 26), 1
        ),
        "the tensor blk.0.attn_q.weight: dtype was F32, is I32",
    ),
    (
        "gguf",
        "a metadata number changed",
        replaced(struct.pack("<I", 4096), struct.pack("<I", 8192)),
        "the metadata key llama.context_length differs",
    ),
    ("gguf", "cut off", cut(40), "malformed: The tensor blk.0.attn_q.weight ends behind the file's end"),
    ("gguf", "something appended", more, "malformed: 100 bytes stand behind the last tensor"),
    ("gguf", "overwritten by text", made(b"hello"), "the format was gguf, is file"),
    ("safetensors", "one bit of a tensor flipped", flipped(-1), "the tensor b differs: expected sha256"),
    (
        "safetensors",
        "metadata changed",
        replaced(b'"note":"x"', b'"note":"y"'),
        "the metadata key note differs",
    ),
    ("safetensors", "a tensor renamed", replaced(b'"a":{', b'"c":{'), "the tensor a is now called c"),
    (
        "safetensors",
        "a shape changed",
        replaced(b"[2,4]", b"[4,2]"),
        "the tensor a: shape was 2\u00d74, is 4\u00d72",
    ),
    ("safetensors", "a type changed", replaced(b'"F32"', b'"I32"'), "the tensor a: dtype was F32, is I32"),
    ("safetensors", "cut off", cut(1), "malformed: The tensors need 1 bytes more"),
    ("safetensors", "something appended", more, "malformed: 100 bytes stand behind the last tensor"),
    ("safetensors", "a gap made", replaced(b"[0,32]", b"[1,32]"), "malformed: The tensor a has data_offsets"),
    (
        "pickle",
        "code that runs when loaded",
        made(pickle.dumps(Evil())),
        "the import posix.system was not there before",
    ),
    (
        "pickle",
        "code appended as a second pickle",
        lambda content, folder: content + pickle.dumps(Evil()),
        "loading it became unsafe: m.pkl (pickle 2) imports posix.system (found by picklescan and fickling)",
    ),
    ("pickle", "cut off", cut(1), "malformed: It is no whole pickle"),
    ("pickle", "overwritten by text", made(b"hello"), "malformed: It is no whole pickle"),
    (
        "torch",
        "its weights changed",
        made(torch_zip(pickle.dumps({"w": 1}), b"\1" * 16)),
        "the file m/data/0 differs: expected sha256",
    ),
    (
        "torch",
        "code in its pickle",
        made(torch_zip(pickle.dumps(Evil()), bytes(16))),
        "loading it became unsafe: m/data.pkl imports posix.system (found by picklescan and fickling)",
    ),
    ("torch", "cut off", cut(10), "malformed: It is no whole zip archive"),
    (
        "onnx",
        "one bit of a weight flipped",
        made(
            changed_onnx(
                lambda model: model.graph.initializer[0].CopyFrom(
                    onnx.numpy_helper.from_array(test_onnx.WEIGHTS * 2, "w")
                )
            )
        ),
        "the tensor w differs: expected sha256",
    ),
    (
        "onnx",
        "an operator replaced",
        replaced(b"Relu", b"Tanh"),
        "the node activate differs: expected sha256",
    ),
    ("onnx", "an operator removed", made(changed_onnx(_without_an_operator)), "the node activate is missing"),
    ("onnx", "metadata changed", replaced(b"someone", b"anybody"), "the metadata key author differs"),
    ("onnx", "another opset", made(changed_onnx(_other_opset)), "bytes differ that belong to no part"),
    (
        "onnx",
        "weights taken from outside of the folder",
        made(test_onnx.external(test_onnx.model(), "../w")),
        "loading it became unsafe: the tensor w is read from ../w, outside of the model's folder",
    ),
    ("onnx", "cut off", cut(5), "malformed: "),
    (
        "parquet",
        "a value changed",
        made(test_tables.parquet(test_tables.table((1.0, 2.0, 3.0, 9.0)))),
        "the row group 1 differs: expected sha256",
    ),
    (
        "parquet",
        "rows removed",
        made(test_tables.parquet(test_tables.table().slice(0, 2))),
        "the row group 1 is missing",
    ),
    ("parquet", "one bit of the data flipped", flipped(40), "the row group 0 differs: expected sha256"),
    (
        "parquet",
        "metadata changed",
        made(test_tables.parquet(test_tables.table(origin="mill"))),
        "the metadata key origin differs",
    ),
    ("parquet", "cut off", cut(1), "malformed: The file doesn't start and end with PAR1"),
    (
        "arrow",
        "a value changed",
        made(test_tables.arrow(test_tables.table((1.0, 2.0, 3.0, 9.0)))),
        "the record batch 1 differs: expected sha256",
    ),
    ("arrow", "cut off", cut(1), "malformed: The file doesn't end with ARROW1"),
    (
        "oci",
        "a layer exchanged",
        made(test_oci.written({**test_oci.MANIFEST, "layers": [OTHER_LAYER]})),
        "the layer 1 (model.gguf): size was 10, is 11",
    ),
    (
        "oci",
        "a layer removed",
        made(test_oci.written({**test_oci.MANIFEST, "layers": [test_oci.LAYER]})),
        "the layer 2 is missing",
    ),
    (
        "oci",
        "an annotation changed",
        made(
            test_oci.written(
                {**test_oci.MANIFEST, "annotations": {"org.opencontainers.image.created": "2027"}}
            )
        ),
        "the metadata key org.opencontainers.image.created differs",
    ),
    ("oci", "a digest shortened", replaced(b"c" * 64, b"c" * 63 + b" "), "malformed: A config has no digest"),
    ("oci", "cut off", cut(1), "malformed: It is no JSON"),
)


@pytest.mark.parametrize(
    ("kind", "done", "damage", "words"), ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS]
)
def test_what_is_said(kind: str, done: str, damage: Damage, words: str, tmp_path: Path) -> None:
    name, make = ORIGINALS[kind]
    original = make(tmp_path)
    recorded = described(original, name)
    damaged = damage(original, tmp_path)
    assert damaged != original
    try:
        found = described(damaged, name)
        said = differences(recorded, found)
    except LineageError as error:
        said = (problem(error),)
    assert any(sentence.startswith(words) for sentence in said), said


def test_the_same_is_said_to_be_the_same(tmp_path: Path) -> None:
    for name, make in ORIGINALS.values():
        content = make(tmp_path)
        assert differences(described(content, name), described(content, name)) == (), name
    assert json.loads(test_oci.written(test_oci.MANIFEST))

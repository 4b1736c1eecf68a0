"""ONNX files: as their own library makes them, and broken ones."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lineage.artifacts.formats import differences
from lineage.artifacts.formats.onnx_file import ONNX
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import MalformedError
from tests.unit.artifacts.formats.model_files import described

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


def model(weights: Any = WEIGHTS, activation: str = "Relu", **metadata: str) -> onnx.ModelProto:
    """y = activation(x · w), with an If whose branch has a constant."""
    branch = helper.make_graph(
        [
            helper.make_node(
                "Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(1, np.float32), "inner")
            )
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"], name="project"),
        helper.make_node(activation, ["m"], ["y"], name="activate"),
        helper.make_node("If", ["flag"], ["z"], then_branch=branch, else_branch=branch),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "w"), helper.make_tensor("b", TensorProto.FLOAT, [2], [1.0, 2.0])],
    )
    made = helper.make_model(graph, producer_name="maker", opset_imports=[helper.make_opsetid("", 21)])
    helper.set_model_props(made, {"author": "someone", **metadata})
    return made


def external(made: onnx.ModelProto, place: str) -> bytes:
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": place, "offset": "0", "length": "24"}.items():
        tensor.external_data.add(key=key, value=value)
    return bytes(made.SerializeToString())


def test_a_file_is_described() -> None:
    found = described(model().SerializeToString(), "m.onnx")
    parts = {(part.kind, part.name): part for part in found.parts}
    assert [name for kind, name in parts if kind == "node"] == ["project", "activate", "If"]
    assert parts["tensor", "w"].digest == hashlib.sha256(WEIGHTS.tobytes()).hexdigest()
    assert parts["tensor", "w"].detail == "dtype FLOAT, shape 2\u00d73"
    assert parts["tensor", "b"].digest == hashlib.sha256(np.array([1, 2], np.float32).tobytes()).hexdigest()
    assert parts["metadata", "author"].digest == hashlib.sha256(b"someone").hexdigest()
    assert {("input", "x"), ("output", "y")} <= parts.keys()
    facts = dict(found.facts)
    assert facts.pop("IR version").isdigit()
    assert facts == {
        "producer": "maker",
        "graph": "net",
        "opsets": "ai.onnx 21",
        "nodes": "3",
        "tensors": "2",
    }
    assert found.unsafe == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (model(weights=WEIGHTS + 1), ["the tensor w differs"]),
        (model(weights=WEIGHTS.reshape(3, 2)), ["the tensor w: shape was 2\u00d73, is 3\u00d72"]),
        (model(activation="Sigmoid"), ["the node activate differs"]),
        (model(author="another"), ["the metadata key author differs"]),
        (model(more="x"), ["the metadata key more was not there before"]),
    ],
    ids=["weights", "shape", "operator", "metadata", "more-metadata"],
)
def test_what_differs_is_named(changed: onnx.ModelProto, words: list[str]) -> None:
    recorded = described(model().SerializeToString(), "m.onnx")
    said = differences(recorded, described(changed.SerializeToString(), "m.onnx"))
    assert len(said) == len(words)
    assert all(sentence.startswith(start) for sentence, start in zip(said, words, strict=True))


def test_another_producer_belongs_to_no_part() -> None:
    other = model()
    other.producer_name = "else"
    recorded = described(model().SerializeToString(), "m.onnx")
    (said,) = differences(recorded, described(other.SerializeToString(), "m.onnx"))
    assert said.startswith("bytes differ that belong to no part")


def test_data_in_other_files_is_named() -> None:
    found = described(external(model(), "weights.bin"), "m.onnx")
    assert found.facts["data in other files"] == "weights.bin"
    (tensor,) = [part for part in found.parts if part.name == "w"]
    assert tensor.detail == "dtype FLOAT, shape 2\u00d73, file weights.bin, offset 0, length 24"
    assert found.unsafe == ()


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../b", "C:\\x", "x" * 200 + "/../../.."])
def test_data_outside_of_the_folder_is_unsafe(place: str) -> None:
    (why,) = described(external(model(), place), "m.onnx").unsafe
    assert why.startswith("the tensor w is read from")
    assert why.endswith("outside of the model's folder")


def test_data_of_a_constant_inside_of_a_branch_is_found() -> None:
    made = model()
    tensor = made.graph.node[2].attribute[0].g.node[0].attribute[0].t
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../x")
    assert described(made.SerializeToString(), "m.onnx").unsafe == (
        "the tensor inner is read from ../x, outside of the model's folder",
    )


WHOLE = model().SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        WHOLE[:-1],
        WHOLE[: len(WHOLE) // 2],
        WHOLE + WHOLE,
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x08\x01\x3a\xff\xff\xff\xff\x0f",
        b"\x08\x01\x38\x01",
        b"\x08\x01\x3b\x3c",
        b"\x00\x01",
    ],
    ids=[
        "empty",
        "text",
        "cut",
        "half",
        "two-graphs",
        "long-number",
        "long-field",
        "graph-number",
        "group",
        "zero",
    ],
)
def test_what_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedError):
        ONNX.describe(MemoryBytes(content), "m.onnx", None)

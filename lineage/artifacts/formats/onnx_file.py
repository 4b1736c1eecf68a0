"""ONNX: models as graphs of operators.

Owns: the digests of an ONNX file's nodes, initializers, functions and metadata, and what data it wants from
other files. Does not own: the wire format (`protobuf`), whether the graph makes sense.

Source: onnx/onnx, onnx/onnx-ml.proto; docs/ExternalData.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lineage.artifacts.formats.base import MAX_PARTS, Description, Format, Part, has_suffix, label, shape_text
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.protobuf import LENGTH, Field, fields, numbers, text
from lineage.artifacts.formats.regions import Region, between, feed
from lineage.artifacts.formats.window import Window
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import MalformedError, TooLargeError

MAX_DIMENSIONS = 64

_DTYPES = (
    "UNDEFINED", "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING", "BOOL", "FLOAT16",
    "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ",
    "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "UINT4", "INT4", "FLOAT4E2M1", "FLOAT8E8M0", "UINT2", "INT2",
)  # fmt: skip
_TENSOR_DATA = frozenset({4, 5, 6, 7, 9, 10, 11})
"""float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data of TensorProto."""


@dataclass(slots=True)
class _Piece:
    """A part whose bytes lie in these places of the file."""

    kind: str
    name: str
    detail: str = ""
    places: list[tuple[int, int]] = field(default_factory=list)
    hasher: Any = field(default_factory=hashlib.sha256)


@dataclass(slots=True)
class _Model:
    pieces: list[_Piece] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    opsets: list[str] = field(default_factory=list)
    external: dict[str, str] = field(default_factory=dict)
    graphs: int = 0
    names: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, kind: str, name: str, detail: str, places: list[tuple[int, int]]) -> None:
        """A part; its name gets a number where another of its kind has it already."""
        self.names[kind, name] += 1
        count = self.names[kind, name]
        self.pieces.append(_Piece(kind, name if count == 1 else f"{name} ({count})", detail, places))
        if len(self.pieces) > MAX_PARTS:
            raise TooLargeError(f"It has more than {MAX_PARTS:,} parts.", limit=MAX_PARTS)


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What an ONNX file consists of: a part for each node, initializer, function and metadata key.

    A tensor whose data lies in another file says which; one outside of the model's folder makes it unsafe.
    Raises: see `Format`.
    """
    window, model = Window(source), _Model()
    for one in fields(window, 0, source.size):
        _MODEL.get(one.number, _nothing)(window, one, model)
    if model.graphs != 1 or "IR version" not in model.facts:
        raise MalformedError("It doesn't have one graph and the version of its form.")
    rest, placed = hashlib.sha256(), []
    for piece in model.pieces:
        placed += [Region(start, end, [piece.hasher]) for start, end in piece.places if end > start]
    placed.sort(key=lambda region: region.start)
    feed(source, between(placed, source.size, rest), progress)
    parts = tuple(Part(p.kind, p.name, p.hasher.hexdigest(), p.detail) for p in model.pieces)
    digests = {f"{kind}s": _of_kind(parts, kind) for kind in ("node", "tensor")} | {REST: rest.hexdigest()}
    return Description("onnx", digests, parts, _facts(model, parts), _unsafe(model))


def _of_kind(parts: tuple[Part, ...], kind: str) -> str:
    """SHA-256 over name, detail and digest of each part of a kind, in file order."""
    table = hashlib.sha256()
    for part in parts:
        if part.kind == kind:
            name = part.name.encode()
            table.update(f"{len(name)}:".encode() + name + f" {part.detail} {part.digest}\n".encode())
    return table.hexdigest()


def _facts(model: _Model, parts: tuple[Part, ...]) -> dict[str, str]:
    counts = Counter(part.kind for part in parts)
    facts = dict(model.facts)
    facts["opsets"] = ", ".join(model.opsets[:10])
    facts |= {f"{kind}s": str(counts[kind]) for kind in ("node", "tensor") if counts[kind]}
    if model.external:
        files = sorted(set(model.external.values()))
        facts["data in other files"] = ", ".join(label(name) for name in files[:10])
    return {name: value for name, value in facts.items() if value}


def _unsafe(model: _Model) -> tuple[str, ...]:
    return tuple(
        f"the tensor {label(tensor)} is read from {label(place)}, outside of the model's folder"
        for tensor, place in list(model.external.items())[:20]
        if _outside(place)
    )


def _outside(place: str) -> bool:
    path = PurePosixPath(place.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in place[:2]


_Taker = Callable[[Window, Field, _Model], None]


def _nothing(window: Window, one: Field, model: _Model) -> None:
    """A field that no part is made of; its bytes are in the digest of the rest."""


def _message(one: Field) -> Field:
    if one.wire != LENGTH:
        raise MalformedError("A number stands where a message belongs.", where=f"byte {one.start}")
    return one


def _fact(name: str) -> _Taker:
    def take(window: Window, one: Field, model: _Model) -> None:
        model.facts[name] = label(text(window, one)) if one.wire == LENGTH else str(one.value)

    return take


def _opset(window: Window, one: Field, model: _Model) -> None:
    domain, version = "ai.onnx", ""
    for inner in fields(window, _message(one).start, one.end):
        if inner.number == 1:
            domain = text(window, inner) or domain
        elif inner.number == 2:
            version = str(inner.value)
    model.opsets.append(f"{label(domain)} {version}".strip())


def _metadata(window: Window, one: Field, model: _Model) -> None:
    key, places = "", []
    for inner in fields(window, _message(one).start, one.end):
        if inner.number == 1:
            key = text(window, inner)
        elif inner.number == 2:
            places.append((_message(inner).start, inner.end))
    model.add("metadata", key, "type string", places)


def _named(kind: str, number: int, otherwise: int = 0) -> _Taker:
    """A message that is a part as it stands; its name is in field `number`, or else in `otherwise`."""

    def take(window: Window, one: Field, model: _Model) -> None:
        names = {}
        for inner in fields(window, _message(one).start, one.end):
            if inner.number in (number, otherwise):
                names[inner.number] = text(window, inner)
        model.add(kind, names.get(number) or names.get(otherwise, ""), "", [(one.start, one.end)])
        if kind == "node":
            _inside(window, one, model)

    return take


def _inside(window: Window, node: Field, model: _Model) -> None:
    """Look for tensors with data in other files in a node's attributes, and in graphs inside them."""
    left = [("node", node)]
    while left:
        kind, message = left.pop()
        for inner in fields(window, message.start, message.end):
            below = _BELOW.get((kind, inner.number))
            if below == "tensor":
                tensor = _tensor(window, _message(inner))
                if tensor.file is not None:
                    model.external[tensor.name or "of a node"] = tensor.file
            elif below is not None:
                left.append((below, _message(inner)))


_BELOW = {
    ("node", 5): "attribute", ("attribute", 5): "tensor", ("attribute", 9): "tensor",
    ("attribute", 6): "graph", ("attribute", 10): "graph", ("graph", 1): "node", ("graph", 5): "tensor",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Tensor:
    """`file` is the other file that its data lies in, if so."""

    name: str
    detail: str
    places: list[tuple[int, int]]
    file: str | None


def _tensor(window: Window, one: Field) -> _Tensor:
    name, dtype, outside = "", 0, False
    dimensions: list[int] = []
    places: list[tuple[int, int]] = []
    other: dict[str, str] = {}
    for inner in fields(window, one.start, one.end):
        if inner.number == 1:
            dimensions += numbers(window, inner)
        elif inner.number == 2:
            dtype = inner.value
        elif inner.number == 8:
            name = text(window, inner)
        elif inner.number in _TENSOR_DATA:
            places.append((inner.start, inner.end))
        elif inner.number == 13:
            other |= _pair(window, _message(inner))
        elif inner.number == 14:
            outside = inner.value == 1
    if len(dimensions) > MAX_DIMENSIONS:
        raise TooLargeError(f"A tensor has over {MAX_DIMENSIONS} dimensions.", limit=MAX_DIMENSIONS)
    kind = _DTYPES[dtype] if dtype < len(_DTYPES) else str(dtype)
    detail = f"dtype {kind}, shape {shape_text(dimensions)}"
    if not outside:
        return _Tensor(name, detail, places, None)
    file = other.get("location", "")
    where = (file, other.get("offset", "0"), other.get("length", "all"))
    words = [label(word).replace(", ", ",") for word in where]
    detail += f", file {words[0]}, offset {words[1]}, length {words[2]}"
    return _Tensor(name, detail, places, file)


def _pair(window: Window, one: Field) -> dict[str, str]:
    values = {1: "", 2: ""}
    for inner in fields(window, one.start, one.end):
        if inner.number in values:
            values[inner.number] = text(window, inner)
    return {values[1]: values[2]}


def _initializer(window: Window, one: Field, model: _Model) -> None:
    tensor = _tensor(window, _message(one))
    if tensor.file is not None:
        model.external[tensor.name] = tensor.file
    model.add("tensor", tensor.name, tensor.detail, tensor.places)


def _graph(window: Window, one: Field, model: _Model) -> None:
    model.graphs += 1
    for inner in fields(window, _message(one).start, one.end):
        _GRAPH.get(inner.number, _nothing)(window, inner, model)


_GRAPH: dict[int, _Taker] = {
    1: _named("node", 3, 4), 2: _fact("graph"), 5: _initializer, 11: _named("input", 1),
    12: _named("output", 1), 15: _named("sparse tensor", 0), 16: _metadata,
}  # fmt: skip
_MODEL: dict[int, _Taker] = {
    1: _fact("IR version"), 2: _fact("producer"), 3: _fact("producer version"), 5: _fact("model version"),
    7: _graph, 8: _opset, 14: _metadata, 20: _named("training", 0), 25: _named("function", 1),
}  # fmt: skip


def _recognises(head: bytes, name: str) -> bool:
    return has_suffix(name, ONNX.suffixes)


ONNX = Format("onnx", "ONNX", (".onnx",), _recognises, describe)

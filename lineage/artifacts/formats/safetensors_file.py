"""safetensors: the model files of Hugging Face that hold nothing but numbers.

Owns: reading the header, finding gaps, overlaps and what stands behind the last tensor, and the digests of
each tensor. Does not own: what a tensor's name means.

Source: huggingface/safetensors, README.md, "Format". Where the README and the reference implementation
disagree, the README is followed: a header begins with `{`, without whitespace before it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from lineage.artifacts.formats.base import (
    Description,
    Format,
    Part,
    UnopenedError,
    has_suffix,
    label,
    shape_text,
)
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.regions import Region, between, feed, sha256_of
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import MalformedError, TooLargeError

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit. Source: README.md, "Format": DOS protection."""
MAX_TENSORS = 200_000
MAX_DIMENSIONS = 64

_BITS: Mapping[str, int] = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
"""A dtype → bits of one element. Source: safetensors/src/tensor.rs, Dtype::bitsize."""
_U64_MAX = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; `start` and `end` are places in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def detail(self) -> str:
        return f"dtype {self.dtype}, shape {shape_text(self.shape)}"


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a safetensors file consists of: `metadata`, `header` and `tensors` digests, a part for each key of
    `__metadata__`, sorted, and for each tensor in file order. Raises: see `Format`."""
    header = _header(source)
    document = _document(header)
    metadata = _metadata(document.pop("__metadata__", {}))
    tensors = _tensors(document, 8 + len(header), source.size)
    each = [hashlib.sha256() for _ in tensors]
    rest = hashlib.sha256()
    regions = [Region(t.start, t.end, [hasher]) for t, hasher in zip(tensors, each, strict=True)]
    feed(source, between(regions, source.size, rest), progress)
    table = hashlib.sha256()
    parts = [
        Part("metadata", key, sha256_of(text.encode()), "type string")
        for key, text in sorted(metadata.items())
    ]
    for tensor, hasher in zip(tensors, each, strict=True):
        line: list[Any] = [tensor.name, tensor.dtype, list(tensor.shape), hasher.hexdigest()]
        table.update(rfc8785.dumps(line) + b"\n")
        parts.append(Part("tensor", tensor.name, hasher.hexdigest(), tensor.detail))
    digests = {
        "metadata": sha256_of(rfc8785.dumps(metadata)),
        "tensors": table.hexdigest(),
        REST: rest.hexdigest(),
    }
    return Description("safetensors", digests, tuple(parts), _facts(metadata, tensors))


def _header(source: ByteSource) -> bytes:
    if source.size < 8:
        raise MalformedError("The file is too short for the length of a header.")
    length = int.from_bytes(source.read_at(0, 8), "little")
    if length > source.size - 8:
        raise MalformedError(f"The header is {length:,} bytes long, longer than the file.")
    if length > MAX_HEADER_BYTES:
        raise TooLargeError(f"The header is over {MAX_HEADER_BYTES:,} bytes long.", limit=MAX_HEADER_BYTES)
    return source.read_at(8, length)


def _document(header: bytes) -> dict[str, object]:
    if not header.startswith(b"{"):
        raise MalformedError("The header doesn't begin with {.", where="byte 8")
    try:
        document = json.loads(header.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise MalformedError("The header is no UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedError("The header is no JSON.") from error
    if not isinstance(document, dict):
        raise MalformedError("The header is no object.")
    if len(document) > MAX_TENSORS:
        raise TooLargeError(f"It has more than {MAX_TENSORS:,} tensors.", limit=MAX_TENSORS)
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise MalformedError(f"The header has {label(twice)} twice.")
    return found


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise MalformedError("__metadata__ is not an object of texts.")
    _no_surrogates([*value, *value.values()])
    return value


def _no_surrogates(texts: list[str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("A name or text of the header is half a character.") from error


def _tensors(document: Mapping[str, object], data_start: int, size: int) -> list[Tensor]:
    """The tensors in file order, which leave no gap and don't overlap."""
    _no_surrogates(list(document))
    tensors = sorted(
        (_tensor(name, value, data_start) for name, value in document.items()),
        key=lambda tensor: (tensor.start, tensor.end),
    )
    at = data_start
    for tensor in tensors:
        if tensor.start != at:
            lies = "overlaps the one before" if tensor.start < at else "leaves a gap before it"
            raise MalformedError(f"The tensor {label(tensor.name)} {lies}.")
        at = tensor.end
    if at > size:
        raise MalformedError(
            f"The tensors need {at - size:,} bytes more than there are: the file is cut off."
        )
    if at < size:
        raise MalformedError(f"{size - at:,} bytes stand behind the last tensor.")
    return tensors


def _tensor(full: str, value: object, data_start: int) -> Tensor:
    name = label(full)
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise MalformedError(f"The tensor {name} doesn't have dtype, shape and data_offsets, and only them.")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not _naturals(shape) or not _naturals(offsets) or len(offsets) != 2 or len(shape) > MAX_DIMENSIONS:
        raise MalformedError(f"The tensor {name} has a shape or data_offsets that are none.")
    if not isinstance(dtype, str):
        raise MalformedError(f"The tensor {name} has a dtype that is no text.")
    if dtype not in _BITS:
        raise UnopenedError(f"The tensor {name} has dtype {label(dtype)}, which is not known here.")
    bits = math.prod(shape) * _BITS[dtype]
    if bits > _U64_MAX or bits % 8 or offsets[1] - offsets[0] != bits // 8:
        raise MalformedError(f"The tensor {name} has data_offsets that don't fit its shape and dtype.")
    return Tensor(full, dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item <= _U64_MAX for item in value)


def _facts(metadata: Mapping[str, str], tensors: list[Tensor]) -> dict[str, str]:
    facts = {"tensors": str(len(tensors))}
    dtypes = Counter(tensor.dtype for tensor in tensors)
    if dtypes:
        facts["dtypes"] = ", ".join(f"{dtype} {count}" for dtype, count in sorted(dtypes.items()))
    if "format" in metadata:
        facts["made for"] = label(metadata["format"])
    return facts


def _recognises(head: bytes, name: str) -> bool:
    # Without the suffix: a length that makes sense, and a header as every writer begins it.
    return has_suffix(name, SAFETENSORS.suffixes) or (
        head[8:10] == b'{"' and 8 < int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES
    )


SAFETENSORS = Format("safetensors", "safetensors", (".safetensors",), _recognises, describe)

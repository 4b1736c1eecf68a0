"""The header of a GGUF file: its metadata and its table of tensors, each number checked before it is used.

Owns: reading versions 2 and 3, little-endian. Does not own: digests (`gguf`), what a key means.

Source: ggml-org/ggml, docs/gguf.md; llama.cpp, ggml/src/gguf.cpp (what it refuses is refused here).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from lineage.artifacts.formats.base import UnopenedError, label, shape_text
from lineage.artifacts.formats.regions import sha256_of
from lineage.artifacts.formats.window import Window
from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError, MalformedError, TooLargeError

MAGIC = b"GGUF"
MAX_KEYS = 65_536
MAX_TENSORS = 200_000
MAX_NAME_BYTES = 65_535
MAX_METADATA_BYTES = 512 << 20
MAX_ELEMENTS = 16_000_000
"""Strings and arrays inside all arrays together. Numbers cost nothing to step over."""
MAX_NESTING = 4
MAX_DIMENSIONS = 8
DEFAULT_ALIGNMENT = 32

_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_STRING, _ARRAY, _BOOL = 8, 9, 7
_TYPES: Mapping[int, tuple[str, int]] = {
    0: ("uint8", 1), 1: ("int8", 1), 2: ("uint16", 2), 3: ("int16", 2), 4: ("uint32", 4), 5: ("int32", 4),
    6: ("float32", 4), 7: ("bool", 1), 8: ("string", 0), 9: ("array", 0), 10: ("uint64", 8), 11: ("int64", 8),
    12: ("float64", 8),
}  # fmt: skip
"""GGUF's number of a type → its name and its size in bytes; 0 where the value tells."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One metadata key. `digest` is over the value as it stands in the file; `text` only of short strings and
    numbers, for people."""

    key: str
    type: str
    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. `start` and `end` are places in the file; `shape` is in GGUF's order, fastest first."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def detail(self) -> str:
        return f"dtype {self.dtype}, shape {shape_text(self.shape)}"


@dataclass(frozen=True, slots=True)
class Layout:
    """What the header says. Metadata lies in the file from `metadata_start` to `metadata_end`; tensors are in
    the order of the table, which is that of the file."""

    version: int
    alignment: int
    entries: tuple[Entry, ...]
    metadata_start: int
    metadata_end: int
    tensors: tuple[Tensor, ...]
    data_start: int


def read_layout(source: ByteSource) -> Layout:
    """The header of a GGUF file.

    Raises:
        MalformedError: it contradicts itself or the file's size.
        TooLargeError: over one of the limits above.
        UnopenedError: a version, byte order or tensor type that is not known here.
        InconclusiveError: the file can't be read, or the package gguf is missing.
    """
    window = Window(source)
    if window.take(4, "The magic") != MAGIC:
        raise MalformedError("The file doesn't start with GGUF.", where="byte 0")
    version = _version(window)
    tensor_count = _count(window, "tensors", MAX_TENSORS, smallest=24)
    key_count = _count(window, "metadata keys", MAX_KEYS, smallest=13)
    metadata_start = window.position
    entries = _entries(window, key_count)
    metadata_end = window.position
    alignment = _alignment(entries)
    infos = [_info(window) for _ in range(tensor_count)]
    if len({info.name for info in infos}) != len(infos):
        raise MalformedError("Two tensors have the same name.")
    data_start = window.position + -window.position % alignment
    tensors = _placed(infos, data_start, alignment, source.size)
    return Layout(version, alignment, entries, metadata_start, metadata_end, tensors, data_start)


def _version(window: Window) -> int:
    version = window.unpack(_U32, "The version")
    if version and version & 0xFFFF == 0:
        raise UnopenedError("The GGUF file is big-endian, which is not read here.")
    if version not in (2, 3):
        raise UnopenedError(f"The GGUF file has version {version}; 2 and 3 are read here.")
    return version


def _count(window: Window, what: str, limit: int, smallest: int) -> int:
    count = window.unpack(_U64, f"The number of {what}")
    if count * smallest > window.left:
        raise MalformedError(f"It names {count:,} {what}, more than fit in the file.")
    if count > limit:
        raise TooLargeError(f"It has {count:,} {what}; at most {limit:,} are read.", limit=limit)
    return count


def _entries(window: Window, count: int) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {}
    start, budget = window.position, _Budget()
    for _ in range(count):
        key = _text(window, "A metadata key")
        if key in entries:
            raise MalformedError(f"The metadata key {label(key)} stands there twice.")
        entries[key] = _entry(window, key, label(key), budget)
        if window.position - start > MAX_METADATA_BYTES:
            raise TooLargeError("The metadata is too long.", limit=MAX_METADATA_BYTES)
    return tuple(entries.values())


@dataclass(slots=True)
class _Budget:
    elements: int = MAX_ELEMENTS

    def spend(self, count: int) -> None:
        self.elements -= count
        if self.elements < 0:
            raise TooLargeError(f"The metadata has more than {MAX_ELEMENTS:,} elements.", limit=MAX_ELEMENTS)


def _entry(window: Window, name: str, key: str, budget: _Budget) -> Entry:
    """One key's value. `key` is its name as shown."""
    number = window.unpack(_U32, f"The type of {key}")
    start = window.position
    kind, size = _type(number, key)
    if number == _ARRAY:
        kind = _skip_array(window, key, budget)
    elif number == _STRING:
        _skip_string(window, key)
    else:
        window.skip(size, key)
    length = window.position - start
    if length > MAX_METADATA_BYTES:
        raise TooLargeError(f"The metadata key {key} is too long.", limit=MAX_METADATA_BYTES)
    window.position = start
    value = window.take(length, key)
    if number == _BOOL and value not in (b"\0", b"\1"):
        raise MalformedError(f"The metadata key {key} is a bool that is neither 0 nor 1.")
    return Entry(name, kind, sha256_of(value), _shown(number, value))


def _type(number: int, key: str) -> tuple[str, int]:
    if number not in _TYPES:
        raise MalformedError(f"The metadata key {key} has type {number}, which is none.")
    return _TYPES[number]


def _skip_array(window: Window, key: str, budget: _Budget) -> str:
    """Step over an array of any depth, without recursion; its type in words."""
    word = ""
    left = [(1, 0)]  # arrays still to be read, and how deep they stand
    while left:
        count, depth = left.pop()
        if count > 1:
            left.append((count - 1, depth))
        number = window.unpack(_U32, f"The element type of {key}")
        length = window.unpack(_U64, f"The length of {key}")
        name, size = _type(number, key)
        word = word or f"array of {name}, count {length}"
        if size:
            window.need(length * size, f"The array {key}")
            window.skip(length * size, f"The array {key}")
            continue
        window.need(length * 8, f"The array {key}")  # a string or array takes 8 bytes at least
        budget.spend(length)
        if number == _STRING:
            for _ in range(length):
                _skip_string(window, key)
        elif length:
            if depth + 1 >= MAX_NESTING:
                raise TooLargeError(f"{key} nests arrays deeper than {MAX_NESTING}.", limit=MAX_NESTING)
            left.append((length, depth + 1))
    return word


def _skip_string(window: Window, what: str) -> None:
    window.skip(window.unpack(_U64, f"The length of a string in {what}"), f"A string in {what}")


def _text(window: Window, what: str) -> str:
    length = window.unpack(_U64, f"The length of {what}")
    window.need(length, what)
    if length > MAX_NAME_BYTES:
        raise TooLargeError(f"{what} is over {MAX_NAME_BYTES:,} bytes long.", limit=MAX_NAME_BYTES)
    try:
        return window.take(length, what).decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} is no UTF-8.", where=f"byte {window.position - length}") from error


_NUMBERS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_SHOWN_BYTES = 200


def _shown(number: int, value: bytes) -> str:
    if number in _NUMBERS:
        return str(struct.unpack(_NUMBERS[number], value)[0])
    if number == _STRING and len(value) <= _SHOWN_BYTES:
        return value[8:].decode("utf-8", "backslashreplace")
    return ""


def _alignment(entries: tuple[Entry, ...]) -> int:
    for entry in entries:
        if entry.key == "general.alignment":
            alignment = int(entry.text) if entry.type == "uint32" else 0
            if alignment <= 0 or alignment & (alignment - 1):
                raise MalformedError("general.alignment is no power of two as a uint32.")
            return alignment
    return DEFAULT_ALIGNMENT


@dataclass(frozen=True, slots=True)
class _Info:
    """A line of the table of tensors as it stands there; `size` in bytes, from its type and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def _info(window: Window) -> _Info:
    full = _text(window, "A tensor's name")
    name = label(full)
    count = window.unpack(_U32, f"The number of dimensions of {name}")
    if count > MAX_DIMENSIONS:
        raise MalformedError(
            f"The tensor {name} has {count} dimensions; at most {MAX_DIMENSIONS} make sense."
        )
    shape = tuple(window.unpack(_U64, f"A dimension of {name}") for _ in range(count))
    number = window.unpack(_U32, f"The type of {name}")
    offset = window.unpack(_U64, f"The offset of {name}")
    dtype, block, block_bytes = _quantisation(number, name)
    if (shape[0] if shape else 1) % block:
        raise MalformedError(
            f"The tensor {name} of type {dtype} has a first dimension that {block} doesn't divide."
        )
    return _Info(full, dtype, shape, offset, math.prod(shape) // block * block_bytes)


def _quantisation(number: int, name: str) -> tuple[str, int, int]:
    """A tensor type's name, elements in a block, bytes of a block."""
    try:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    except ImportError as error:
        raise InconclusiveError(
            "GGUF files need the package gguf.", hint="Install lineage[formats]."
        ) from error
    try:
        known = GGMLQuantizationType(number)
        block, block_bytes = GGML_QUANT_SIZES[known]
    except (ValueError, KeyError) as error:
        raise UnopenedError(f"The tensor {name} has type {number}, which is not known here.") from error
    return known.name, block, block_bytes


def _placed(infos: list[_Info], data_start: int, alignment: int, size: int) -> tuple[Tensor, ...]:
    """The tensors at their places, each right behind the one before and its padding, as llama.cpp wants."""
    tensors, expected = [], 0
    for info in infos:
        if info.offset != expected:
            lies = "overlaps the one before" if info.offset < expected else "leaves a gap before it"
            raise MalformedError(
                f"The tensor {label(info.name)} {lies}: at {info.offset:,}, expected {expected:,}."
            )
        start = data_start + info.offset
        if start + info.size > size:
            raise MalformedError(
                f"The tensor {label(info.name)} ends behind the file's end: the file is cut off."
            )
        tensors.append(Tensor(info.name, info.dtype, info.shape, start, start + info.size))
        expected += info.size + -info.size % alignment
    if size > max(data_start + expected, data_start):
        raise MalformedError(f"{size - data_start - expected:,} bytes stand behind the last tensor.")
    return tuple(tensors)

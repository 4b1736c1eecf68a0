"""Thrift's compact protocol, read into plain values without recursion, each length checked.

Owns: structs, lists and scalars, as Parquet's footers have them. Does not own: what a field means.

Source: apache/thrift, doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lineage.errors import MalformedError, TooLargeError

MAX_VALUES = 4_000_000
MAX_NESTING = 32

Struct = dict[int, Any]
"""Field id → an int, a bool, a float, bytes, a list, or a Struct."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
)


@dataclass(slots=True)
class _Open:
    """A struct or list that is being read. `element` and `left` are a list's, `last` a struct's last id."""

    into: Struct | list[Any]
    element: int = 0
    left: int = 0
    last: int = 0


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self._content) - self._at:
            raise MalformedError("It ends in the middle of a value.", where=f"byte {self._at}")
        self._at += count
        return self._content[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise MalformedError("A number is too long.", where=f"byte {self._at}")

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def left(self) -> int:
        return len(self._content) - self._at


def parse(content: bytes) -> Struct:
    """The struct that the bytes begin with.

    Raises:
        MalformedError: they are none.
        TooLargeError: over MAX_VALUES or MAX_NESTING.
    """
    reader, root, count = _Reader(content), Struct(), 0
    stack = [_Open(root)]
    while stack:
        top = stack[-1]
        found = _next(reader, top)
        if found is None:
            stack.pop()
            continue
        key, kind = found
        value, inner = _value(reader, kind, isinstance(top.into, list))
        if isinstance(top.into, list):
            top.into.append(value)
        elif key in top.into:
            raise MalformedError(f"Field {key} stands there twice.")
        else:
            top.into[key] = value
        count += 1
        if inner is not None:
            stack.append(inner)
        if count > MAX_VALUES:
            raise TooLargeError(f"It has more than {MAX_VALUES:,} values.", limit=MAX_VALUES)
        if len(stack) > MAX_NESTING:
            raise TooLargeError(f"It is nested deeper than {MAX_NESTING}.", limit=MAX_NESTING)
    return root


def _next(reader: _Reader, top: _Open) -> tuple[int, int] | None:
    """The id (0 in a list) and type of the next value; None where the struct or list is over."""
    if isinstance(top.into, list):
        top.left -= 1
        return None if top.left < 0 else (0, top.element)
    header = reader.byte()
    if header == 0:
        return None
    top.last = top.last + (header >> 4) if header >> 4 else reader.zigzag()
    return top.last, header & 0x0F


def _value(reader: _Reader, kind: int, in_list: bool) -> tuple[Any, _Open | None]:
    """A value, and what is still to be read into it. A bool of a struct is its type; of a list, a byte."""
    if kind in (_TRUE, _FALSE):
        return (reader.byte() == _TRUE if in_list else kind == _TRUE), None
    if kind in _SCALARS:
        return _SCALARS[kind](reader), None
    if kind == _STRUCT:
        inner = _Open({})
        return inner.into, inner
    if kind not in (_LIST, _SET):
        raise MalformedError(f"There is no type {kind} here.")
    header = reader.byte()
    count = header >> 4 if header >> 4 != 15 else reader.varint()
    if count > reader.left():
        raise MalformedError("A list is longer than what is left.")
    inner = _Open([], header & 0x0F, count)
    return inner.into, inner


_SCALARS: dict[int, Callable[[_Reader], Any]] = {
    _BYTE: _Reader.byte,
    _I16: _Reader.zigzag,
    _I32: _Reader.zigzag,
    _I64: _Reader.zigzag,
    _DOUBLE: lambda reader: struct.unpack("<d", reader.take(8))[0],
    _BINARY: lambda reader: reader.take(reader.varint()),
}

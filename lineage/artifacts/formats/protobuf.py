"""The wire format of Protocol Buffers, walked field by field, each length checked and nothing kept.

Owns: tags, varints, lengths. Does not own: what a field means.

Source: Protocol Buffers documentation, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lineage.artifacts.formats.window import Window
from lineage.errors import MalformedError, TooLargeError

MAX_TEXT_BYTES = 65_536
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_SIZES = {FIXED64: 8, FIXED32: 4}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. Its value lies from `start` to `end` (exclusive) in the file; `value` is a
    varint's. `wire` is the wire type."""

    number: int
    wire: int
    start: int
    end: int
    value: int = 0


def fields(window: Window, start: int, end: int) -> Iterator[Field]:
    """The fields of the message that lies from `start` to `end`; the window's cursor may be moved meanwhile.

    Raises: MalformedError.
    """
    position = start
    while position < end:
        window.position = position
        tag = varint(window, end)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise MalformedError("A field has no number.", where=f"byte {position}")
        at = window.position
        if wire == VARINT:
            value = varint(window, end)
            field = Field(number, wire, at, window.position, value)
        elif wire == LENGTH:
            length = varint(window, end)
            field = Field(number, wire, window.position, window.position + length)
        elif wire in _SIZES:
            field = Field(number, wire, at, at + _SIZES[wire])
        else:
            raise MalformedError(f"A field has wire type {wire}.", where=f"byte {position}")
        if field.end > end:
            raise MalformedError("A field is longer than what it stands in.", where=f"byte {position}")
        position = field.end
        yield field


def varint(window: Window, end: int) -> int:
    """The number at the cursor, of 64 bits at most."""
    value = shift = 0
    while True:
        if window.position >= end:
            raise MalformedError("A number doesn't end.", where=f"byte {window.position}")
        byte = window.take(1, "A number")[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise MalformedError("A number is too long.", where=f"byte {window.position}")
    if value >= 1 << 64:
        raise MalformedError("A number is over 64 bits.", where=f"byte {window.position}")
    return value


def text(window: Window, field: Field) -> str:
    """A field's value as text. Raises: MalformedError; TooLargeError over MAX_TEXT_BYTES."""
    if field.wire != LENGTH:
        raise MalformedError("A number stands where a text belongs.", where=f"byte {field.start}")
    if field.end - field.start > MAX_TEXT_BYTES:
        raise TooLargeError(f"A name is over {MAX_TEXT_BYTES:,} bytes long.", limit=MAX_TEXT_BYTES)
    window.position = field.start
    try:
        return window.take(field.end - field.start, "A text").decode()
    except UnicodeDecodeError as error:
        raise MalformedError("A text is no UTF-8.", where=f"byte {field.start}") from error


def numbers(window: Window, field: Field) -> list[int]:
    """A repeated number's field: one value, or packed ones. Raises: MalformedError."""
    if field.wire == VARINT:
        return [field.value]
    if field.wire != LENGTH or field.end - field.start > MAX_TEXT_BYTES:
        raise MalformedError("Numbers are missing where they belong.", where=f"byte {field.start}")
    window.position = field.start
    found = []
    while window.position < field.end:
        found.append(varint(window, field.end))
    return found

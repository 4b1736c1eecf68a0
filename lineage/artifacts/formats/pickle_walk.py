"""Walking over the instructions of a pickle without following any of them.

Owns: where one pickle ends, whether it imports anything, and a condensed copy in which long values are empty:
what the examiners (`pickle_scan`) judge doesn't depend on values, and a pickle of gigabytes becomes small.
Does not own: judging.

Source: CPython, Lib/pickletools.py (the table of instructions is used from there).
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping
from dataclasses import dataclass

from lineage.artifacts.formats.streams import CutOffError, Stream
from lineage.errors import MalformedError, TooLargeError

MAX_INSTRUCTIONS = 4_000_000
MAX_CONDENSED_BYTES = 32 << 20
MAX_LINE_BYTES = 16 << 20
LONG_BYTES = 4096
"""Values longer than this are left out of the condensed copy; no module's name is that long."""

BY_CODE: Mapping[int, pickletools.OpcodeInfo] = {ord(op.code): op for op in pickletools.opcodes}
IMPORTS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_REMEMBERS = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_EMPTY_LINES = {"STRING": b"''", "UNICODE": b"", "INT": b"0", "LONG": b"0L", "FLOAT": b"0"}


class BrokenError(MalformedError):
    """The bytes are no pickle from here on; what they are packed in is whole."""


@dataclass(frozen=True, slots=True)
class Walked:
    """One pickle. `why` says where it breaks off; empty where it ends as it should. `cut` where it breaks off
    because no more bytes come. `condensed` is a pickle of the same instructions."""

    condensed: bytes
    instructions: int
    remembered: int
    imports: bool
    why: str
    cut: bool


def walk(stream: Stream) -> Walked:
    """The next pickle of a stream. One that breaks off is still given: it runs up to there when loaded.

    Raises:
        MalformedError: what it is packed in is broken, and it imports nothing before.
        TooLargeError: over one of the limits above.
        InconclusiveError: the bytes can't be read.
    """
    why, cut = "", False
    condensed = bytearray()
    count = remembered = 0
    imports = False
    while True:
        try:
            name, content = instruction(stream)
        except MalformedError as error:
            if not imports and not isinstance(error, CutOffError | BrokenError):
                raise
            why = f"{error.message.rstrip('.')} (at byte {stream.position})"
            cut = isinstance(error, CutOffError)
            break
        condensed += content
        count += 1
        imports = imports or name in IMPORTS
        remembered += name in _REMEMBERS
        if name == "STOP":
            break
        if count > MAX_INSTRUCTIONS:
            raise TooLargeError(
                f"A pickle has more than {MAX_INSTRUCTIONS:,} instructions.", limit=MAX_INSTRUCTIONS
            )
        if len(condensed) > MAX_CONDENSED_BYTES:
            raise TooLargeError("A pickle is too long to be examined.", limit=MAX_CONDENSED_BYTES)
    return Walked(bytes(condensed), count, remembered, imports, why, cut)


def instruction(stream: Stream) -> tuple[str, bytes]:
    """The next instruction's name and its condensed bytes; the cursor stays where it breaks off.

    Raises: CutOffError, BrokenError where there is none; else as `walk`.
    """
    code = stream.peek(1)
    if not code:
        raise CutOffError("It ends without its last instruction")
    info = BY_CODE.get(code[0])
    if info is None:
        raise BrokenError(f"There is no instruction {code[0]:#04x}")
    size = 0 if info.arg is None else info.arg.n
    if size >= 0:
        return info.name, stream.take(1 + size)
    stream.take(1)
    if size == pickletools.UP_TO_NEWLINE:
        return info.name, code + _lines(stream, info.name)
    width = _LENGTHS[size]
    field = stream.take(width)
    signed = size == pickletools.TAKEN_FROM_ARGUMENT4
    length = int.from_bytes(field, "little", signed=signed)
    if length < 0:
        raise BrokenError("A value has a negative length")
    if length > LONG_BYTES:
        stream.skip(length)
        return info.name, code + bytes(width)
    return info.name, code + field + stream.take(length)


def _lines(stream: Stream, name: str) -> bytes:
    if name in {"GLOBAL", "INST"}:
        module, member = stream.line(LONG_BYTES), stream.line(LONG_BYTES)
        try:
            (module + member).decode()
        except UnicodeDecodeError as error:
            raise BrokenError("It imports a name that is no UTF-8") from error
        return module + b"\n" + member + b"\n"
    line = stream.line(MAX_LINE_BYTES)
    return (line if len(line) <= LONG_BYTES else _EMPTY_LINES.get(name, b"0")) + b"\n"

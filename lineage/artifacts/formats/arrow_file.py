"""Arrow: tables in columns as they lie in memory; files (Feather 2) and streams.

Owns: the digests of an Arrow file's record batches and dictionaries, its columns' types and its metadata.
Does not own: reading the schema (pyarrow does), what is in the columns: nothing is decompressed.

Source: Apache Arrow, "Arrow Columnar Format", encapsulated message format; format/Message.fbs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

from lineage.artifacts.formats.base import (
    MAX_PARTS,
    Description,
    Format,
    Part,
    UnopenedError,
    has_suffix,
    label,
)
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.regions import Region, between, feed, sha256_of
from lineage.artifacts.formats.window import Window
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError, MalformedError, TooLargeError

MAGIC = b"ARROW1\0\0"
MAX_MESSAGE_BYTES = 64 << 20
_CONTINUATION = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_U32, _I32, _I64, _U16 = struct.Struct("<I"), struct.Struct("<i"), struct.Struct("<q"), struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class _Message:
    """One message: where it lies with its body, what it is, how many rows a record batch has, and the bytes
    before its body."""

    kind: int
    start: int
    end: int
    rows: int
    header: bytes


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What an Arrow file or stream consists of: a part for each column, metadata key, dictionary and record
    batch. Raises: see `Format`."""
    messages = _messages(source)
    if not messages or messages[0].kind != _SCHEMA:
        raise MalformedError("It doesn't begin with a schema.")
    columns, keys = _schema(messages[0].header)
    bodies = [message for message in messages if message.kind in (_DICTIONARY, _BATCH)]
    each = [hashlib.sha256() for _ in bodies]
    rest = hashlib.sha256()
    regions = [Region(m.start, m.end, [hasher]) for m, hasher in zip(bodies, each, strict=True)]
    feed(source, between(regions, source.size, rest), progress)
    parts, counts = [*columns, *keys], {_DICTIONARY: 0, _BATCH: 0}
    for message, hasher in zip(bodies, each, strict=True):
        kind = "record batch" if message.kind == _BATCH else "dictionary"
        parts.append(Part(kind, str(counts[message.kind]), hasher.hexdigest(), f"rows {message.rows}"))
        counts[message.kind] += 1
    facts = {
        "rows": str(sum(m.rows for m in bodies if m.kind == _BATCH)),
        "columns": str(len(columns)),
        "record batches": str(counts[_BATCH]),
    }
    schema = "".join(f"{len(c.name.encode())}:{c.name} {c.digest}\n" for c in columns)
    return Description(
        "arrow", {"schema": sha256_of(schema.encode()), REST: rest.hexdigest()}, tuple(parts), facts
    )


def _messages(source: ByteSource) -> list[_Message]:
    head = source.read_at(0, min(8, source.size))
    if head[:4] == b"FEA1":
        raise UnopenedError("It is Feather of version 1, which is not read here.")
    window = Window(source, len(MAGIC) if head == MAGIC else 0)
    messages: list[_Message] = []
    while window.left:
        start = window.position
        if window.unpack(_U32, "A message") != _CONTINUATION:
            raise MalformedError("A message doesn't begin as it should.", where=f"byte {start}")
        length = window.unpack(_I32, "A message's length")
        if length == 0:
            break
        window.need(length, "A message")
        if length > MAX_MESSAGE_BYTES:
            raise TooLargeError("A message is too long.", limit=MAX_MESSAGE_BYTES)
        content = window.take(length, "A message")
        kind, body, rows = _read(content)
        window.skip(body, "A message's body")
        messages.append(_Message(kind, start, window.position, rows, b"" if kind != _SCHEMA else content))
        if len(messages) > MAX_PARTS:
            raise TooLargeError(f"It has more than {MAX_PARTS:,} messages.", limit=MAX_PARTS)
    if head == MAGIC and not source.read_at(source.size - 6, 6) == MAGIC[:6]:
        raise MalformedError("The file doesn't end with ARROW1: it is cut off.")
    return messages


def _read(content: bytes) -> tuple[int, int, int]:
    """A message's kind, the length of its body, and the rows of a record batch.

    The table Message: version, header type, header, body length. Source: format/Message.fbs.
    """
    table = _at(_U32, content, 0)
    header_type = _field(content, table, 1)
    kind = content[header_type] if header_type else 0
    body_at, header_at = _field(content, table, 3), _field(content, table, 2)
    body = _at(_I64, content, body_at) if body_at else 0
    if body < 0:
        raise MalformedError("A message's body has a negative length.")
    rows = 0
    if kind == _BATCH and header_at:
        batch = header_at + _at(_U32, content, header_at)
        length_at = _field(content, batch, 0)
        rows = _at(_I64, content, length_at) if length_at else 0
    return kind, body, rows


def _at(form: struct.Struct, content: bytes, place: int) -> int:
    if place < 0 or place + form.size > len(content):
        raise MalformedError("A message points outside of itself.")
    value: int = form.unpack_from(content, place)[0]
    return value


def _field(content: bytes, table: int, number: int) -> int:
    """Where field `number` of a flatbuffer's table lies; 0 where it is left out."""
    vtable = table - _at(_I32, content, table)
    if 4 + 2 * number + 2 > _at(_U16, content, vtable):
        return 0
    offset = _at(_U16, content, vtable + 4 + 2 * number)
    if not offset:
        return 0
    if table + offset >= len(content):
        raise MalformedError("A message points outside of itself.")
    return table + offset


def _schema(header: bytes) -> tuple[list[Part], list[Part]]:
    """A part for each column and each metadata key, as pyarrow reads them of the schema's message alone."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
    except ImportError as error:
        raise InconclusiveError(
            "Arrow needs the package pyarrow.", hint="Install lineage[formats]."
        ) from error
    message = _U32.pack(_CONTINUATION) + _I32.pack(len(header)) + header
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(message))
        columns = [(column.name, str(column.type), column) for column in schema]
    except (pa.ArrowException, OSError, ValueError, OverflowError, RuntimeError) as error:
        raise MalformedError("The schema is broken.") from error
    seen: dict[str, Part] = {}
    for number, (name, kind, column) in enumerate(columns):
        shown = name if name not in seen else f"{name} ({number})"
        seen[shown] = Part("column", shown, _column_digest(column), f"type {label(kind).replace(', ', ',')}")
    keys = [
        Part("metadata", key.decode("utf-8", "backslashreplace"), sha256_of(value), "type bytes")
        for key, value in sorted((schema.metadata or {}).items())
    ]
    return list(seen.values()), keys


def _column_digest(column: Any) -> str:
    metadata = sorted((column.metadata or {}).items())
    return sha256_of(f"{column.type} {column.nullable} {metadata}".encode("utf-8", "surrogatepass"))


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith((MAGIC, b"FEA1")) or has_suffix(name, ARROW.suffixes)


ARROW = Format("arrow", "Arrow, Feather", (".arrow", ".arrows", ".feather", ".ipc"), _recognises, describe)

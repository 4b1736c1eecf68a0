"""Parquet: tables in columns.

Owns: the digests of a Parquet file's row groups, its columns' types, and its metadata. Does not own: the form
of the footer (`thrift`), what is in the columns: nothing is decompressed.

The footer is read here and not by pyarrow, which ends the whole process at some that are broken.

Source: apache/parquet-format, README.md, "File format"; src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lineage.artifacts.formats import thrift
from lineage.artifacts.formats.base import MAX_PARTS, Description, Format, Part, UnopenedError, label
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.regions import Region, between, feed, sha256_of
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import MalformedError, TooLargeError

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
MAX_FOOTER_BYTES = 64 << 20

_TYPES = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
_REPETITIONS = ("required", "optional", "repeated")
_LOGICAL = {
    1: "STRING", 2: "MAP", 3: "LIST", 4: "ENUM", 5: "DECIMAL", 6: "DATE", 7: "TIME", 8: "TIMESTAMP",
    10: "INTEGER", 11: "NULL", 12: "JSON", 13: "BSON", 14: "UUID", 15: "FLOAT16", 16: "VARIANT",
    17: "GEOMETRY", 18: "GEOGRAPHY",
}  # fmt: skip


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a Parquet file consists of: a part for each column, metadata key and row group. Raises: see
    `Format`."""
    footer = _footer(source)
    file = thrift.parse(footer)
    columns, groups = list(_columns(_structs(file, 2))), _structs(file, 4)
    if len(columns) * max(len(groups), 1) > MAX_PARTS:
        raise TooLargeError(f"It has more than {MAX_PARTS:,} column chunks.", limit=MAX_PARTS)
    each, rest = [hashlib.sha256() for _ in groups], hashlib.sha256()
    regions: list[Region] = []
    for group, hasher in zip(groups, each, strict=True):
        regions += _chunks(group, hasher, source.size - 8 - len(footer))
    regions.sort(key=lambda region: region.start)
    for before, after in pairwise(regions):
        if after.start < before.end:
            raise MalformedError("Two columns of the file overlap.")
    feed(source, between(regions, source.size, rest), progress)
    parts = [*columns, *_keys(_structs(file, 5))]
    for number, (group, hasher) in enumerate(zip(groups, each, strict=True)):
        parts.append(Part("row-group", str(number), hasher.hexdigest(), f"rows {_number(group, 3)}"))
    schema = "".join(f"{len(column.name.encode())}:{column.name} {column.digest}\n" for column in columns)
    facts = {
        "rows": str(_number(file, 3)),
        "columns": str(len(columns)),
        "row groups": str(len(groups)),
        "producer": label(_text(file, 6)) if 6 in file else "not told",
    }
    return Description(
        "parquet", {"schema": sha256_of(schema.encode()), REST: rest.hexdigest()}, tuple(parts), facts
    )


def _footer(source: ByteSource) -> bytes:
    if source.size < 12:
        raise MalformedError("The file is too short for Parquet.")
    start, end = source.read_at(0, 4), source.read_at(source.size - 8, 8)
    if start == ENCRYPTED or end[4:] == ENCRYPTED:
        raise UnopenedError("The file's footer is encrypted.")
    if start != MAGIC or end[4:] != MAGIC:
        raise MalformedError("The file doesn't start and end with PAR1.")
    length = int.from_bytes(end[:4], "little")
    if length > source.size - 12:
        raise MalformedError("The footer is longer than the file.")
    if length > MAX_FOOTER_BYTES:
        raise TooLargeError(f"The footer is over {MAX_FOOTER_BYTES:,} bytes long.", limit=MAX_FOOTER_BYTES)
    return source.read_at(source.size - 8 - length, length)


def _structs(holder: thrift.Struct, field: int) -> list[thrift.Struct]:
    values = holder.get(field, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise MalformedError(f"Field {field} of the footer is not what belongs there.")
    return values


def _number(holder: thrift.Struct, field: int, otherwise: int | None = None) -> int:
    value = holder.get(field, otherwise)
    if type(value) is not int:
        raise MalformedError(f"Field {field} of the footer is no number.")
    return value


def _text(holder: thrift.Struct, field: int) -> str:
    value = holder.get(field)
    if not isinstance(value, bytes):
        raise MalformedError(f"Field {field} of the footer is no text.")
    return value.decode("utf-8", "backslashreplace")


def _columns(elements: list[thrift.Struct]) -> Iterator[Part]:
    """A part for each leaf of the schema, whose elements stand in depth-first order; the first is the root.

    A part's digest is over all that the schema says of the leaf and of what it is nested in.
    """
    if not elements:
        raise MalformedError("The footer has no schema.")
    left = [(_number(elements[0], 5, 0), "", b"")]  # children still to come, path, what is said of it
    seen: dict[str, int] = {}
    for element in elements[1:]:
        while left and left[-1][0] == 0:
            left.pop()
        if not left:
            raise MalformedError("The schema has more elements than it says.")
        count, above, said = left.pop()
        left.append((count - 1, above, said))
        path = f"{above}.{_text(element, 4)}" if above else _text(element, 4)
        if len(path) > 4096 or len(left) > thrift.MAX_NESTING:
            raise TooLargeError("The schema is nested too deeply.", limit=thrift.MAX_NESTING)
        whole = hashlib.sha256(said + _canonical(element)).digest()
        children = _number(element, 5, 0)
        if children:
            left.append((children, path, whole))
            continue
        seen[path] = seen.get(path, 0) + 1
        shown = path if seen[path] == 1 else f"{path} ({seen[path]})"
        yield Part("column", shown, whole.hex(), f"type {_type(element)}")
    if any(count for count, _, _ in left):
        raise MalformedError("The schema has fewer elements than it says.")


def _canonical(value: Any) -> bytes:
    """The same bytes for the same values. Thrift's structs come in any order of their fields."""
    if isinstance(value, dict):
        return b"{%b}" % b",".join(b"%d:%b" % (key, _canonical(value[key])) for key in sorted(value))
    if isinstance(value, list):
        return b"[%b]" % b",".join(map(_canonical, value))
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    return repr(value).encode()


def _type(element: thrift.Struct) -> str:
    number = _number(element, 1)
    if not 0 <= number < len(_TYPES):
        raise MalformedError("A column has a type that is none.")
    repetition = _number(element, 3, 0)
    words = [_TYPES[number]]
    logical = element.get(10)
    if isinstance(logical, dict):
        words += [_LOGICAL.get(key, str(key)) for key in logical]
    if 0 <= repetition < len(_REPETITIONS):
        words.append(_REPETITIONS[repetition])
    return " ".join(words)


def _keys(pairs: list[thrift.Struct]) -> list[Part]:
    found: dict[str, Part] = {}
    for pair in pairs:
        key, value = label(_text(pair, 1)), pair.get(2, b"")
        if not isinstance(value, bytes) or key in found:
            raise MalformedError(f"The metadata key {key} stands there twice, or is no text.")
        found[key] = Part("metadata", key, sha256_of(value), "type string")
    return [found[key] for key in sorted(found)]


def _chunks(group: thrift.Struct, hasher: Any, end: int) -> list[Region]:
    """The bytes of a row group's columns; `end` is where the footer starts."""
    regions = []
    for chunk in _structs(group, 1):
        if chunk.get(1):
            raise UnopenedError("Columns of the table lie in other files.")
        column = chunk.get(3)
        if not isinstance(column, dict):
            raise UnopenedError("Columns of the table are encrypted.")
        start = _number(column, 9)
        dictionary = _number(column, 11, 0)
        start = min(start, dictionary) if dictionary > 0 else start
        stop = start + _number(column, 7)
        if start < len(MAGIC) or stop < start or stop > end:
            raise MalformedError("A column lies outside of the file: it may be cut off.")
        regions.append(Region(start, stop, [hasher]))
    return regions


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith((MAGIC, ENCRYPTED)) or name.lower().endswith(".parquet")


PARQUET = Format("parquet", "Parquet", (".parquet",), _recognises, describe)

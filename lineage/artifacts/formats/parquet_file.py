"""Parquet: tables in columns.

Owns: the digests of a Parquet file's row groups, its columns' types, and its metadata. Does not own: reading
the footer (pyarrow does), what is in the columns: nothing is decompressed.

Source: apache/parquet-format, README.md, "File format".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from lineage.artifacts.formats.base import MAX_PARTS, Description, Format, Part
from lineage.artifacts.formats.comparing import REST
from lineage.artifacts.formats.regions import Region, between, feed, sha256_of
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import ByteSource
from lineage.errors import InconclusiveError, MalformedError, TooLargeError

MAGIC, ENCRYPTED = b"PAR1", b"PARE"
MAX_FOOTER_BYTES = 64 << 20
MAX_THRIFT_ITEMS = 2_000_000


def describe(source: ByteSource, name: str, progress: Progress | None = None) -> Description:
    """What a Parquet file consists of: a part for each column, metadata key and row group. Raises: see
    `Format`."""
    footer = _footer(source)
    regions: list[Region] = []
    with _reading():
        read = _metadata(footer)
        columns = _columns(read)
        groups = [(read.row_group(number), hashlib.sha256()) for number in range(read.num_row_groups)]
        for group, hasher in groups:
            regions += _chunks(group, hasher, source.size - 8 - len(footer))
        facts = _facts(read)
    regions.sort(key=lambda region: region.start)
    for before, after in pairwise(regions):
        if after.start < before.end:
            raise MalformedError("Two columns of the file overlap.")
    rest = hashlib.sha256()
    feed(source, between(regions, source.size, rest), progress)
    parts = [*columns, *_keys(read.metadata or {})]
    for number, (group, hasher) in enumerate(groups):
        parts.append(Part("row-group", str(number), hasher.hexdigest(), f"rows {group.num_rows}"))
    digests = {
        "schema": sha256_of("".join(_line(column) for column in columns).encode()),
        REST: rest.hexdigest(),
    }
    return Description("parquet", digests, tuple(parts), facts)


def _footer(source: ByteSource) -> bytes:
    if source.size < 12:
        raise MalformedError("The file is too short for Parquet.")
    start, end = source.read_at(0, 4), source.read_at(source.size - 8, 8)
    if start == ENCRYPTED or end[4:] == ENCRYPTED:
        raise InconclusiveError("The file's footer is encrypted.")
    if start != MAGIC or end[4:] != MAGIC:
        raise MalformedError("The file doesn't start and end with PAR1.")
    length = int.from_bytes(end[:4], "little")
    if length > source.size - 12:
        raise MalformedError("The footer is longer than the file.")
    if length > MAX_FOOTER_BYTES:
        raise TooLargeError(f"The footer is over {MAX_FOOTER_BYTES:,} bytes long.", limit=MAX_FOOTER_BYTES)
    return source.read_at(source.size - 8 - length, length)


@contextmanager
def _reading() -> Iterator[None]:
    """What pyarrow raises at a footer that is broken, as MalformedError."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
    except ImportError as error:
        raise InconclusiveError(
            "Parquet needs the package pyarrow.", hint="Install lineage[formats]."
        ) from error
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError, RuntimeError) as error:
        raise MalformedError("The footer is broken.") from error


def _metadata(footer: bytes) -> Any:
    """What pyarrow reads of the footer alone: it never sees the rest of the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    file = pq.ParquetFile(
        pa.BufferReader(MAGIC + footer + len(footer).to_bytes(4, "little") + MAGIC),
        thrift_string_size_limit=MAX_FOOTER_BYTES,
        thrift_container_size_limit=MAX_THRIFT_ITEMS,
    )
    read = file.metadata
    if read.num_row_groups * max(read.num_columns, 1) > MAX_PARTS:
        raise TooLargeError(f"It has more than {MAX_PARTS:,} column chunks.", limit=MAX_PARTS)
    return read


def _columns(read: Any) -> list[Part]:
    parts: dict[str, Part] = {}
    for number in range(read.num_columns):
        column = read.schema.column(number)
        kind = f"{column.physical_type} {column.logical_type.type}".replace(" NONE", "")
        levels = f"{column.max_definition_level}/{column.max_repetition_level}"
        detail = f"type {kind.replace(', ', ',')}, levels {levels}"
        name = column.path if column.path not in parts else f"{column.path} ({number})"
        whole = f"{detail} {column.length} {column.logical_type} {column.converted_type}"
        parts[name] = Part("column", name, sha256_of(whole.encode()), detail)
    return list(parts.values())


def _line(column: Part) -> str:
    return f"{len(column.name.encode())}:{column.name} {column.digest}\n"


def _keys(metadata: dict[bytes, bytes]) -> list[Part]:
    return [
        Part("metadata", key.decode("utf-8", "backslashreplace"), sha256_of(value), "type bytes")
        for key, value in sorted(metadata.items())
    ]


def _chunks(group: Any, hasher: Any, end: int) -> list[Region]:
    """The bytes of a row group's columns; `end` is where the footer starts."""
    regions = []
    for number in range(group.num_columns):
        column = group.column(number)
        start = column.data_page_offset
        if column.has_dictionary_page and column.dictionary_page_offset:
            start = min(start, column.dictionary_page_offset)
        stop = start + column.total_compressed_size
        if column.file_path:
            raise InconclusiveError("Columns of the table lie in other files.")
        if start < len(MAGIC) or stop < start or stop > end:
            raise MalformedError("A column lies outside of the file: it may be cut off.")
        regions.append(Region(start, stop, [hasher]))
    return sorted(regions, key=lambda region: region.start)


def _facts(read: Any) -> dict[str, str]:
    return {
        "rows": str(read.num_rows),
        "columns": str(read.num_columns),
        "row groups": str(read.num_row_groups),
        "producer": (read.created_by or "not told")[:120],
    }


def _recognises(head: bytes, name: str) -> bool:
    return head.startswith((MAGIC, ENCRYPTED)) or name.lower().endswith(".parquet")


PARQUET = Format("parquet", "Parquet", (".parquet",), _recognises, describe)

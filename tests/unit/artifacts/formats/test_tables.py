"""Parquet and Arrow files: as their own library makes them, and broken ones."""

from __future__ import annotations

import io
import struct
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.feather  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from lineage.artifacts.formats import Description, UnopenedError, differences
from lineage.artifacts.formats.arrow_file import ARROW
from lineage.artifacts.formats.parquet_file import PARQUET
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import MalformedError
from tests.unit.artifacts.formats.model_files import described


def table(prices: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0), kind: Any = None, **metadata: str) -> Any:
    made = pa.table(
        {"id": pa.array([1, 2, 3, 4], pa.int64()), "price": pa.array(prices, kind or pa.float64())}
    )
    return made.replace_schema_metadata({"origin": "shop", **metadata})


def parquet(made: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(made, out, row_group_size=2)
    return out.getvalue()


def arrow(made: Any, stream: bool = False) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, made.schema) as writer:
        for batch in made.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    return out.getvalue()


def feather(made: Any) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(made, out)
    return out.getvalue()


MADE = {
    "parquet": (parquet, "t.parquet", "row-group", "row groups"),
    "arrow": (arrow, "t.arrow", "record batch", "record batches"),
    "stream": (lambda made: arrow(made, True), "t.arrow", "record batch", "record batches"),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_file_is_described(kind: str) -> None:
    make, name, part_kind, fact = MADE[kind]
    found = described(make(table()), name)
    assert [(p.name, p.detail) for p in found.parts if p.kind == part_kind] == [
        ("0", "rows 2"),
        ("1", "rows 2"),
    ]
    assert [part.name for part in found.parts if part.kind == "column"] == ["id", "price"]
    assert "origin" in [part.name for part in found.parts if part.kind == "metadata"]
    assert (found.facts["rows"], found.facts["columns"], found.facts[fact]) == ("4", "2", "2")


def test_parquets_footer_is_read_as_pyarrow_reads_it() -> None:
    made = pa.table(
        {
            "a": [[1, 2], None, [3]],
            "b": [{"c": 1, "d": {"e": "x"}}] * 3,
            "f": pa.array([True, None, False]),
            "g": pa.array([b"1"] * 3, pa.binary(1)),
            "h": pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int32())),
        }
    )
    content = parquet(made)
    read, found = pq.ParquetFile(io.BytesIO(content)).metadata, described(content, "t.parquet")
    columns = [read.schema.column(number) for number in range(read.num_columns)]
    parts = {part.name: part.detail for part in found.parts if part.kind == "column"}
    assert list(parts) == [column.path for column in columns]
    for column in columns:
        assert parts[column.path].startswith(f"type {column.physical_type}")
    rows = [read.row_group(number).num_rows for number in range(read.num_row_groups)]
    assert [part.detail for part in found.parts if part.kind == "row-group"] == [f"rows {n}" for n in rows]
    assert found.facts["producer"] == read.created_by


def test_feather_is_arrow() -> None:
    found = described(feather(table()), "t.feather")
    assert (found.format, found.facts["rows"]) == ("arrow", "4")


@pytest.mark.parametrize("kind", MADE)
def test_what_differs_is_named(kind: str) -> None:
    make, name, part_kind, _ = MADE[kind]

    def said(changed: Any) -> tuple[str, ...]:
        return differences(described(make(table()), name), described(make(changed), name))

    word = part_kind.replace("-", " ")
    # Arrow's padding behind batch 0 holds what follows in memory, so batch 0 may differ too.
    assert said(table(prices=(1.0, 2.0, 3.0, 5.0)))[-1].startswith(f"the {word} 1 differs: expected sha256 ")
    assert any(s.startswith("the metadata key origin differs") for s in said(table(origin="mill")))
    assert any(s.startswith("the column price: type was ") for s in said(table(kind=pa.float32())))
    assert f"the {word} 1 is missing" in said(table().slice(0, 2))


def test_a_column_with_a_type_inside() -> None:
    made = pa.table(
        {"a": [[1, 2], [3]], "b": [{"c": 1, "d": "x"}] * 2, "e": pa.array(["x", "y"]).dictionary_encode()}
    )
    for make, name in ((parquet, "t.parquet"), (arrow, "t.arrow")):
        assert described(make(made), name).facts["rows"] == "2"


def _describe(content: bytes, name: str) -> Description:
    return (PARQUET if name == "parquet" else ARROW).describe(MemoryBytes(content), name, None)


WHOLE = {"parquet": parquet(table()), "arrow": arrow(table())}
BROKEN = {
    "empty": b"",
    "text": b"hello world, this is text",
    "magic-alone": b"PAR1PAR1PAR1",
    "footer-too-long": b"PAR1" + struct.pack("<I", 1 << 30) + b"PAR1",
    "footer-of-nothing": b"PAR1" + bytes(40) + struct.pack("<I", 40) + b"PAR1",
    "parquet-cut-off": WHOLE["parquet"][:-1],
    "parquet-without-its-middle": WHOLE["parquet"][:20] + WHOLE["parquet"][200:],
    "arrow-cut-off": WHOLE["arrow"][:-1],
    "arrow-half": WHOLE["arrow"][: len(WHOLE["arrow"]) // 2],
    "arrow-message-too-long": b"ARROW1\0\0" + struct.pack("<Ii", 0xFFFFFFFF, 1 << 30),
    "arrow-message-negative": b"ARROW1\0\0" + struct.pack("<Ii", 0xFFFFFFFF, -8),
    "arrow-points-outside": b"ARROW1\0\0" + struct.pack("<IiII", 0xFFFFFFFF, 8, 1 << 30, 0),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_what_is_malformed(name: str, form: str) -> None:
    with pytest.raises(MalformedError):
        _describe(BROKEN[name], form)


def test_what_is_not_read_here() -> None:
    for content, form in ((b"PARE" + bytes(20) + b"PARE", "parquet"), (b"FEA1" + bytes(20), "arrow")):
        with pytest.raises(UnopenedError):
            _describe(content, form)

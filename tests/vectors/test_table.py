"""The table of opinions that is kept beside the tests is what is so."""

from __future__ import annotations

from pathlib import Path

from tests.vectors import table

FAMILY = "dsse"


def test_the_table_is_what_is_so(vectors: Path) -> None:
    assert table.text().splitlines() == table.FILE.read_text().splitlines()

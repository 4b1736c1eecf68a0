"""Pickles whose instructions name more bytes than there are: recognised without an error, nothing hidden."""

from __future__ import annotations

import pytest

from lineage.artifacts.formats import recognise
from lineage.artifacts.formats.pickles import PICKLE
from lineage.artifacts.reading import MemoryBytes

ENDLESS = b"\x8e" + (1 << 62).to_bytes(8, "little")
"""BINBYTES8 of more bytes than any file has."""
CALLS = b"cposix\nsystem\n(X\x02\x00\x00\x00id\x85R"


@pytest.mark.parametrize("name", ["model.bin", "model.pt", "model", "model.txt"])
def test_random_bytes_that_name_an_endless_length_break_nothing(name: str) -> None:
    recognise((ENDLESS + bytes(range(256)) * 16)[:4096], name)


def test_what_runs_before_an_endless_length_is_found() -> None:
    content = CALLS + ENDLESS + bytes(100_000)
    assert recognise(content[:4096], "model.bin") is PICKLE
    assert PICKLE.describe(MemoryBytes(content), "model.bin", None).unsafe

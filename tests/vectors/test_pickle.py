"""Malicious, broken and harmless pickles that others collected. They are read, and never loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lineage.artifacts.formats import head_of, recognise
from lineage.artifacts.formats.pickles import PICKLE
from lineage.artifacts.reading import LocalBytes
from lineage.errors import MalformedError

FAMILY = "pickle"
APPLIES = {
    "test_verdict": lambda case: case["expect"] != "malformed",
    "test_recognised": lambda case: case["expect"] == "refuted",
    "test_malformed": lambda case: case["expect"] == "malformed",
}


def test_verdict(vectors: Path, case: dict[str, Any]) -> None:
    path = vectors / case["file"]
    found = PICKLE.describe(LocalBytes(bytes(path)), path.name, None)
    assert ("refuted" if found.unsafe else "verified") == case["expect"], found.unsafe
    names = {part.name for part in found.parts if part.kind == "import"}
    expected = {word.rpartition(":")[0] for word in case.get("facts", {}).get("globals", [])}
    assert names == expected


def test_recognised(vectors: Path, case: dict[str, Any]) -> None:
    """No unsafe file is taken for just a file."""
    path = vectors / case["file"]
    assert recognise(head_of(LocalBytes(bytes(path))), path.name) is PICKLE


def test_malformed(vectors: Path, case: dict[str, Any]) -> None:
    path = vectors / case["file"]
    with pytest.raises(MalformedError, match="no whole pickle"):
        PICKLE.describe(LocalBytes(bytes(path)), path.name, None)

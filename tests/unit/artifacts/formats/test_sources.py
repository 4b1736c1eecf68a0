"""Formats over sources that behave as networks do: short reads, an end in the middle, files of some size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from lineage.artifacts.formats import recognise
from lineage.artifacts.formats.regions import Region, feed
from lineage.artifacts.reading import MemoryBytes
from lineage.errors import InconclusiveError
from tests.unit.artifacts.formats.model_files import described, gguf_bytes
from tests.unit.artifacts.formats.test_damage import ORIGINALS


class Trickle(MemoryBytes):
    """Gives at most 7 bytes at a time, as a slow connection may."""

    def readinto(self, view: memoryview) -> int:
        return super().readinto(view[:7])


class Cut(MemoryBytes):
    """Ends in the middle without a word."""

    def readinto(self, view: memoryview) -> int:
        return 0 if self._read > 50 else super().readinto(view[:40])


class Altered(MemoryBytes):
    """Changed while it was read."""

    def finish(self) -> None:
        raise InconclusiveError("It changed while it was read.")


class Down(MemoryBytes):
    """Nothing can be read."""

    def readinto(self, view: memoryview) -> int:
        raise InconclusiveError("The connection was refused.")

    def read_at(self, offset: int, length: int) -> bytes:
        raise InconclusiveError("The connection was refused.")


@pytest.mark.parametrize("kind", ORIGINALS)
def test_however_the_bytes_come(kind: str, tmp_path: Path) -> None:
    name, make = ORIGINALS[kind]
    content = make(tmp_path)
    form = recognise(content[:4096], name)
    assert form is not None
    counted: list[int] = []
    assert form.describe(Trickle(content), name, counted.append) == described(content, name)
    assert sum(counted) == len(content)
    for source in (Altered(content), Down(content)):
        with pytest.raises(InconclusiveError):
            form.describe(source, name, None)


def test_an_end_in_the_middle_is_no_digest() -> None:
    with pytest.raises(InconclusiveError, match="ended after 80 of its 100 bytes"):
        feed(Cut(bytes(100)), [Region(0, 100, [hashlib.sha256()])])


def test_large_tensors_side_by_side(tmp_path: Path) -> None:
    """Long parts are hashed by several threads; the digests are those of the bytes all the same."""
    content = gguf_bytes(tmp_path, tensors={"a": (700, 1024), "b": (3,), "c": (600, 1024)})
    found = described(content, "m.gguf")
    raw = [
        np.full(shape, n, dtype=np.float32).tobytes()
        for n, shape in ((1, (700, 1024)), (2, 3), (3, (600, 1024)))
    ]
    tensors = [part.digest for part in found.parts if part.kind == "tensor"]
    assert tensors == [hashlib.sha256(each).hexdigest() for each in raw]
    assert found.digests["gguf-hash:sha256"] == hashlib.sha256(b"".join(raw)).hexdigest()
    weights = {"w": np.arange(700_000, dtype=np.float32)}
    (part,) = described(save(weights), "m.safetensors").parts
    assert part.digest == hashlib.sha256(weights["w"].tobytes()).hexdigest()

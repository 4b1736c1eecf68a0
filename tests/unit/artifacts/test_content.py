"""One pass over a file's bytes: digests and shards, and what can't be read to its end."""

from __future__ import annotations

import hashlib
import io

import pytest
from blake3 import blake3

from lineage.artifacts import content
from lineage.artifacts.reading import Again, MemoryBytes
from lineage.errors import InconclusiveError

SHARD = 1000


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SHARD_BYTES", SHARD)


def some_bytes(size: int) -> bytes:
    return hashlib.shake_128(b"content").digest(size)


@pytest.mark.parametrize("size", [0, 1, SHARD - 1, SHARD, SHARD + 1, 3 * SHARD, 10 * SHARD + 7])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha3_256", "blake3"])
def test_one_pass(size: int, algorithm: str) -> None:
    data = some_bytes(size)
    counted: list[int] = []
    found = content.read(MemoryBytes(data), algorithm, counted.append)
    expected = blake3(data) if algorithm == "blake3" else hashlib.new(algorithm, data)
    shards = [blake3(data[at : at + SHARD]).hexdigest() for at in range(0, max(size, 1), SHARD)]
    assert (found.size, found.digest, found.blake3) == (size, expected.hexdigest(), blake3(data).hexdigest())
    assert list(found.shards) == shards
    assert (len(shards), sum(counted)) == (content.shard_count(size), size)


def test_on_another_core_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = some_bytes(5_000_000)
    alone = content.read(MemoryBytes(data), "sha256")
    monkeypatch.setattr(content, "BESIDE_BYTES", 1)
    assert content.read(MemoryBytes(data), "sha256") == alone


@pytest.mark.parametrize("workers", [1, 3])
def test_shards_are_read_again_in_any_order(workers: int) -> None:
    data = some_bytes(10 * SHARD + 7)
    known = content.read(MemoryBytes(data), "sha256").shards
    wanted = [10, 0, 4, 7]
    found = content.read_shards(lambda: MemoryBytes(data), len(data), wanted, workers)
    assert found == {number: known[number] for number in wanted}


def test_shards_of_a_file_that_grew_since_are_not_taken_for_all_of_it() -> None:
    data = some_bytes(2 * SHARD)
    with pytest.raises(InconclusiveError, match="2,000 bytes became 2,001"):
        content.read_shards(lambda: MemoryBytes(data + b"!"), len(data), [0, 1], 1)


def test_an_unknown_algorithm_is_no_match() -> None:
    for algorithm in ("uri", "shake_128", ""):
        with pytest.raises(InconclusiveError):
            content.read(MemoryBytes(b"x"), algorithm)


class Endless(MemoryBytes):
    """It says that it has four bytes, and gives zeros for ever: a file that is written to, or of /proc."""

    def readinto(self, view: memoryview) -> int:
        return len(view)


class Short(MemoryBytes):
    def readinto(self, view: memoryview) -> int:
        return 0


@pytest.mark.parametrize("kind", [Endless, Short])
def test_what_is_longer_or_shorter_than_it_was_can_not_be_told(kind: type[MemoryBytes]) -> None:
    for data in (b"four", b"1"):
        with pytest.raises(InconclusiveError, match="when it was opened"):
            content.read(kind(data), "sha256")


def test_a_source_is_read_again_from_its_start() -> None:
    data = some_bytes(3 * SHARD)
    source = MemoryBytes(data)
    content.read(source, "sha256")
    again = Again(source)
    out, view = io.BytesIO(), memoryview(bytearray(700))
    while count := again.readinto(view):
        out.write(view[:count])
    assert (out.getvalue(), again.size, again.read_at(5, 3)) == (data, len(data), data[5:8])

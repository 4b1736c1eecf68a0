"""Files of meters have no holes, so that a full disk ends no process that writes into them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict

from lineage.meter_files import INITIAL_BYTES, ReservedFile


def holes(path: Path) -> int:
    """Bytes of the file that are not on the disk yet."""
    found = path.stat()
    return max(0, found.st_size - 512 * found.st_blocks)


@contextmanager
def no_file_may_grow(beyond: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (beyond, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def written_until_it_fails(file: Any) -> int:
    for number in range(INITIAL_BYTES):
        try:
            file.write_value(f"{number:1000}", float(number), 0.0)
        except OSError:
            return number
    raise AssertionError("it never failed")


def test_a_file_has_all_of_its_blocks_from_the_first_and_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "histogram_1.db"
    file: Any = ReservedFile(str(path))
    assert holes(path) == 0
    assert path.stat().st_size == INITIAL_BYTES
    number = 0
    while path.stat().st_size == INITIAL_BYTES:
        file.write_value(f"{number:1000}", float(number), 0.0)
        number += 1
    assert path.stat().st_size == 2 * INITIAL_BYTES
    assert holes(path) == 0
    assert [value for _, value, _ in file.read_all_values()] == list(map(float, range(number)))
    file.close()
    plain: Any = MmapedDict
    read = list(plain.read_all_values_from_file(str(path)))
    assert len(read) == number


def test_prometheus_client_has_holes_without_it(tmp_path: Path) -> None:
    """Where it has none any more, this room can go."""
    path = tmp_path / "histogram_1.db"
    plain: Any = MmapedDict
    plain(str(path)).close()
    assert holes(path) > 0


def test_where_there_is_no_room_nothing_is_written_and_later_it_is(tmp_path: Path) -> None:
    path = tmp_path / "histogram_1.db"
    with no_file_may_grow(INITIAL_BYTES - 1), pytest.raises(OSError, match="File too large"):
        ReservedFile(str(path))
    file: Any = ReservedFile(str(path))
    with no_file_may_grow(INITIAL_BYTES):
        number = written_until_it_fails(file)
    assert 900 < number < INITIAL_BYTES // 1000
    file.write_value("more", 1.0, 0.0)
    assert file.read_value("more") == (1.0, 0.0)
    assert file.read_value(f"{7:1000}") == (7.0, 0.0)
    file.close()

"""Logs that several tests begin with: filled by the product once in a process, afterwards put back as rows.

To fill one takes longer than most of what is tested with it. Owns: its rows, and the high-water file beside
them. Where the keys on the disk are not those it was filled with, it is filled again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lineage.services import high_water, high_water_file
from tests import first_entry
from tests.conftest import forget_other_logs
from tests.first_entry import Start


@dataclass(frozen=True)
class _Filled:
    start: Start
    high_water: bytes | None


_filled: dict[str, _Filled] = {}


def ensure(name: str, fill: Callable[[], object]) -> None:
    """The log of that name in an empty database: what `fill` makes of one that has entry 0."""
    forget_other_logs()
    kept = _filled.get(name)
    if kept is None or kept.start.files != first_entry.key_files():
        empty = first_entry.filled_tables()
        first_entry.ensure()
        fill()
        _filled[name] = _Filled(first_entry.keep(empty), high_water_file.read())
        return
    first_entry.put_back(kept.start)
    if kept.high_water is not None:
        high_water_file.write(kept.high_water)
    high_water.forget()

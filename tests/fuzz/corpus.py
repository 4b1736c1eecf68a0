"""What a search starts from: a target's own seeds, and third-party vectors where they are present."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fuzz.target import Target

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "vectors"
MAX_BYTES = 1 << 18


def vectors(target: Target) -> list[bytes]:
    """In the order of their names; none where there are no vectors (`LINEAGE_VECTORS`)."""
    home = Path(os.environ.get("LINEAGE_VECTORS") or _BESIDE)
    files = [
        path for family in target.vectors for path in sorted((home / family).rglob("*")) if path.is_file()
    ]
    found = [path.read_bytes() for path in files if path.stat().st_size <= MAX_BYTES]
    return [target.prepared(data) for data in found]


def write(target: Target, folder: Path) -> int:
    """Each start in a file of its own; returns how many there are."""
    starts = [*target.seeds(), *vectors(target)]
    for number, data in enumerate(starts):
        (folder / f"start-{number:04}").write_bytes(data)
    return len(starts)

"""What a search starts from: a target's own seeds, what was kept, and vectors where they are present."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz.target import Target

PACKED = Path(__file__).with_name("corpora")
"""What searches found worth keeping, in one file a target, an input a line in base64."""
MAX_PACKED, MAX_PACKED_BYTES = 48, 2_048
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


def kept(target: Target) -> list[bytes]:
    """What is kept of earlier searches in the repository; nothing where there were none."""
    file = PACKED / f"{target.name}.txt"
    return [base64.b64decode(line) for line in file.read_text().split("\n")[:-1]] if file.exists() else []


def pack(target: Target, found: Iterable[bytes]) -> int:
    """Keep the smallest of what a search found that are no seeds; returns how many there are now."""
    seeds = set(target.seeds())
    fit = {data for data in [*kept(target), *found] if len(data) <= MAX_PACKED_BYTES} - seeds
    chosen = sorted(sorted(fit, key=lambda data: (len(data), data))[:MAX_PACKED])
    PACKED.mkdir(exist_ok=True)
    lines = "".join(f"{base64.b64encode(data).decode()}\n" for data in chosen)
    (PACKED / f"{target.name}.txt").write_text(lines)
    return len(chosen)


def write(target: Target, folder: Path) -> int:
    """Each start in a file of its own; returns how many there are."""
    starts = [*target.seeds(), *kept(target), *vectors(target)]
    for number, data in enumerate(starts):
        (folder / f"start-{number:04}").write_bytes(data)
    return len(starts)

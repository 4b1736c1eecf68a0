"""A part of the closure index as a file that processes share by mapping it.

Owns: the format, and finding the newest file. A file is a cache: whatever is not exactly as expected in it is
ignored and made anew. Layout: magic, length of the header and CRC-32 of all after it (little-endian), header
(JSON), then the arrays, each at a multiple of 64 bytes.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from lineage.errors import MalformedError
from lineage.graph.index.adjacency import TYPES, Adjacency
from lineage.graph.index.columns import ROLES, STATUSES, Roles, Statuses
from lineage.graph.index.marks import Mark
from lineage.graph.index.snapshot import KINDS, Part, Snapshot

MAGIC: Final = b"lineage closure index 2\n"
_LENGTHS = struct.Struct("<II")
_ALIGNED = 64
_ADJACENCY = ("start", "to", "late_at", "late_first")
_STATUSES = ("code", "opened", "node", "from_us", "until_us", "status")
_ROLES = ("bits", "late_node", "late_bit", "late_first")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes from the end of the header, a NumPy type, how many values."""

    offset: int
    dtype: str
    count: int


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the arrays are, and of which log and tables (`rows.Mark`)."""

    projected: int
    generation: int
    leaf: str
    last_node: int
    last_edge: int
    edges: int
    last_claim: int
    kinds: tuple[str, ...]
    types: tuple[str, ...]
    statuses: tuple[str, ...]
    roles: tuple[str, ...]
    sections: dict[str, Section]


def write(path: Path, graph: Snapshot, mark: Mark) -> None:
    """Replace the file by a snapshot of one part, at once, so that no reader sees half of it."""
    part, arrays = graph.base, _arrays(graph)
    sections, offset = {}, 0
    for name, array in arrays.items():
        sections[name] = Section(offset, array.dtype.str, len(array))
        offset += -(-array.nbytes // _ALIGNED) * _ALIGNED
    header = Header(
        mark.projected,
        mark.generation,
        mark.leaf.hex(),
        part.last_node,
        part.last_edge,
        part.edges,
        graph.roles.last_claim,
        KINDS,
        TYPES,
        STATUSES,
        ROLES,
        sections,
    )
    text = msgspec.json.encode(header)
    text += b" " * (-(len(MAGIC) + _LENGTHS.size + len(text)) % _ALIGNED)
    body = [text, *(_padded(array) for array in arrays.values())]
    check = 0
    for piece in body:
        check = zlib.crc32(piece, check)
    temporary = path.with_suffix(f".{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(MAGIC + _LENGTHS.pack(len(text), check))
        file.writelines(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _arrays(graph: Snapshot) -> dict[str, np.ndarray]:
    part = graph.base
    arrays: dict[str, np.ndarray] = {"kind": part.kind, "first": part.first}
    for name, values, fields in (
        ("causes", part.causes, _ADJACENCY),
        ("effects", part.effects, _ADJACENCY),
        ("statuses", graph.statuses, _STATUSES),
        ("roles", graph.roles, _ROLES),
    ):
        arrays |= {f"{name}.{each}": getattr(values, each) for each in fields}
    return arrays


def _padded(array: np.ndarray) -> bytes:
    return array.tobytes() + bytes(-array.nbytes % _ALIGNED)


def read(path: Path) -> tuple[Mark, Snapshot]:
    """Map the file.

    Raises: MalformedError where it is no such file, cut off, altered, or of other kinds and types than ours.
        FileNotFoundError where there is none.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < len(MAGIC) + _LENGTHS.size:
            raise MalformedError("The closure index's file is cut off.")
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    start = len(MAGIC) + _LENGTHS.size
    length, check = _LENGTHS.unpack_from(view, len(MAGIC))
    if bytes(view[: len(MAGIC)]) != MAGIC or zlib.crc32(view[start:]) != check:
        raise MalformedError("The closure index's file is damaged.")
    try:
        header = msgspec.json.decode(bytes(view[start : start + length]), type=Header)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise MalformedError(f"The closure index's file has no header: {error}") from error
    if (header.kinds, header.types, header.statuses, header.roles) != (KINDS, TYPES, STATUSES, ROLES):
        raise MalformedError("The closure index's file is of another version.")
    mark = Mark(header.projected, header.generation, bytes.fromhex(header.leaf))
    return mark, _graph(header, view[start + length :])


def _graph(header: Header, body: memoryview) -> Snapshot:
    def array(name: str) -> np.ndarray:
        section = header.sections[name]
        return np.frombuffer(body, np.dtype(section.dtype), section.count, section.offset)

    causes, effects = (
        Adjacency(None, *(array(f"{name}.{each}") for each in _ADJACENCY)) for name in ("causes", "effects")
    )
    part = Part(
        0, array("kind"), array("first"), causes, effects, header.last_node, header.last_edge, header.edges
    )
    statuses = Statuses(*(array(f"statuses.{each}") for each in _STATUSES))
    roles = Roles(*(array(f"roles.{each}") for each in _ROLES), last_claim=header.last_claim)
    return Snapshot(part, None, statuses, roles)
